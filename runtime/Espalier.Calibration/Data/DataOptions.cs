namespace Espalier.Calibration.Data;

internal sealed record DataOptions
{
    /// <summary>Most samples that are read; the first ones.</summary>
    public int Samples { get; init; } = 1024;

    /// <summary>Tokens of a sample of text; 0 for 128 characters or byte pairs, or 64 word pieces.</summary>
    public int Length { get; init; }

    /// <summary>
    /// The alphabet (JSON string), vocabulary (one piece per line) or BPE <c>tokenizer.json</c> for text; null to look beside
    /// the text and the model.
    /// </summary>
    public string? Vocabulary { get; init; }

    /// <summary>
    /// What is subtracted from the pixels of a folder of images, which are from 0 to 1: one number, or one per channel; null for 0.
    /// </summary>
    public IReadOnlyList<double>? Mean { get; init; }

    /// <summary>What they are divided by after that; null for 1.</summary>
    public IReadOnlyList<double>? Deviation { get; init; }

    /// <summary>
    /// File with the right answer to every sample, for <see cref="CalibrationLabels"/>; null for those in the data, if any.
    /// </summary>
    public string? Labels { get; init; }

    /// <summary>Sizes of dynamic dimensions by their name or as <c>input:axis</c>, for images; 224 where nothing says.</summary>
    public IReadOnlyDictionary<string, long>? Dimensions { get; init; }
}
