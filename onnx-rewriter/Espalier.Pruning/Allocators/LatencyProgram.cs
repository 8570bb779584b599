namespace Espalier.Pruning.Allocators;

/// <summary>
/// The sizes with the least sum of divergences that are cheap enough: a dynamic programme over what is saved, time as a rule, in
/// small steps (SPDY's, as ZipLM, arXiv:2302.04089, uses it). It takes what populations save to add up; where they share operators it
/// does not, so the programme is solved for every amount to save, and the smallest amount whose choice meets the budget is taken.
/// </summary>
internal sealed class LatencyProgram
{
    /// <summary>Steps that the cost is divided into: a thousandth of the dense model's each, finer than times can be measured.</summary>
    private const int Buckets = 1000;

    private readonly int[][] _saved;

    /// <param name="errors">Sizes of every population.</param>
    /// <param name="cost">Cost of a choice, of which the budget is a bound; of the dense model about 1.</param>
    public LatencyProgram(ErrorDatabase errors, Func<IReadOnlyDictionary<int, int>, double> cost)
    {
        var levels = errors.Levels;
        double whole = cost(errors.Choice(new int[levels.Count]));
        _saved = [.. levels.Select((own, p) =>
            own.Select((_, l) => (int)Math.Round(Buckets * (whole - cost(errors.Choice(At(p, l)))))).ToArray())];

        int[] At(int population, int level)
        {
            var at = new int[levels.Count];
            at[population] = level;
            return at;
        }
    }

    /// <summary>Solves.</summary>
    /// <param name="errors">The same sizes, with their divergences.</param>
    /// <param name="holds">Whether a choice meets the budget; the smallest sizes do.</param>
    public Dictionary<int, int> Solve(ErrorDatabase errors, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var levels = errors.Levels;
        int count = levels.Count, most = _saved.Sum(s => s.Max());

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
                    double sum = best[Math.Max(0, b - _saved[p][l])] + levels[p][l].Divergence;
                    if (sum < next[b]) (next[b], taken[p][b]) = (sum, l);
                }
            }
            best = next;
        }
        int[]? last = null;
        for (int b = 0; b <= most; b++)
        {
            int[] at = Back(b);
            if (last is not null && at.AsSpan().SequenceEqual(last)) continue;
            if (holds(errors.Choice(at))) return errors.GiveBack(at, holds);
            last = at;
        }
        // Bounds besides that cost may need sizes that save no more of it.
        return errors.GiveBack([.. levels.Select(l => l.Count - 1)], holds);

        int[] Back(int b)
        {
            var at = new int[count];
            for (int p = count - 1; p >= 0; p--)
            {
                at[p] = taken[p][b];
                b = Math.Max(0, b - _saved[p][at[p]]);
            }
            return at;
        }
    }
}
