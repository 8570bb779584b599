namespace Espalier.Extensions.AI;

/// <summary>How texts become vectors: what <see cref="EmbeddingsAttribute"/> says of a policy, as a plain value.</summary>
/// <param name="ModelId">Names the model in what a generator says of itself: the full name of the policy.</param>
/// <param name="Tokenizer">The tokenizer's file, see <see cref="TextTokenizer.Open"/>.</param>
public sealed record EmbeddingSettings(string ModelId, string Tokenizer)
{
    /// <summary>How the vectors of the tokens become one.</summary>
    public Pooling Pooling { get; init; }

    /// <summary>Whether vectors are scaled to length 1.</summary>
    public bool Normalise { get; init; } = true;

    /// <summary>Tokens that are read of a text at most, those round the text included.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>The output that has the vectors; null: the first one.</summary>
    public string? Output { get; init; }

    /// <summary>Texts that go through the model at once. Texts of one length go together, so that little is padded.</summary>
    public int BatchSize { get; init; } = 32;
}
