using Espalier.Onnx;

namespace Espalier.Axes;

/// <summary>What axis inference found in one model. Immutable.</summary>
public sealed class AxisAnalysis
{
    internal AxisAnalysis(OnnxModel model) => Model = model;

    /// <summary>The model.</summary>
    public OnnxModel Model { get; }
    /// <summary>Every factor that occurs in a weight with a static size of at least 2; frozen ones too.</summary>
    public IReadOnlyList<Group> Groups { get; internal set; } = [];
    /// <summary>Products that contract prunable units.</summary>
    public IReadOnlyList<Consumer> Consumers { get; internal set; } = [];
    /// <summary>Sublayers, then blocks.</summary>
    public IReadOnlyList<Block> Blocks { get; internal set; } = [];
    /// <summary>Nodes in walk order.</summary>
    public IReadOnlyList<NodeInfo> Nodes { get; internal set; } = [];
    /// <summary>Cost as a polynomial in the sizes of the groups.</summary>
    public CostModel Cost { get; internal set; } = null!;

    /// <summary>Runs the inference.</summary>
    public static AxisAnalysis Of(OnnxModel model, AxisOptions? options = null) => throw new NotSupportedException();

    /// <summary>Terms of the axes of a tensor, or null where its rank is unknown or no such tensor exists.</summary>
    public IReadOnlyList<Term>? TermsOf(string tensor) => null;
}

/// <summary>Settings of the inference.</summary>
public sealed record AxisOptions
{
    /// <summary>Sizes that stand for dynamic dimensions in costs, by the name of the dimension; others: 1 on axis 0, 224 on the spatial axes of a rank-4 input, 128 elsewhere.</summary>
    public IReadOnlyDictionary<string, long> Dimensions { get; init; } = new Dictionary<string, long>();
}
