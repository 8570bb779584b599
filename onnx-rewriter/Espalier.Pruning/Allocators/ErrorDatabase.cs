using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>A size of a population, and the divergence that it alone brings.</summary>
internal sealed record Level(Dictionary<int, int> Counts, double Divergence);

/// <summary>
/// What the outputs say of every population alone: it is pruned to a few sizes and compensated, and the divergence of the
/// outputs is measured, as in the error database of SPDY and ZipLM (arXiv:2302.04089). Divergences of several populations are
/// taken to add up.
/// </summary>
internal sealed class ErrorDatabase(IReadOnlyList<Population> populations, IReadOnlyList<IReadOnlyList<Level>> levels)
{
    /// <summary>Kept fractions that are measured; between them the divergence is taken to be linear.</summary>
    private static readonly double[] Measured = [0.875, 0.75, 0.5, 0.25, 0.125];

    /// <summary>Steps that a population is divided into.</summary>
    private const int Steps = 16;

    /// <summary>The populations.</summary>
    public IReadOnlyList<Population> Populations => populations;

    /// <summary>
    /// Levels of each population, from all units down; the divergence never falls, so a loss below the dense model's counts as
    /// none: a gain is no room for losses elsewhere.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<Level>> Levels => levels;

    /// <summary>Measures.</summary>
    /// <param name="divergence">Divergence of the outputs under a choice.</param>
    public static ErrorDatabase Measure(IReadOnlyList<Population> populations, Func<IReadOnlyDictionary<int, int>, double> divergence)
        => new(populations, [.. populations.Select(p => Of(p, divergence))]);

    /// <summary>What it says of some of the populations.</summary>
    public ErrorDatabase Among(IReadOnlyCollection<Population> some)
    {
        int[] own = [.. Enumerable.Range(0, populations.Count).Where(p => some.Contains(populations[p]))];
        return new([.. own.Select(p => populations[p])], [.. own.Select(p => levels[p])]);
    }

    /// <summary>Sizes of a population in sixteenths, from all units down.</summary>
    public static IReadOnlyList<Dictionary<int, int>> Sizes(Population population)
    {
        var sizes = new List<Dictionary<int, int>>();
        double last = double.PositiveInfinity;
        for (int step = Steps; step >= 0; step--)
        {
            var counts = population.Counts((double)step / Steps);
            if (population.Share(counts) >= last) continue;
            last = population.Share(counts);
            sizes.Add(counts);
        }
        return sizes;
    }

    /// <summary>Takes steps in the order of divergence per cost saved until the budget holds.</summary>
    /// <param name="holds">Whether a choice meets the budget.</param>
    /// <param name="cost">Cost of a choice.</param>
    public Dictionary<int, int> Descend(Func<IReadOnlyDictionary<int, int>, bool> holds, Func<IReadOnlyDictionary<int, int>, double> cost)
    {
        var at = new int[populations.Count];
        var counts = Choice(at);
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
            // What saves nothing of the bound that is broken most may save of another: at last everything is at its least.
            if (step.Population < 0)
                step = Enumerable.Range(0, populations.Count).Where(p => at[p] + 1 < levels[p].Count).Select(p => (p, levels[p].Count - 1))
                    .FirstOrDefault((-1, 0));
            if (step.Population < 0) break;
            at[step.Population] = step.Level;
            Candidate.Merge(counts, levels[step.Population][step.Level].Counts);
        }
        return GiveBack(at, holds);
    }

    /// <summary>The last step may have gone further than it had to: what is dearest comes back while there is room.</summary>
    public Dictionary<int, int> GiveBack(int[] at, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var counts = Choice(at);
        foreach (int p in Enumerable.Range(0, populations.Count)
            .OrderByDescending(p => levels[p][at[p]].Divergence - (at[p] > 0 ? levels[p][at[p] - 1].Divergence : 0)))
        {
            while (at[p] > 0 && With(counts, levels[p][at[p] - 1].Counts) is var back && holds(back))
            {
                at[p]--;
                counts = back;
            }
        }
        return counts;
    }

    /// <summary>The counts of a level of each population.</summary>
    public Dictionary<int, int> Choice(int[] at)
    {
        var counts = new Dictionary<int, int>();
        for (int p = 0; p < populations.Count; p++) Candidate.Merge(counts, levels[p][at[p]].Counts);
        return counts;
    }

    private static List<Level> Of(Population population, Func<IReadOnlyDictionary<int, int>, double> divergence)
    {
        var known = new List<(double Share, double Divergence)> { (1, 0) };
        foreach (double fraction in Measured)
        {
            var counts = population.Counts(fraction);
            double kept = population.Share(counts);
            if (kept < known[^1].Share) known.Add((kept, Math.Max(known[^1].Divergence, divergence(counts))));
        }
        return [.. Sizes(population).Select(counts => new Level(counts, Interpolate(known, population.Share(counts))))];
    }

    private static double Interpolate(List<(double Share, double Divergence)> known, double kept)
    {
        for (int k = 1; k < known.Count; k++)
        {
            var (a, b) = (known[k - 1], known[k]);
            if (kept >= b.Share) return b.Divergence + ((a.Divergence - b.Divergence) * (kept - b.Share) / (a.Share - b.Share));
        }
        if (known.Count < 2) return 0;
        // Below what was measured the last slope goes on, twice as steep.
        var (before, end) = (known[^2], known[^1]);
        return end.Divergence + (2 * (end.Divergence - before.Divergence) / (before.Share - end.Share) * (end.Share - kept));
    }

    private static Dictionary<int, int> With(Dictionary<int, int> counts, Dictionary<int, int> changed)
    {
        var with = new Dictionary<int, int>(counts);
        Candidate.Merge(with, changed);
        return with;
    }
}
