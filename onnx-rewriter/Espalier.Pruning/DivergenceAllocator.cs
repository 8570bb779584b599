using System.Collections.Immutable;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>
/// Spreads a budget by what the outputs say: every population alone is pruned to a few levels and compensated, and the divergence of the
/// outputs is measured, as in the error database of SPDY and ZipLM (arXiv:2302.04089). Then steps are taken in the order of
/// divergence per cost saved until the budget holds: divergences of several populations are taken to add up.
/// </summary>
internal sealed class DivergenceAllocator(IReadOnlyList<Population> populations, Func<IReadOnlyDictionary<int, int>, double> divergence)
{
    /// <summary>Kept fractions that are measured; between them the divergence is taken to be linear.</summary>
    private static readonly double[] Measured = [0.875, 0.75, 0.5, 0.25, 0.125];

    /// <summary>Steps that a population is divided into.</summary>
    private const int Steps = 16;

    /// <summary>Counts that meet the budget.</summary>
    /// <param name="holds">Whether a choice meets the budget.</param>
    /// <param name="cost">Cost of a choice.</param>
    public Dictionary<int, int> Allocate(Func<IReadOnlyDictionary<int, int>, bool> holds, Func<IReadOnlyDictionary<int, int>, double> cost)
    {
        var levels = populations.Select(Levels).ToList();
        var at = new int[populations.Count];
        var counts = new Dictionary<int, int>();
        for (int p = 0; p < populations.Count; p++) Take(counts, levels[p][0].Counts);
        while (!holds(counts))
        {
            double now = cost(counts), best = double.PositiveInfinity;
            (int Population, int Level) step = (-1, 0);
            for (int p = 0; p < populations.Count; p++)
            {
                for (int level = at[p] + 1; level < levels[p].Count; level++)
                {
                    double saved = now - cost(With(counts, levels[p][level].Counts));
                    if (saved <= 0) continue;
                    double price = (levels[p][level].Divergence - levels[p][at[p]].Divergence) / saved;
                    if (price < best) (best, step) = (price, (p, level));
                }
            }
            if (step.Population < 0) break;
            at[step.Population] = step.Level;
            Take(counts, levels[step.Population][step.Level].Counts);
        }
        // The last step may have gone further than it had to: what is dearest comes back while there is room.
        foreach (int p in Enumerable.Range(0, populations.Count).OrderByDescending(p => levels[p][at[p]].Divergence - (at[p] > 0 ? levels[p][at[p] - 1].Divergence : 0)))
        {
            while (at[p] > 0 && With(counts, levels[p][at[p] - 1].Counts) is var back && holds(back))
            {
                at[p]--;
                counts = back;
            }
        }
        return counts;
    }

    /// <summary>Levels of one population from all units down, each with the divergence that it brings, never less than the level before.</summary>
    private List<(Dictionary<int, int> Counts, double Divergence)> Levels(Population population)
    {
        var known = new List<(double Fraction, double Divergence)> { (1, 0) };
        foreach (double fraction in Measured)
        {
            var counts = Counts(population, fraction);
            double kept = Share(population, counts);
            if (kept < known[^1].Fraction) known.Add((kept, Math.Max(known[^1].Divergence, divergence(counts))));
        }
        var levels = new List<(Dictionary<int, int>, double)>();
        double last = double.PositiveInfinity;
        for (int step = Steps; step >= 0; step--)
        {
            var counts = Counts(population, (double)step / Steps);
            double kept = Share(population, counts);
            if (kept >= last) continue;
            last = kept;
            levels.Add((counts, Interpolate(known, kept)));
        }
        return levels;
    }

    private static double Interpolate(List<(double Fraction, double Divergence)> known, double kept)
    {
        for (int k = 1; k < known.Count; k++)
        {
            var (a, b) = (known[k - 1], known[k]);
            if (kept >= b.Fraction) return b.Divergence + ((a.Divergence - b.Divergence) * (kept - b.Fraction) / (a.Fraction - b.Fraction));
        }
        if (known.Count < 2) return 0;
        // Below what was measured the last slope goes on, twice as steep.
        var (before, end) = (known[^2], known[^1]);
        return end.Divergence + (2 * (end.Divergence - before.Divergence) / (before.Fraction - end.Fraction) * (end.Fraction - kept));
    }

    private static Dictionary<int, int> Counts(Population population, double fraction)
    {
        var counts = new Dictionary<int, int>();
        population.Assign(fraction * population.Size, counts);
        return counts;
    }

    private static double Share(Population population, Dictionary<int, int> counts)
        => population.Groups.Aggregate(1.0, (share, c) => share * counts[c.Group.Id] / c.Group.Size);

    private static void Take(Dictionary<int, int> into, Dictionary<int, int> from)
    {
        foreach (var (id, count) in from) into[id] = count;
    }

    private static Dictionary<int, int> With(Dictionary<int, int> counts, Dictionary<int, int> changed)
    {
        var with = new Dictionary<int, int>(counts);
        Take(with, changed);
        return with;
    }
}
