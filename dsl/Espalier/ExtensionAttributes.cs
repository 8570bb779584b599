#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>How the vectors of a text's tokens become one vector.</summary>
public enum Pooling
{
    /// <summary>Their mean, over the tokens that the attention mask has.</summary>
    Mean,

    /// <summary>The first one, which is that of <c>[CLS]</c>.</summary>
    First,

    /// <summary>That of the last token that the attention mask has.</summary>
    Last,

    /// <summary>The output has one vector per text already.</summary>
    None,
}

/// <summary>
/// The policy's model is an encoder of texts: with the package Espalier.Extensions.AI the policy gets
/// <c>CreateEmbeddingGenerator</c>, and <c>Tokenize</c>, which makes calibration samples of texts.
/// </summary>
/// <param name="tokenizer">
/// The tokenizer's file, by the path of its <c>&lt;EspalierTokenizer Include="…" /&gt;</c>: a WordPiece vocabulary
/// (<c>vocab.txt</c>), or a SentencePiece model (<c>.model</c>).
/// </param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class EmbeddingsAttribute(string tokenizer) : Attribute
{
    /// <summary>Path of the tokenizer's file relative to the project, with <c>/</c> between folders.</summary>
    public string Tokenizer { get; } = tokenizer;

    /// <summary>How the vectors of the tokens become one.</summary>
    public Pooling Pooling { get; set; }

    /// <summary>Whether vectors are scaled to length 1, so that their dot product is their cosine.</summary>
    public bool Normalise { get; set; } = true;

    /// <summary>Tokens that are read of a text at most, at least 3, those round the text included; the rest is cut off.</summary>
    public int MaxTokens { get; set; } = 256;

    /// <summary>The output that has the vectors; not set: the first one.</summary>
    public string? Output { get; set; }
}

/// <summary>
/// The policy's model takes images: with the package Espalier.Extensions.Images the policy gets <c>FromImage</c> and
/// <c>FromPixels</c>, for programs and for calibration. Size, channels and layout are those of the model's input; an image
/// becomes its largest centred part of that aspect ratio, resized, from 0 to 1, then (value − mean) / deviation.
/// </summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class ImagesAttribute : Attribute
{
    /// <summary>What is taken off each channel: one number, or one per channel; empty for 0.</summary>
    public double[] Mean { get; set; } = [];

    /// <summary>What each channel is divided by after that, above 0: one number, or one per channel; empty for 1.</summary>
    public double[] Deviation { get; set; } = [];

    /// <summary>Pixels of a row where the model leaves them open.</summary>
    public int Width { get; set; } = 224;

    /// <summary>Rows where the model leaves them open.</summary>
    public int Height { get; set; } = 224;
}
