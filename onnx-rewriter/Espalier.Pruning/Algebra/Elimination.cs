namespace Espalier.Pruning.Algebra;

/// <summary>Scores of units that go in rounds, lowest first: what the round of each cost, never less than what went before it.</summary>
internal static class Elimination
{
    private const int Rounds = 16;

    /// <summary>Scores.</summary>
    /// <param name="units">How many there are.</param>
    /// <param name="cost">What the removal of one that is left costs; asked from several threads.</param>
    /// <param name="remove">Removes those of a round; not called for the last ones.</param>
    /// <param name="next">The least that a unit scores after one that scored this.</param>
    public static double[] Score(int units, Func<int, double> cost, Action<int[]> remove, Func<double, double>? next = null)
    {
        var scores = new double[units];
        var left = Enumerable.Range(0, units).ToList();
        double reached = 0;
        int perRound = (units + Rounds - 1) / Rounds;
        while (left.Count > 0)
        {
            var costs = new double[units];
            Parallel.ForEach(left, unit => costs[unit] = cost(unit));
            int[] going = [.. left.OrderBy(u => costs[u]).ThenBy(u => u).Take(perRound)];
            foreach (int unit in going) scores[unit] = reached = Math.Max(next?.Invoke(reached) ?? reached, costs[unit]);
            left.RemoveAll(going.Contains);
            if (left.Count > 0) remove(going);
        }
        return scores;
    }
}
