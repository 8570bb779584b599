using System.Globalization;

namespace Espalier.Axes.Naming;

/// <summary>Gives every thing the first of its names that no other claims.</summary>
internal static class UniqueNames
{
    /// <summary>
    /// One name for each. What several claim none of them gets: all of these go on to their next name, so that the order in which they
    /// come decides nothing. Those that share their last name are numbered in their order.
    /// </summary>
    /// <param name="candidates">For each, its names, the best first; at least one.</param>
    /// <param name="taken">Names that others have; gets the new ones.</param>
    public static string[] Assign(IReadOnlyList<IReadOnlyList<string>> candidates, ISet<string> taken)
    {
        var names = new string[candidates.Count];
        var open = Enumerable.Range(0, candidates.Count).ToList();
        for (int level = 0; open.Count > 0 && level < candidates.Max(c => c.Count); level++)
        {
            var claims = open.GroupBy(k => At(candidates[k], level), StringComparer.Ordinal)
                .Where(c => c.Count() == 1 && !taken.Contains(c.Key)).ToList();
            foreach (var claim in claims)
            {
                names[claim.Single()] = claim.Key;
                taken.Add(claim.Key);
            }
            open.RemoveAll(k => names[k] is not null);
        }
        foreach (var rivals in open.GroupBy(k => candidates[k][^1], StringComparer.Ordinal))
        {
            int number = 0;
            foreach (int k in rivals)
            {
                do names[k] = rivals.Key + "." + number++.ToString(CultureInfo.InvariantCulture);
                while (!taken.Add(names[k]));
            }
        }
        return names;
    }

    private static string At(IReadOnlyList<string> names, int level) => names[Math.Min(level, names.Count - 1)];
}
