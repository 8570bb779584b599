using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>A small graph that is built node for node as an exporter writes the architecture, and what must be found in it.</summary>
internal sealed record ZooModel(string Name, Func<GraphBuilder> Build)
{
    /// <summary>Exact groups by kind and how many, e.g. <c>Channels 5, Heads 1</c>.</summary>
    public required string Exact { get; init; }
    /// <summary>Least share of the parameters that lie in units of exact groups.</summary>
    public required double Share { get; init; }
    /// <summary>Every reason for which something stays frozen or inexact, without names of nodes and tensors.</summary>
    public required string[] Stays { get; init; }
    /// <summary>The important groups.</summary>
    public required Action<RuleCheck> Groups { get; init; }
    /// <summary>Sizes of dynamic dimensions that the default does not fit.</summary>
    public (string Name, long Size)[] Sizes { get; init; } = [];

    /// <summary>Least number of claims of zero that are compared with a run: none can be inside of a branch.</summary>
    public int Claims { get; init; } = 4;

    /// <summary>What every network keeps.</summary>
    public static readonly string[] Interface = ["graph input: its shape is the model's interface",
        "graph output: its shape is the model's interface"];

    /// <summary>What every convolutional network keeps.</summary>
    public static readonly string[] Image = [.. Interface, "Conv: the positions along 'k' have a meaning each"];
}
