using System.Collections.Immutable;
using Espalier.Axes.Costs;
using Espalier.Pruning.Allocators;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Tests.Spreads;

/// <summary>What each allocation makes of its evidence, computed by hand.</summary>
public sealed class AllocationTests
{
    /// <summary>
    /// Adapt-Pruner: k + 0.2·v, v = (importance − mean) / largest deviation. Importances 0, 0.1, 0.5: mean 0.2, v = −2/3, −1/3, 1.
    /// </summary>
    [Fact]
    public void Linear_importance_moves_the_ratio_by_the_amplitude()
    {
        var curve = ImportanceCurves.Create(Allocation.ImportanceLinear, [[0, 0.1, 0.5]]);
        // t = ½ is k = ½.
        Assert.Equal(0.5 - (0.2 * 2 / 3), curve(0.5, 0), 12);
        Assert.Equal(0.5 - (0.2 / 3), curve(0.5, 1), 12);
        Assert.Equal(0.7, curve(0.5, 2), 12);
    }

    /// <summary>
    /// Steps add up: v = −2/3, −1/3, 1 and then, measured anew, −1, 1, 0. After two steps of 0.02 the first block has 0.02·5/3 less
    /// than k, the second 0.02·2/3 more, the third 0.02.
    /// </summary>
    [Fact]
    public void Linear_importance_adds_up_over_steps()
    {
        var curve = ImportanceCurves.Create(Allocation.ImportanceLinear, [[0, 0.1, 0.5], [0.1, 0.5, 0.3]], 0.02);
        Assert.Equal(0.5 - (0.02 * 5 / 3), curve(0.5, 0), 12);
        Assert.Equal(0.5 + (0.02 * 2 / 3), curve(0.5, 1), 12);
        Assert.Equal(0.52, curve(0.5, 2), 12);
    }

    /// <summary>CFSP: proportional to σ(26.2144·(angle − mean)). Angles in half turns.</summary>
    [Fact]
    public void Sigmoid_importance_is_proportional_to_the_sigmoid_of_the_angle()
    {
        var curve = ImportanceCurves.Create(Allocation.ImportanceSigmoid, [[0.05, 0.5, 0.95]]);
        double lowest = 1 / (1 + Math.Exp(26.2144 * 0.45)), middle = 0.5, highest = 1 / (1 + Math.Exp(-26.2144 * 0.45));
        foreach (double t in (double[])[0.2, 0.4])
        {
            Assert.Equal(lowest / middle, curve(t, 0) / curve(t, 1), 9);
            Assert.Equal(highest / middle, curve(t, 2) / curve(t, 1), 9);
        }
    }

    /// <summary>MoDeGPT: removed in proportion to exp(−importance / 0.1): 0.1 less important is e times as much removed.</summary>
    [Fact]
    public void Softmax_importance_removes_in_proportion()
    {
        var curve = ImportanceCurves.Create(Allocation.ImportanceSoftmax, [[0.1, 0.2, 0.5]]);
        Assert.Equal(Math.E, (1 - curve(0.8, 0)) / (1 - curve(0.8, 1)), 9);
        Assert.Equal(Math.Exp(3), (1 - curve(0.8, 1)) / (1 - curve(0.8, 2)), 9);
    }

    [Theory]
    [InlineData(Allocation.ImportanceLinear)]
    [InlineData(Allocation.ImportanceSigmoid)]
    [InlineData(Allocation.ImportanceSoftmax)]
    public void Curves_rise_from_nothing_to_everything(Allocation allocation)
    {
        foreach (double[] change in (double[][])[[0, 0.1, 0.5], [0.3, 0.3], [1, 0], [0.7]])
        {
            var curve = ImportanceCurves.Create(allocation, [change]);
            for (int i = 0; i < change.Length; i++)
            {
                Assert.True(curve(0, i) <= 1e-9 && curve(1, i) >= 1 - 1e-9);
                for (int k = 1; k <= 100; k++) Assert.True(curve(k / 100.0, i) >= curve((k - 1) / 100.0, i) - 1e-12);
            }
        }
    }

    [Theory]
    [InlineData(Allocation.ImportanceLinear)]
    [InlineData(Allocation.ImportanceSigmoid)]
    [InlineData(Allocation.ImportanceSoftmax)]
    public void Blocks_that_do_nothing_are_pruned_first(Allocation allocation)
    {
        var n = new Chain([60, 60, 60, 60]);
        // Group 3 is in no block: the mean applies to it.
        var evidence = new AllocationEvidence { BlockChange = new Dictionary<int, double> { [0] = 0.5, [1] = 0, [2] = 0.25 } };
        var kept = Allocator.Allocate(new PruningPlan { Allocate = allocation, Budget = new Budget(Macs: 0.5) }, n.Cost, n.Candidates(),
            evidence: evidence);
        int Kept(int g) => kept.TryGetValue(g, out var k) ? k.Length : 60;
        Assert.True(Kept(1) < Kept(2) && Kept(2) <= Kept(0), string.Join(' ', Enumerable.Range(0, 4).Select(Kept)));
        // Of groups with one fraction some may round up and others down.
        Assert.InRange(Kept(3) - Kept(2), -1, 1);
        // Nothing is left lying: one unit more of the group that keeps most would break the budget by less than a step of all.
        double Share(int more) => n.Cost.Evaluate(CostUnit.Macs, g => Math.Min(60, Kept(g) + more)) / n.Cost.Evaluate(CostUnit.Macs);
        Assert.True(Share(0) <= 0.5 && Share(1) > 0.5);
    }

    /// <summary>Units of which every weight is the same.</summary>
    private static UnitMagnitudes Alike(double perUnit, params double[] magnitudes)
        => new(magnitudes, [.. magnitudes.Select(Math.Sqrt)], perUnit);

    /// <summary>Half of the weights zero, the others alike: (5√a)² / (10·5a) = ½ of them are enough, whatever a is.</summary>
    [Fact]
    public void The_PQ_index_counts_the_weights_that_carry_the_norm()
    {
        Assert.Equal(0.5, PqIndex.Kept(Alike(1, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0)), 12);
        Assert.Equal(1, PqIndex.Kept(Alike(1, 2, 2, 2, 2)), 12);
        Assert.Equal(1, PqIndex.Kept(Alike(1, 0, 0, 0)), 12);
        // (√4 + 3·√1)² / 7 = 25/7 → 4 of 4; with 16 in place of 4 it is 49/19 → 3 of 4.
        Assert.Equal(1, PqIndex.Kept(Alike(1, 4, 1, 1, 1)), 12);
        Assert.Equal(0.75, PqIndex.Kept(Alike(1, 16, 1, 1, 1)), 12);
        // One of 20 carries all: β leaves a tenth.
        Assert.Equal(0.1, PqIndex.Kept(Alike(1, [1, .. new double[19]])), 12);
    }

    [Fact]
    public void The_PQ_index_needs_no_budget_and_is_scaled_to_one()
    {
        var n = new Chain([40, 40]);
        var evidence = new AllocationEvidence
        {
            Magnitudes = new Dictionary<int, UnitMagnitudes>
            {
                [0] = Alike(5,
                [.. Enumerable.Range(0, 40).Select(u => u % 4 == 0 ? 1.0 : 0)]),
                [1] = Alike(5,
                [.. Enumerable.Range(0, 40).Select(u => u % 2 == 0 ? 1.0 : 0)])
            },
        };
        var own = Allocator.Allocate(new PruningPlan { Allocate = Allocation.PqIndex }, n.Cost, n.Candidates(), evidence: evidence);
        Assert.Equal((10, 20), (own[0].Length, own[1].Length));
        var scaled = Allocator.Allocate(new PruningPlan { Allocate = Allocation.PqIndex, Budget = new Budget(Macs: 0.04) }, n.Cost,
            n.Candidates(), evidence: evidence);
        // a·2a + a + 2a ≤ 0.04 · (40·40 + 80) = 67.2: 5·10 + 15 = 65.
        Assert.Equal((5, 10), (scaled[0].Length, scaled[1].Length));
    }

    /// <summary>Weights, not standardised: a group of small weights goes first, down to its floor, however its own units compare.</summary>
    [Fact]
    public void Global_magnitude_compares_weights_over_all_groups()
    {
        var n = new Chain([10, 10]);
        var evidence = new AllocationEvidence
        {
            Magnitudes = new Dictionary<int, UnitMagnitudes>
            {
                [0] = Alike(100, [.. Enumerable.Range(1, 10).Select(u => u / 10.0)]),
                [1] = Alike(100, [.. Enumerable.Range(1, 10).Select(u => 0.75 + (u / 10.0))]),
            },
        };
        var kept = Allocator.Allocate(new PruningPlan { Allocate = Allocation.GlobalMagnitude, Budget = new Budget(Macs: 0.5) }, n.Cost,
            n.Candidates(), evidence: evidence);
        // ab + a + b ≤ 60. Above 0.5 are 5 and 10 units: 65. Above 0.6 are 4 and 10: 54.
        Assert.Equal(4, kept[0].Length);
        Assert.DoesNotContain(1, kept.Keys);
    }

    /// <summary>A layer with fewer weights than 0.05 % of all stays whole, however small they are; the others give more.</summary>
    [Fact]
    public void Global_magnitude_has_a_floor_per_layer()
    {
        var n = new Chain([4, 40]);
        AllocationEvidence Evidence(double perUnit) => new()
        {
            Magnitudes = new Dictionary<int, UnitMagnitudes>
            {
                [0] = Alike(perUnit, [.. Enumerable.Repeat(1e-6, 4)]),
                [1] = Alike(1000, [.. Enumerable.Range(1, 40).Select(u => (double)u)])
            },
        };
        var plan = new PruningPlan { Allocate = Allocation.GlobalMagnitude, Budget = new Budget(Macs: 0.5) };
        // 40 000 weights: the floor is 20. Four units of 4 are below it, four of 10 are not: two of them are 20 weights.
        var small = Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: Evidence(4));
        Assert.DoesNotContain(0, small.Keys);
        Assert.Equal(19, small[1].Length); // 4·19 + 23 = 99 ≤ 102
        Assert.Equal(3, Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: Evidence(10))[0].Length); // 20.02 weights
        Assert.Single(Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: Evidence(1000))[0]);
    }

    /// <summary>Errors of groups 0 and 1 cancel where both shrink alike, which no measurement of one group alone can show.</summary>
    [Fact]
    public void Search_finds_what_measuring_groups_alone_cannot()
    {
        var n = new Chain([32, 32, 32]);
        double Divergence(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
        {
            double Gone(int g) => kept.TryGetValue(g, out var k) ? (32 - k.Length) / 32.0 : 0;
            return Math.Abs(Gone(0) - Gone(1)) + (0.5 * Gone(2));
        }
        int evaluations = 0;
        var evidence = new AllocationEvidence { Divergence = kept => { evaluations++; return Divergence(kept); } };
        var plan = new PruningPlan { Allocate = Allocation.Divergence, Budget = new Budget(Macs: 0.6), Seed = 3 };
        double byGroup = Divergence(Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: evidence));
        int database = evaluations;
        var searched = Allocator.Allocate(plan with { Allocate = Allocation.Search }, n.Cost, n.Candidates(), evidence: evidence);
        Assert.True(Divergence(searched) < 0.6 * byGroup, $"{byGroup} → {Divergence(searched)}");
        Assert.InRange(evaluations - (2 * database), 2, SwapSearch.Evaluations);
        double macs = n.Cost.Evaluate(CostUnit.Macs, g => searched.TryGetValue(g, out var k) ? k.Length : 32);
        Assert.True(macs <= 0.6 * n.Cost.Evaluate(CostUnit.Macs));
    }

    /// <summary>Nothing to gain: the search stays where it began.</summary>
    [Fact]
    public void Search_keeps_its_start_where_nothing_is_better()
    {
        var n = new Chain([32, 32]);
        var evidence = new AllocationEvidence { Divergence = kept => kept.Sum(k => (k.Key == 0 ? 1 : 100) * (32 - k.Value.Length)) };
        var plan = new PruningPlan { Allocate = Allocation.Divergence, Budget = new Budget(Macs: 0.6) };
        var (start, end) = (Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: evidence),
            Allocator.Allocate(plan with { Allocate = Allocation.Search }, n.Cost, n.Candidates(), evidence: evidence));
        Assert.Equal(start.Select(k => (k.Key, k.Value.Length)), end.Select(k => (k.Key, k.Value.Length)));
    }

    [Theory]
    [InlineData(Allocation.Divergence)]
    [InlineData(Allocation.Search)]
    [InlineData(Allocation.PqIndex)]
    [InlineData(Allocation.GlobalMagnitude)]
    public void What_was_not_measured_is_refused(Allocation allocation)
    {
        var n = new Chain([8, 8]);
        Assert.Throws<EspalierException>(() =>
            Allocator.Allocate(new PruningPlan { Allocate = allocation, Budget = new Budget(Macs: 0.5) }, n.Cost, n.Candidates()));
    }

    /// <summary>
    /// Equal groups reach the next multiple at the same fraction: the budget decides how many of them keep it, not all or none.
    /// </summary>
    [Fact]
    public void Groups_that_round_at_the_same_fraction_share_what_the_budget_allows()
    {
        var n = new Chain([32, 32, 32, 32]);
        double Cost(params int[] sizes) => n.Cost.Evaluate(CostUnit.Macs, g => sizes[g]) / n.Cost.Evaluate(CostUnit.Macs);
        int[] Kept(double macs)
        {
            var rule = new PruneRule { Name = "all", RoundTo = 16 };
            var kept = Allocator.Allocate(new PruningPlan { Prune = [rule], Budget = new Budget(Macs: macs) }, n.Cost, n.Candidates(rule));
            return [.. Enumerable.Range(0, 4).Select(g => kept.TryGetValue(g, out var k) ? k.Length : 32)];
        }
        Assert.Equal([16, 16, 16, 16], Kept(Cost(16, 16, 16, 16)));
        Assert.Equal([32, 16, 16, 16], Kept(Cost(32, 16, 16, 16)));
        Assert.Equal([32, 32, 32, 16], Kept(Cost(32, 32, 32, 16)));
    }

    [Fact]
    public void Without_blocks_importance_is_uniform_and_says_so()
    {
        var n = new Chain([30, 30]);
        var notes = new List<string>();
        var plan = new PruningPlan { Allocate = Allocation.ImportanceSoftmax, Budget = new Budget(Macs: 0.5) };
        var kept = Allocator.Allocate(plan, n.Cost, n.Candidates(), notes: notes,
            evidence: new() { BlockChange = new Dictionary<int, double>() });
        Assert.InRange(kept[0].Length - kept[1].Length, 0, 1);
        Assert.Contains("residual block", Assert.Single(notes), StringComparison.Ordinal);
    }
}
