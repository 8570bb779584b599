using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// What a small file could demand: each is read in bounded memory, without recursion that a file could deepen, and what is
/// too long to be followed is frozen with that reason. They run while no other test does: what is held is measured on the
/// heap that all tests share. How long they take is a matter of the benchmarks.
/// </summary>
[Collection(Alone.Name)]
public sealed class BoundTests
{
    /// <summary>
    /// What is held is the same each time; what the process does beside adds to it now and then, so another look decides.
    /// </summary>
    private const int Looks = 3;

    /// <summary>Ten times the file and 64 MB.</summary>
    private static AxisAnalysis Within(GraphBuilder g)
    {
        var model = g.Build();
        long most = (10L * model.Proto.CalculateSize()) + (64L << 20);
        var (analysis, held) = Measured(model);
        for (int look = 1; held >= most && look < Looks; look++) (analysis, held) = Measured(model);
        Assert.True(held < most, $"{held >> 20} MB are held");
        return analysis;
    }

    private static (AxisAnalysis Analysis, long Held) Measured(OnnxModel model)
    {
        long before = GC.GetTotalMemory(true);
        var analysis = AxisAnalysis.Run(model);
        _ = analysis.Cost;
        return (analysis, GC.GetTotalMemory(true) - before);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(60)]
    public void A_concatenation_that_doubles_is_frozen_where_it_grows_too_long(int doublings)
        => Assert.Contains(Within(BoundGraphs.Doublings(doublings)).Frozen, f => f.Tensor == "w" && f.Axis == 1);

    [Fact]
    public void The_case_of_24_doublings_is_bounded()
    {
        using var model = OnnxModel.Open(Assets.Path("cases/malformed/concat_doubles.onnx"));
        Assert.Contains(AxisAnalysis.Run(model).FrozenMarks.Values,
            m => m.Reason.Contains("too long to be followed", StringComparison.Ordinal));
    }

    /// <summary>The number that is added is a constant, the size itself, or another size.</summary>
    [Theory]
    [InlineData("one")]
    [InlineData("itself")]
    [InlineData("other")]
    public void A_size_of_100_000_additions_is_one_number_or_unknown(string added) => Within(BoundGraphs.Additions(added));

    [Fact]
    public void A_split_into_1_000_parts_and_back_keeps_its_units()
        => Assert.Equal(1000, Within(BoundGraphs.Parts()).Groups.Count(k => k.Exactness == Exactness.Exact));

    [Fact]
    public void A_slice_of_a_slice_20_000_deep_is_followed_as_far_as_the_walk_is_bounded() => Within(BoundGraphs.Slices());

    [Fact]
    public void Halves_that_are_added_again_and_again_do_not_double_the_work() => Within(BoundGraphs.Halves());

    [Fact]
    public void A_rank_of_100_000_is_not_followed() => Within(BoundGraphs.LongRank());

    /// <summary>The search for sublayers stays linear.</summary>
    [Fact]
    public void A_sum_that_reaches_back_to_the_input_20_000_times_is_searched_within_bounds() => Within(BoundGraphs.Sums());
}

/// <summary>Tests that measure the process, and so run one at a time, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
