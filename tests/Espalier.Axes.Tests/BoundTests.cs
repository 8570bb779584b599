using Espalier.Axes;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// What a small file could demand: each is read in bounded memory, without recursion that a file could deepen, and what is too long to be
/// followed is frozen with that reason. They run while no other test does: what is held is measured on the heap that all tests share.
/// </summary>
[Collection(Alone.Name)]
public sealed class BoundTests
{
    /// <summary>Ten times the file and 64 MB.</summary>
    private static AxisAnalysis Within(GraphBuilder g)
    {
        var model = g.Build();
        long before = GC.GetTotalMemory(true);
        var analysis = AxisAnalysis.Of(model);
        _ = analysis.Cost;
        long held = GC.GetTotalMemory(true) - before;
        Assert.True(held < (10L * model.Proto.CalculateSize()) + (64L << 20), $"{held >> 20} MB are held");
        return analysis;
    }

    [Theory]
    [InlineData(24)]
    [InlineData(60)]
    public void A_concatenation_that_doubles_is_frozen_where_it_grows_too_long(int doublings)
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 4));
        for (int k = 0; k < doublings; k++) x = g.Concat(1, x, x);
        g.Output(x);
        var analysis = Within(g);
        Assert.Contains(analysis.Frozen, f => f.Tensor == "w" && f.Axis == 1);
    }

    [Fact]
    public void The_case_of_24_doublings_is_bounded()
    {
        using var model = OnnxModel.Open(Assets.Path("cases/malformed/concat_doubles.onnx"));
        Assert.Contains(AxisAnalysis.Of(model).FrozenMarks.Values, m => m.Reason.Contains("too long to be followed", StringComparison.Ordinal));
    }

    /// <summary>The number that is added is a constant, the size itself, or another size.</summary>
    [Theory]
    [InlineData("one")]
    [InlineData("itself")]
    [InlineData("other")]
    public void A_size_of_100_000_additions_is_one_number_or_unknown(string added)
    {
        var g = new GraphBuilder(1);
        var size = g.Node("Shape", g.Input("x", "n"));
        var term = added == "one" ? g.Longs("one", 1) : added == "other" ? g.Node("Shape", g.Input("z", "m")) : size;
        for (int k = 0; k < 100_000; k++) size = g.Add(size, term);
        g.Output(g.Node("ConstantOfShape", size));
        Within(g);
    }

    [Fact]
    public void A_split_into_1_000_parts_and_back_keeps_its_units()
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 2000));
        var parts = g.Split(x, 1, [.. Enumerable.Repeat(2L, 1000)]);
        g.Output(g.MatMul(g.Concat(1, parts), g.Weight("v", 2000, 3)));
        Assert.Equal(1000, Within(g).Groups.Count(k => k.Exactness == Exactness.Exact));
    }

    /// <summary>Slices of slices, and axes that are cut again and again: definitions inside of definitions.</summary>
    [Fact]
    public void A_slice_of_a_slice_20_000_deep_is_followed_as_far_as_the_walk_is_bounded()
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 30_000));
        for (int k = 0; k < 20_000; k++) x = g.Slice(x, 1, 1, int.MaxValue);
        g.Output(x);
        Within(g);
    }

    /// <summary>An axis that is halved and whose halves are added, again and again: a definition that uses another twice.</summary>
    [Fact]
    public void Halves_that_are_added_again_and_again_do_not_double_the_work()
    {
        var g = new GraphBuilder(1);
        var x = g.Input("x", 1, 1L << 60);
        for (int k = 0; k < 59; k++)
        {
            var halves = g.Split(x, 1, 1L << (59 - k), 1L << (59 - k));
            x = g.Add(halves[0], halves[1]);
        }
        g.Output(x);
        Within(g);
    }

    [Fact]
    public void A_rank_of_100_000_is_not_followed()
    {
        var g = new GraphBuilder(1);
        var shape = g.Longs("shape", [.. Enumerable.Repeat(1L, 100_000)]);
        g.Output(g.Node("Expand", [g.Node("Reshape", [g.Input("x", 4), shape]), shape]));
        Within(g);
    }

    /// <summary>A sum of everything before it, again and again: the search for sublayers stays linear.</summary>
    [Fact]
    public void A_sum_that_reaches_back_to_the_input_20_000_times_is_searched_within_bounds()
    {
        var g = new GraphBuilder(1);
        var x = g.Input("x", 1, 4);
        var w = g.Weight("w", 4, 4);
        var y = g.MatMul(x, w);
        for (int k = 0; k < 20_000; k++) y = g.Relu(g.Add(x, y));
        g.Output(y);
        Within(g);
    }
}

/// <summary>Tests that measure the process, and so run one at a time, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
