namespace Espalier.Axes.Inference;

/// <summary>Settings of the inference.</summary>
internal sealed record AxisOptions
{
    /// <summary>
    /// Sizes that stand for dynamic dimensions in costs, by the name of the dimension, or as <c>input:axis</c> for one without
    /// a name; others: 1 on axis 0, 224 on the other axes of a rank-4 input, 128 elsewhere.
    /// </summary>
    public IReadOnlyDictionary<string, long> Dimensions { get; init; } = new Dictionary<string, long>();

    /// <summary>
    /// Whether caches and states among the graph's inputs and outputs may shrink with the heads, head dimensions or hidden states that
    /// they hold. All other axes of the interface stay.
    /// </summary>
    public bool AllowInterface { get; init; }
}
