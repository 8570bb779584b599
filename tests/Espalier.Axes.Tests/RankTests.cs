using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>The rank of what an operator without a rule gives follows from who reads it, and only where it must be that.</summary>
public sealed class RankTests
{
    /// <summary>Every case: who reads the unknown tensor, and the rank that it then has; null where it may be several.</summary>
    private static readonly Dictionary<string, (Func<GraphBuilder, string, string> Read, int? Rank)> Cases = new(StringComparer.Ordinal)
    {
        ["nobody"] = ((_, z) => z, null),
        ["a convolution"] = (Image, 4),
        ["a softmax in front of one"] = ((g, z) => Image(g, g.Softmax(z)), 4),
        ["a permutation"] = ((g, z) => g.Transpose(z, 1, 0, 2), 3),
        ["one that gets a new axis"] = ((g, z) => Image(g, g.Unsqueeze(z, 0)), 3),
        ["one that loses an axis"] = ((g, z) => Image(g, g.Squeeze(z, 0)), 5),
        ["one that is gathered by a list"] = ((g, z) => Image(g, g.Node("Gather", [z, g.Longs(0, 1)], ("axis", 1))), 4),
        ["one that is gathered by a number"] = ((g, z) => Image(g, g.Node("Gather", [z, g.Longs("one", [0], [])], ("axis", 1))), 5),
        ["a mean that keeps its axes"] = ((g, z) => Image(g, g.Node("ReduceMean", [z], ("axes", (long[])[2]), ("keepdims", 1))), 4),
        ["a mean that drops its axes"] = ((g, z) => Image(g, g.Node("ReduceMean", [z], ("axes", (long[])[2]), ("keepdims", 0))), null),
        ["a sum with a vector in front of a convolution"] = ((g, z) => Image(g, g.Add(z, g.Weight("b", 7))), 4),
        ["a sum with as many axes as the convolution reads"] = ((g, z) => Image(g, g.Add(z, g.Weight("b", 1, 3, 1, 1))), null),
        ["attention, whose operands have three axes or four"] =
            ((g, z) => g.Node("Attention", [z, z, z], ("q_num_heads", 2), ("kv_num_heads", 2)), null),
    };

    /// <summary>Names of the cases.</summary>
    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_follows_from_the_readers(string reader)
    {
        var g = new GraphBuilder(3, opset: reader.StartsWith("attention", StringComparison.Ordinal) ? 23 : 17);
        string z = g.Node("acme::Foo", g.Input("x", "n", 6));
        var (read, rank) = Cases[reader];
        string y = read(g, z);
        g.Output(y == z ? g.Node("acme::Bar", z) : y);
        Assert.Equal(rank, AxisAnalysis.Run(g.Build()).TermsOf(z)?.Count);
    }

    [Fact]
    public void What_is_flattened_has_two_axes()
    {
        var g = new GraphBuilder(3);
        string flat = g.Flatten(g.Node("acme::Foo", g.Input("x", "n", 6)));
        g.Output(g.Node("acme::Bar", flat));
        Assert.Equal(2, AxisAnalysis.Run(g.Build()).TermsOf(flat)?.Count);
    }

    private static string Image(GraphBuilder g, string x) => g.Conv(x, "c", 3, 5);
}
