using System.Numerics.Tensors;

namespace Espalier.Extensions.AI;

/// <summary>One vector per text.</summary>
internal static class Vectors
{
    /// <summary>
    /// The vector of the <paramref name="text"/>-th text, where the output is [texts, tokens, dimensions], or [texts, dimensions]
    /// without pooling.
    /// </summary>
    public static float[] Of(TensorData<float> output, TextBatch texts, int text, EmbeddingSettings settings)
    {
        int width = (int)output.Shape[^1];
        var values = output.Values.Span;
        ReadOnlySpan<float> Token(ReadOnlySpan<float> all, int token) => all.Slice(((text * texts.Length) + token) * width, width);
        var vector = new float[width];
        switch (settings.Pooling)
        {
            case Pooling.None:
                values.Slice(text * width, width).CopyTo(vector);
                break;
            case Pooling.First:
                Token(values, 0).CopyTo(vector);
                break;
            case Pooling.Last:
                Token(values, texts.TokensOf(text) - 1).CopyTo(vector);
                break;
            default:
                int count = texts.TokensOf(text);
                for (int token = 0; token < count; token++) TensorPrimitives.Add(vector, Token(values, token), vector);
                TensorPrimitives.Divide(vector, count, vector);
                break;
        }
        float length = settings.Normalise ? TensorPrimitives.Norm<float>(vector) : 0;
        if (length > 0) TensorPrimitives.Divide(vector, length, vector);
        return vector;
    }
}
