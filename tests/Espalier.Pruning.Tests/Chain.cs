using System.Collections.Immutable;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Terms;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Tests;

/// <summary>A chain of products: neighbours multiply, every group has a bias.</summary>
internal sealed class Chain
{
    public Chain(int[] sizes, double macs = 1, double parameters = 1, int seed = 1, int roundTo = 1, int minKeep = 1)
    {
        (Sizes, Macs, Parameters, RoundTo, MinKeep) = (sizes, macs, parameters, roundTo, minKeep);
        var random = new Random(seed);
        Scores = [.. sizes.Select(s => Enumerable.Range(0, s).Select(_ => Math.Round(random.NextDouble() * 20)).ToArray())];
        var monomials = ImmutableArray.CreateBuilder<Monomial>();
        foreach (var unit in new[] { CostUnit.Macs, CostUnit.Parameters })
        {
            for (int g = 0; g < sizes.Length; g++)
            {
                monomials.Add(new Monomial(unit, 1, [g], -1, []));
                if (g + 1 < sizes.Length) monomials.Add(new Monomial(unit, 1, [g, g + 1], -1, []));
            }
        }
        Cost = new CostModel(monomials.ToImmutable(), [.. sizes]);
    }

    public int[] Sizes { get; }
    public double Macs { get; }
    public double Parameters { get; }
    public int RoundTo { get; }
    public int MinKeep { get; }
    public double[][] Scores { get; }
    public CostModel Cost { get; }
    /// <summary>Bound on the made-up time.</summary>
    public double Latency => (Macs + Parameters) / 2;

    /// <summary>
    /// A made-up time: a tenth is spent whatever is pruned, the rest follows the multiply-accumulates, a little slower than
    /// in proportion.
    /// </summary>
    public double Time(Func<int, double> size)
        => 0.1 + (0.9 * Math.Pow(Cost.Evaluate(CostUnit.Macs, size) / Cost.Evaluate(CostUnit.Macs), 0.9));

    /// <summary>
    /// Made-up measurements: what is removed costs divergence by its scores, blocks are more alike the later they are,
    /// every second group is of small weights.
    /// </summary>
    public AllocationEvidence Evidence() => new()
    {
        Divergence = kept =>
            kept.Sum(k => (k.Key + 1) * Enumerable.Range(0, Sizes[k.Key]).Except(k.Value)
                .Sum(u => Scores[k.Key][u] * Scores[k.Key][u])),
        Time = kept =>
            new ModelTime(1, Time(g => kept.TryGetValue(g, out var k) ? k.Length : Sizes[g]),
                Time(g => kept.TryGetValue(g, out var k) ? k.Length : Sizes[g])),
        LayerLoss = kept => kept.Sum(k => Enumerable.Range(0, Sizes[k.Key]).Except(k.Value).Sum(u => Scores[k.Key][u])),
        Sensitivity = Enumerable.Range(0, Sizes.Length).ToDictionary(g => g, g => 1.0 / (1 + g)),
        BlockChange = Enumerable.Range(0, Sizes.Length).Where(g => g != 1).ToDictionary(g => g, g => 1 - ((double)g / Sizes.Length)),
        Magnitudes = Enumerable.Range(0, Sizes.Length)
            .ToDictionary(g => g,
                g => new UnitMagnitudes([.. Scores[g].Select(s => s / (1 + (g % 2)))],
                    [.. Scores[g].Select(s => Math.Sqrt(s / (1 + (g % 2))))], 1 + (10 * g))),
    };

    public List<Candidate> Candidates(PruneRule? rule = null)
    {
        rule ??= new PruneRule { Name = "all", Axis = Axis.Neurons, RoundTo = RoundTo, MinKeep = MinKeep };
        return [.. Sizes.Select((s, g) =>
            new Candidate(new Group(g, new Factor(g, s)) { Name = $"g{g}", Kind = Axis.Neurons }, rule, Scores[g]))];
    }
}
