namespace Espalier.Pruning.Allocators;

/// <summary>
/// The sizes with the least sum of divergences that are fast enough: a dynamic programme over saved time in small steps (SPDY's, as ZipLM,
/// arXiv:2302.04089, uses it). It takes times saved to add up; where populations share operators they do not, so the programme
/// is solved for every amount to save, and the smallest amount whose choice meets the budget by the whole table is taken.
/// </summary>
internal static class LatencyProgram
{
    /// <summary>Steps that the time is divided into: a thousandth of the dense model's each, finer than times can be measured.</summary>
    private const int Buckets = 1000;

    /// <summary>Solves.</summary>
    /// <param name="errors">Divergence of every size of every population.</param>
    /// <param name="holds">Whether a choice meets the budget; the smallest sizes do.</param>
    public static Dictionary<int, int> Solve(ErrorDatabase errors, LatencyTable table, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var levels = errors.Levels;
        int count = levels.Count;
        double whole = table.Evaluate(errors.Choice(new int[count]));
        int[][] saved = [.. levels.Select((own, p) =>
            own.Select((_, l) => (int)Math.Round(Buckets * (whole - table.Evaluate(errors.Choice(At(p, l)))))).ToArray())];
        int most = saved.Sum(s => s.Max());

        // best[b]: least divergence of the populations so far that save at least b; taken[p][b]: the level of population p then.
        double[] best = [0, .. Enumerable.Repeat(double.PositiveInfinity, most)];
        var taken = new int[count][];
        for (int p = 0; p < count; p++)
        {
            var next = new double[most + 1];
            taken[p] = new int[most + 1];
            for (int b = 0; b <= most; b++)
            {
                next[b] = double.PositiveInfinity;
                for (int l = 0; l < levels[p].Count; l++)
                {
                    double sum = best[Math.Max(0, b - saved[p][l])] + levels[p][l].Divergence;
                    if (sum < next[b]) (next[b], taken[p][b]) = (sum, l);
                }
            }
            best = next;
        }
        for (int b = 0; b <= most; b++)
        {
            int[] at = Back(b);
            if (holds(errors.Choice(at))) return errors.GiveBack(at, holds);
        }
        // Bounds besides the time may need sizes that save no more of it.
        return errors.GiveBack([.. levels.Select(l => l.Count - 1)], holds);

        int[] At(int population, int level)
        {
            var at = new int[count];
            at[population] = level;
            return at;
        }

        int[] Back(int b)
        {
            var at = new int[count];
            for (int p = count - 1; p >= 0; p--)
            {
                at[p] = taken[p][b];
                b = Math.Max(0, b - saved[p][at[p]]);
            }
            return at;
        }
    }
}
