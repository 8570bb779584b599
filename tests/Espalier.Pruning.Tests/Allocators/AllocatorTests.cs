using System.Collections.Immutable;
using CsCheck;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Planning;
using Espalier.Pruning.Allocators;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Tests.Allocators;

public class AllocatorTests
{
    [Theory]
    [InlineData(0.5, 64, 16, 1, 32)]
    [InlineData(0.6, 64, 16, 1, 32)]  // 38.4: 32 is nearer than 48
    [InlineData(0.625, 64, 16, 1, 48)] // 40: halfway goes up
    [InlineData(0.9, 30, 16, 1, 30)]  // 27 rounds to 32, which is more than there are
    [InlineData(0.1, 16, 16, 1, 16)]  // not larger than the multiple
    [InlineData(0.01, 100, 1, 3, 3)]
    [InlineData(0.01, 100, 16, 20, 32)] // the floor is rounded up
    [InlineData(0.5, 3, 1, 1, 2)]
    [InlineData(0.3, 10, 1, 1, 3)]
    [InlineData(0.5, 5, 1, 9, 5)]     // a floor above the size keeps all
    public void Counts_are_rounded_as_the_readme_says(double ratio, int size, int multiple, int floor, int expected)
        => Assert.Equal(expected, KeptCount.Round(ratio * size, size, multiple, floor));

    [Theory]
    [InlineData(2, 4, 0.5, 1, 4)]
    [InlineData(2, 4, 0.75, 2, 3)]
    [InlineData(2, 4, 1, 2, 4)]
    [InlineData(2, 4, 0.25, 1, 2)]
    [InlineData(2, 4, 0.01, 1, 1)]
    [InlineData(4, 3, 0.75, 3, 3)]
    [InlineData(8, 1, 0.5, 4, 1)]
    [InlineData(1, 8, 0.5, 1, 4)]
    public void Heads_are_paired_with_their_key_value_groups(int groups, int perGroup, double ratio, int keptGroups, int keptPerGroup)
        => Assert.Equal((keptGroups, keptPerGroup), KeptCount.Pair(ratio * groups * perGroup, (groups, 1, 1), (perGroup, 1, 1)));

    [Fact]
    public void Counts_rise_with_the_wish_and_keep_their_bounds()
        => Gen.Select(Gen.Int[1, 200], Gen.Int[1, 40], Gen.Int[1, 60], Gen.Double[0, 1], Gen.Double[0, 1])
            .Sample((size, multiple, floor, x, y) =>
        {
            int a = KeptCount.Round(Math.Min(x, y) * size, size, multiple, floor),
                b = KeptCount.Round(Math.Max(x, y) * size, size, multiple, floor);
            return a <= b && a >= Math.Min(floor, size) && a >= 1 && b <= size && (a == size || a % multiple == 0);
        });

    [Fact]
    public void Units_with_the_highest_scores_stay_and_ties_keep_the_lower_index()
        => Assert.Equal(new[] { 0, 1, 3 }, Candidate.Best([2, 1, 0, 5, 1], 3).ToArray());

    /// <summary>
    /// Whatever the network: a budget that can be met is met, counts are multiples above their floors, and the same plan gives
    /// the same choice.
    /// </summary>
    [Theory]
    [MemberData(nameof(Allocations))]
    public void Budgets_hold(Allocation allocate)
        => Networks.Sample(n =>
        {
            // The made-up times follow a mixture of both costs, so that the bound on them binds in some of the networks.
            var plan = new PruningPlan
            {
                Allocate = allocate,
                Budget = new Budget(n.Macs, n.Parameters, Latency: allocate == Allocation.Latency ? n.Latency : null),
                Seed = n.RoundTo
            };
            var candidates = n.Candidates();
            IReadOnlyDictionary<int, ImmutableArray<int>> kept;
            try
            {
                kept = Allocator.Allocate(plan, n.Cost, candidates, evidence: n.Evidence());
            }
            catch (EspalierException e)
            {
                // Refused only where even the smallest choice costs too much, whatever a table says of its time.
                double Least(int g) => KeptCount.Round(0, n.Sizes[g], n.RoundTo, n.MinKeep);
                Assert.True(n.Cost.Evaluate(CostUnit.Macs, Least) > n.Macs * n.Cost.Evaluate(CostUnit.Macs)
                    || n.Cost.Evaluate(CostUnit.Parameters, Least) > n.Parameters * n.Cost.Evaluate(CostUnit.Parameters)
                    || (allocate == Allocation.Latency && n.Time(Least) > 1.02 * n.Latency), e.Message);
                Assert.Contains("budget", e.Message, StringComparison.Ordinal);
                return;
            }
            double Size(int g) => kept.TryGetValue(g, out var k) ? k.Length : n.Sizes[g];
            Assert.True(n.Cost.Evaluate(CostUnit.Macs, Size) <= n.Macs * n.Cost.Evaluate(CostUnit.Macs) * (1 + 1e-9));
            Assert.True(n.Cost.Evaluate(CostUnit.Parameters, Size) <= n.Parameters * n.Cost.Evaluate(CostUnit.Parameters) * (1 + 1e-9));
            if (allocate == Allocation.Latency) Assert.True(n.Time(Size) <= n.Latency * 1.02 + 1e-9);
            foreach (var (g, units) in kept)
            {
                Assert.True(units.Length >= n.MinKeep && units.Length % n.RoundTo == 0 && units.Length < n.Sizes[g]);
                Assert.Equal(units.Order(), units);
                Assert.True(units.Min(u => n.Scores[g][u]) >= Enumerable.Range(0, n.Sizes[g]).Except(units).Max(u => n.Scores[g][u]));
            }
            var again = Allocator.Allocate(plan, n.Cost, n.Candidates(), evidence: n.Evidence());
            Assert.Equal(kept.Select(k => (k.Key, string.Join(",", k.Value))), again.Select(k => (k.Key, string.Join(",", k.Value))));
        }, iter: allocate is Allocation.Search or Allocation.LayerError ? 60 : 300);

    public static TheoryData<Allocation> Allocations => [.. Enum.GetValues<Allocation>()];

    /// <summary>The choice under a budget is the largest: one more unit of the uniform ratio's next step would break it.</summary>
    [Fact]
    public void A_uniform_budget_takes_the_largest_ratio()
    {
        var n = new Chain([100, 100], macs: 0.5);
        var kept = Allocator.Allocate(new PruningPlan { Budget = new Budget(Macs: 0.5) }, n.Cost, n.Candidates());
        // Macs = a·b + a + b: 71·71 + 142 ≤ 5100 < 70.9…; 70 units cost 5040, 71 cost 5183.
        Assert.All(kept.Values, k => Assert.Equal(70, k.Length));
    }

    [Fact]
    public void Global_allocation_takes_units_from_where_they_matter_least()
    {
        // One group has a few strong units among many weak ones, the other only equal steps.
        var n = new Chain([20, 20]);
        n.Scores[0] = [.. Enumerable.Range(0, 20).Select(u => u < 16 ? 0.0 + u * 1e-3 : 10)];
        n.Scores[1] = [.. Enumerable.Range(0, 20).Select(u => (double)u)];
        var kept = Allocator.Allocate(new PruningPlan { Allocate = Allocation.Global, Budget = new Budget(Macs: 0.1) }, n.Cost,
            n.Candidates());
        Assert.Equal(new[] { 16, 17, 18, 19 }, kept[0].ToArray());
        Assert.True(kept[1].Length > 4);
    }

    /// <summary>
    /// z of the scores, of their logarithms, or scores over their mean: one group doubles from unit to unit, the other grows evenly.
    /// The lowest threshold under which ab + a + b holds the budget.
    /// </summary>
    [Theory]
    [InlineData(Allocation.Global, 7, 9)]
    [InlineData(Allocation.Standardized, 8, 8)]
    [InlineData(Allocation.Normalized, 6, 11)]
    public void One_threshold_compares_what_it_says(Allocation allocation, int first, int second)
    {
        var n = new Chain([12, 12]);
        n.Scores[0] = [.. Enumerable.Range(0, 12).Select(u => Math.Pow(2, u))];
        n.Scores[1] = [.. Enumerable.Range(1, 12).Select(u => (double)u)];
        double[][] values = [.. n.Scores.Select(scores =>
        {
            double[] s = allocation == Allocation.Global ? [.. scores.Select(v => Math.Log(v))] : scores;
            double mean = s.Average(), squares = s.Sum(v => (v - mean) * (v - mean));
            double deviation = Math.Sqrt(squares / (allocation == Allocation.Global ? 12 : 11));
            return (double[])[.. s.Select(v => allocation == Allocation.Normalized ? v / mean : (v - mean) / deviation)];
        })];
        var (a, b) = values[0].Concat(values[1]).Order()
            .Select(t => (A: Math.Max(1, values[0].Count(v => v > t)), B: Math.Max(1, values[1].Count(v => v > t))))
            .First(c => (c.A * c.B) + c.A + c.B <= 0.5 * 168);
        var kept = Allocator.Allocate(new PruningPlan { Allocate = allocation, Budget = new Budget(Macs: 0.5) }, n.Cost, n.Candidates());
        Assert.Equal((first, second), (a, b));
        Assert.Equal((first, second), (kept[0].Length, kept[1].Length));
    }

    [Theory]
    [InlineData(Allocation.Global)]
    [InlineData(Allocation.GlobalMagnitude)]
    [InlineData(Allocation.ImportanceLinear)]
    [InlineData(Allocation.ImportanceSigmoid)]
    [InlineData(Allocation.ImportanceSoftmax)]
    [InlineData(Allocation.PqIndex)]
    public void A_ratio_keeps_that_share_of_the_cost(Allocation allocate)
        => Networks.Sample(n =>
        {
            var rule = new PruneRule { Axis = Axis.Neurons, Keep = 0.5, RoundTo = 1 };
            var random = new Random(n.RoundTo);
            foreach (double[] scores in n.Scores)
                for (int u = 0; u < scores.Length; u++) scores[u] += random.NextDouble();
            var candidates = n.Candidates(rule);
            var kept = Allocator.Allocate(new PruningPlan { Allocate = allocate }, n.Cost, candidates, evidence: n.Evidence());
            double[] unit = [.. n.Sizes.Select((_, g) => n.Cost.Evaluate(CostUnit.Macs)
                - n.Cost.Evaluate(CostUnit.Macs, i => n.Sizes[i] - (i == g ? 1 : 0)))];
            double all = n.Sizes.Select((s, g) => s * unit[g]).Sum();
            double stays = n.Sizes.Select((s, g) => (kept.TryGetValue(g, out var k) ? k.Length : s) * unit[g]).Sum();
            // Scores are distinct within a group: a step moves at most one unit of each, and one of each stays whatever is wished.
            Assert.InRange(stays / all, 0.5 - unit.Sum() / all, 0.5 + unit.Sum() / all);
        }, iter: 200);

    [Fact]
    public void A_rule_with_a_ratio_of_its_own_is_left_alone_by_the_budget()
    {
        var n = new Chain([40, 40]);
        var open = n.Candidates();
        var own = new PruneRule { Name = "own", Axis = Axis.Neurons, Keep = 0.75, RoundTo = 1 };
        var kept = Allocator.Allocate(new PruningPlan { Budget = new Budget(Macs: 0.5) }, n.Cost, [open[0] with { Rule = own }, open[1]]);
        Assert.Equal(30, kept[0].Length);
        Assert.True(kept[1].Length < 30);
    }

    [Fact]
    public void A_budget_that_every_rule_leaves_unmet_is_refused_with_what_can_be_reached()
    {
        var n = new Chain([40, 40], minKeep: 30);
        var e = Assert.Throws<EspalierException>(() =>
            Allocator.Allocate(new PruningPlan { Budget = new Budget(Macs: 0.1) }, n.Cost, n.Candidates()));
        Assert.Contains("0.571", e.Message, StringComparison.Ordinal); // (30·30 + 60) / (40·40 + 80)
    }

    /// <summary>
    /// Half of two KV groups is half of all heads, and the scores of two units say little: the pair is judged as one population of heads.
    /// </summary>
    [Theory]
    [InlineData(Allocation.Uniform)]
    [InlineData(Allocation.Global)]
    public void Grouped_heads_are_judged_together(Allocation allocate)
    {
        var n = new Chain([2, 4, 64]);
        var open = n.Candidates();
        Group kv = Head(0, 2, Axis.KeyValueGroups), query = Head(1, 4, Axis.Heads);
        (kv.Partner, query.Partner) = (query, kv);
        var candidates = new List<Candidate> { open[0] with { Group = kv, Scores = [1.1, 0.9] },
            open[1] with { Group = query, Scores = [0.7, 1.2, 0.9, 1.2] },
            open[2] with { Scores = [.. Enumerable.Range(0, 64).Select(u => 0.5 + u / 64.0)] } };
        var kept = Allocator.Allocate(new PruningPlan { Allocate = allocate, Budget = new Budget(Macs: 0.8) }, n.Cost, candidates);
        Assert.DoesNotContain(0, kept.Keys);
        Assert.Equal(new[] { 1, 2, 3 }, kept[1].ToArray());

        Group Head(int id, int size, Axis kind) => new(id, open[id].Group.Factor) { Name = $"h{size}", Kind = kind };
    }

    private static readonly Gen<Chain> Networks = Gen.Select(Gen.Int[2, 40].Array[1, 5], Gen.Double[0.2, 1], Gen.Double[0.2, 1],
        Gen.Int[0, 10000], Gen.Int[1, 8], Gen.Int[1, 6])
        .Select((sizes, macs, parameters, seed, round, min) => new Chain(sizes, macs, parameters, seed, round, min));
}
