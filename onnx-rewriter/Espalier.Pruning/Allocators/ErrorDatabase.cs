using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>A size of a population, and the divergence that it alone brings.</summary>
internal sealed record Level(Dictionary<int, int> Counts, double Divergence);

/// <summary>
/// What the outputs say of every population alone: it is pruned to a few sizes and compensated, and the divergence of the
/// outputs is measured, as in the error database of SPDY and ZipLM (arXiv:2302.04089). Divergences of several populations are
/// taken to add up.
/// </summary>
internal sealed class ErrorDatabase(IReadOnlyList<Population> populations, IReadOnlyList<ErrorCurve> curves)
{
    /// <summary>Steps that a population is divided into.</summary>
    private const int Steps = 16;

    /// <summary>The populations.</summary>
    public IReadOnlyList<Population> Populations => populations;

    /// <summary>A database that is known.</summary>
    /// <param name="levels">Levels of each population, from all units down.</param>
    public ErrorDatabase(IReadOnlyList<Population> populations, IReadOnlyList<IReadOnlyList<Level>> levels)
        : this(populations, [.. levels.Select(own => new ErrorCurve(own))])
    {
    }

    /// <summary>Levels of each population, from all units down.</summary>
    public IReadOnlyList<IReadOnlyList<Level>> Levels => [.. curves.Select(c => c.All)];

    /// <summary>Measures.</summary>
    /// <param name="divergence">Divergence of the outputs under a choice.</param>
    public static ErrorDatabase Measure(IReadOnlyList<Population> populations, Func<IReadOnlyDictionary<int, int>, double> divergence)
        => new(populations, [.. populations.Select(p => new ErrorCurve(p, divergence))]);

    /// <summary>What it says of some of the populations.</summary>
    public ErrorDatabase Among(IReadOnlyCollection<Population> some)
    {
        int[] own = [.. Enumerable.Range(0, populations.Count).Where(p => some.Contains(populations[p]))];
        return new([.. own.Select(p => populations[p])], [.. own.Select(p => curves[p])]);
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
                var levels = curves[p].Beyond(at[p]);
                for (int level = at[p] + 1; level < levels.Count; level++)
                {
                    double saved = now - cost(With(counts, levels[level].Counts));
                    if (saved <= 0) continue;
                    double price = (levels[level].Divergence - levels[at[p]].Divergence) / saved;
                    if (price < best) (best, step) = (price, (p, level));
                }
            }
            // What saves nothing of the bound that is broken most may save of another: at last everything is at its least.
            if (step.Population < 0)
                step = Enumerable.Range(0, populations.Count).Where(p => at[p] + 1 < curves[p].All.Count)
                    .Select(p => (p, curves[p].All.Count - 1)).FirstOrDefault((-1, 0));
            if (step.Population < 0) break;
            at[step.Population] = step.Level;
            Candidate.Merge(counts, curves[step.Population][step.Level].Counts);
        }
        return GiveBack(at, holds);
    }

    /// <summary>The last step may have gone further than it had to: what is dearest comes back while there is room.</summary>
    public Dictionary<int, int> GiveBack(int[] at, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var counts = Choice(at);
        foreach (int p in Enumerable.Range(0, populations.Count)
            .OrderByDescending(p => curves[p][at[p]].Divergence - (at[p] > 0 ? curves[p][at[p] - 1].Divergence : 0)))
        {
            while (at[p] > 0 && With(counts, curves[p][at[p] - 1].Counts) is var back && holds(back))
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
        for (int p = 0; p < populations.Count; p++) Candidate.Merge(counts, curves[p][at[p]].Counts);
        return counts;
    }

    private static Dictionary<int, int> With(Dictionary<int, int> counts, Dictionary<int, int> changed)
    {
        var with = new Dictionary<int, int>(counts);
        Candidate.Merge(with, changed);
        return with;
    }
}
