using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>
/// Search over allocations from a first one: one or two populations give up a few sixteenths, another takes what the budget has
/// left for it, and what lowers the divergence of the compensated model's outputs is kept. So errors that do not add up are
/// seen, which a database of populations alone cannot. Mutations at equal cost with selection, as the last phase of ZipLM
/// (arXiv:2302.04089) has them, one parent at a time.
/// </summary>
internal static class SwapSearch
{
    /// <summary>
    /// Models that are run at most: about as many as the error database of a network of a dozen layers, so that searching costs
    /// as much again.
    /// </summary>
    public const int Evaluations = 64;

    /// <summary>Proposals per evaluation; those that change nothing or were seen are not run.</summary>
    private const int Proposals = 20;

    /// <summary>Searches.</summary>
    /// <param name="populations">What units are moved between.</param>
    /// <param name="start">A choice that meets the budget.</param>
    /// <param name="holds">Whether a choice meets the budget.</param>
    /// <param name="divergence">Divergence of the outputs under a choice.</param>
    /// <param name="seed">Seed of the proposals.</param>
    /// <returns>The best choice that was seen; of equal ones the first.</returns>
    public static Dictionary<int, int> Run(IReadOnlyList<Population> populations, Dictionary<int, int> start,
        Func<IReadOnlyDictionary<int, int>, bool> holds,
        Func<IReadOnlyDictionary<int, int>, double> divergence, int seed)
    {
        var sizes = populations.Select(ErrorDatabase.Sizes).ToList();
        if (populations.Count < 2 || sizes.All(s => s.Count < 2)) return start;
        int[] ids = [.. start.Keys.Order()];
        var seen = new HashSet<string>(StringComparer.Ordinal) { Key(start) };
        var random = new Random(seed);
        var best = start;
        double least = divergence(start);
        for (int proposal = 0, evaluations = 1; proposal < Proposals * Evaluations && evaluations < Evaluations; proposal++)
        {
            int to = random.Next(populations.Count), steps = 1 << random.Next(3);
            // Two at once, because errors of two layers may cancel where that of one would not be taken.
            int[] from = [.. Enumerable.Range(0, 1 + random.Next(2)).Select(_ => random.Next(populations.Count))
                .Where(p => p != to).Distinct()];
            var changed = new Dictionary<int, int>(best);
            foreach (int p in from)
                if (sizes[p].Where(s => populations[p].Share(s) < populations[p].Share(best)).Take(steps).LastOrDefault() is { } smaller)
                    Candidate.Merge(changed, smaller);
            var larger = sizes[to].Where(s => populations[to].Share(s) > populations[to].Share(best)).FirstOrDefault(s =>
            {
                var wished = new Dictionary<int, int>(changed);
                Candidate.Merge(wished, s);
                return holds(wished);
            });
            if (larger is null) continue;
            Candidate.Merge(changed, larger);
            if (!seen.Add(Key(changed))) continue;
            evaluations++;
            if (divergence(changed) is var found && found < least) (best, least) = (changed, found);
        }
        return best;

        string Key(Dictionary<int, int> counts) => string.Join(',', ids.Select(id => counts[id]));
    }
}
