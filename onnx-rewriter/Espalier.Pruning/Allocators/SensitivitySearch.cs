namespace Espalier.Pruning.Allocators;

/// <summary>
/// The search of SPDY (arXiv:2201.13096), as ZipLM (arXiv:2302.04089) uses it: errors of layers do not say how much each layer
/// matters to the outputs, so each gets a factor. For given factors a dynamic programme finds the sizes with the least sum of errors
/// within the budget; the factors are searched, at random first and then near the best, by what the compensated model gives.
/// </summary>
internal static class SensitivitySearch
{
    /// <summary>
    /// Models that are run at most, and of them those with factors at random; SPDY runs a thousand, of which a hundred are at
    /// random. Choices that were seen are not run.
    /// </summary>
    public const int Evaluations = 64, AtRandom = 24;

    /// <summary>Proposals one after the other that lead to nothing new, after which no more are made; SPDY's number is 100.</summary>
    private const int MostInVain = 50;

    /// <summary>Factors that are drawn anew in one proposal, at first; one at the end.</summary>
    private const double Resampled = 0.1;

    /// <summary>Searches.</summary>
    /// <param name="errors">Errors of every size of every population.</param>
    /// <param name="cost">Cost of a choice, of which the budget is a bound.</param>
    /// <param name="holds">Whether a choice meets the budget; the smallest sizes do.</param>
    /// <param name="divergence">Divergence of the outputs under a choice.</param>
    /// <param name="seed">Seed of the factors.</param>
    /// <returns>The best choice that was seen; of equal ones the first.</returns>
    public static Dictionary<int, int> Run(ErrorDatabase errors, Func<IReadOnlyDictionary<int, int>, double> cost,
        Func<IReadOnlyDictionary<int, int>, bool> holds, Func<IReadOnlyDictionary<int, int>, double> divergence, int seed)
    {
        int count = errors.Populations.Count;
        double whole = cost(errors.Choice(new int[count]));
        var program = new LatencyProgram(errors, c => cost(c) / whole);
        var met = new Dictionary<string, bool>(StringComparer.Ordinal);
        double[] best = [.. Enumerable.Repeat(1.0, count)];
        var choice = Solve(best);
        if (count < 2) return choice;
        var random = new Random(seed);
        var seen = new HashSet<string>(StringComparer.Ordinal) { Key(choice) };
        double least = divergence(choice);
        int evaluations = 1;
        int inVain = 0;
        while (evaluations < AtRandom && inVain < MostInVain) Try([.. best.Select(_ => random.NextDouble())]);
        for (int resampled = Math.Max(1, (int)Math.Round(Resampled * count)); resampled > 0; resampled--)
        {
            // Each number of factors has the same share of what is left, and the rounds that find nothing leave theirs to the next.
            int until = evaluations + ((Evaluations - evaluations) / resampled);
            for (inVain = 0; evaluations < until && inVain < MostInVain;)
            {
                double[] factors = [.. best];
                for (int k = 0; k < resampled; k++) factors[random.Next(count)] = random.NextDouble();
                Try(factors);
            }
        }
        return choice;

        void Try(double[] factors)
        {
            var found = Solve(factors);
            inVain++;
            if (!seen.Add(Key(found))) return;
            (evaluations, inVain) = (evaluations + 1, 0);
            if (divergence(found) is var reached && reached < least) (best, choice, least) = (factors, found, reached);
        }

        Dictionary<int, int> Solve(double[] factors)
        {
            var weighed = errors.Levels.Select((own, p) =>
                (IReadOnlyList<Level>)[.. own.Select(l => l with { Divergence = l.Divergence * factors[p] })]);
            return program.Solve(new(errors.Populations, [.. weighed]), Holds);
        }

        bool Holds(IReadOnlyDictionary<int, int> counts)
        {
            string key = Key(counts);
            return met.TryGetValue(key, out bool known) ? known : met[key] = holds(counts);
        }

        static string Key(IReadOnlyDictionary<int, int> counts) => string.Join(',', counts.OrderBy(c => c.Key).Select(c => c.Value));
    }
}
