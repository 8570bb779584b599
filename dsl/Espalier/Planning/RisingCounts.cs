namespace Espalier.Planning;

/// <summary>
/// Numbers of units that all rise with one number t in [0, 1], as many as a budget allows: the largest t that holds, by
/// bisection. Rounded numbers of many groups may all rise at the t where it breaks: then as many of them rise as it allows,
/// those first that come nearest to their fraction.
/// </summary>
/// <param name="populations">Groups whose numbers are decided as one, each with its size.</param>
/// <param name="at">Units that stay of each group at a t.</param>
/// <param name="fraction">Fraction of a population that is wished for at a t.</param>
internal sealed class RisingCounts(IReadOnlyList<IReadOnlyList<(int Group, int Size)>> populations, Func<double, Dictionary<int, int>> at,
    Func<double, int, double> fraction)
{
    /// <summary>The choice; a choice is taken only after it was evaluated, but for the least.</summary>
    /// <param name="holds">Whether a choice meets the budget.</param>
    public Dictionary<int, int> Most(Func<Dictionary<int, int>, bool> holds)
    {
        var all = at(1);
        if (holds(all)) return all;
        var (low, high) = Bisection.Find(t => holds(at(t)));
        var (best, next) = (at(low), at(high));
        int[] rising = [.. Enumerable.Range(0, populations.Count).Where(p => Share(p, next) > Share(p, best))
            .OrderBy(p => Share(p, next) - fraction(high, p))];
        foreach (int p in rising)
        {
            var more = new Dictionary<int, int>(best);
            foreach (var (group, _) in populations[p]) more[group] = next[group];
            if (holds(more)) best = more;
        }
        return best;
    }

    private double Share(int population, Dictionary<int, int> counts)
        => populations[population].Aggregate(1.0, (share, g) => share * counts[g.Group] / g.Size);
}
