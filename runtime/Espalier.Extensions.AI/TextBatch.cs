using System.Numerics;

namespace Espalier.Extensions.AI;

/// <summary>The tokens of some texts as the inputs of an encoder, each of shape [texts, tokens of the longest].</summary>
public sealed class TextBatch
{
    private readonly IReadOnlyList<int[]> _texts;
    private readonly int _padding;

    internal TextBatch(IReadOnlyList<int[]> texts, int padding)
    {
        (_texts, _padding) = (texts, padding);
        Length = texts.Max(t => t.Length);
    }

    /// <summary>How many texts there are.</summary>
    public int Count => _texts.Count;

    /// <summary>Tokens of the longest.</summary>
    public int Length { get; }

    /// <summary>Tokens of one text.</summary>
    public int TokensOf(int text) => _texts[text].Length;

    /// <summary>The tokens, shorter texts filled up at their ends.</summary>
    /// <typeparam name="T">Elements: <c>long</c> or <c>int</c>.</typeparam>
    public TensorData<T> Ids<T>() where T : INumber<T> => Each((tokens, i) => i < tokens.Length ? tokens[i] : _padding, T.CreateChecked);

    /// <summary>One for each token, zero for what fills up.</summary>
    /// <typeparam name="T">Elements: <c>long</c> or <c>int</c>.</typeparam>
    public TensorData<T> Mask<T>() where T : INumber<T> => Each((tokens, i) => i < tokens.Length ? 1 : 0, T.CreateChecked);

    /// <summary>Zeros: all tokens are of the first of two texts.</summary>
    /// <typeparam name="T">Elements: <c>long</c> or <c>int</c>.</typeparam>
    public TensorData<T> Types<T>() where T : INumber<T> => Each((_, _) => 0, T.CreateChecked);

    private TensorData<T> Each<T>(Func<int[], int, int> value, Func<int, T> convert)
    {
        var values = new T[Count * Length];
        for (int text = 0, at = 0; text < Count; text++)
            for (int i = 0; i < Length; i++, at++) values[at] = convert(value(_texts[text], i));
        return new(values, Count, Length);
    }
}
