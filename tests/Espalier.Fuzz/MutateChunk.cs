namespace Espalier.Fuzz;

/// <summary>
/// Some of the changed files, in a process of their own. Each follows from its number alone.
/// </summary>
internal static class MutateChunk
{
    /// <summary>Of so many slimmed files one is compared with its masked model.</summary>
    private const int JudgedOneOf = 500;

    private static readonly TimeSpan MostForOne = TimeSpan.FromSeconds(120);

    /// <summary>
    /// Name of the file with the endings so far: a file that ends the process takes those since the last
    /// thousand with it.
    /// </summary>
    public const string TallyFile = "tally.json";

    public static int Run(int from, int to, int seed, string findingsFolder, string state, string judged)
    {
        using var inWork = new InWork(state);
        inWork.Watch(MostForOne);
        var (seeds, tally, findings) = (Seeds.Real(), new Tally(), new Findings(findingsFolder));
        for (int index = from; index < to; index++)
        {
            inWork.Index = index;
            var mutation = Mutation(seeds, seed, index);
            if (mutation.Bytes.Length == 0) continue;
            var passed = Passage.Check(mutation.Bytes);
            tally.Count(mutation.Kind, passed);
            if (passed.Ending == Ending.Finding) findings.Add(passed, $"{index}: {mutation.What}", mutation.Bytes);
            if (passed.Ending == Ending.Slimmed && index % JudgedOneOf == 0) FuzzCommand.Add(judged, mutation.Bytes);
            if (index % 1000 == 999) tally.Write(Path.Combine(state, TallyFile));
        }
        tally.Write(Path.Combine(state, TallyFile));
        return 0;
    }

    /// <summary>The changed file of a number. A file is drawn the more often, the less work it is.</summary>
    public static Mutation Mutation(IReadOnlyList<MutationSeed> seeds, int seed, int index)
    {
        var random = new Random(unchecked((seed * 1_000_003) + index));
        return Mutator.Apply(random, Pick(random, seeds), Pick(random, seeds));
    }

    private static MutationSeed Pick(Random random, IReadOnlyList<MutationSeed> seeds)
    {
        // Milliseconds, about: every file gets as much time as every other.
        static double Weight(MutationSeed s) => 1 / (0.3 + (Math.Max(0, s.Nodes) * 0.1) + (s.Bytes.Length * 3e-6));
        double left = random.NextDouble() * seeds.Sum(Weight);
        foreach (var seed in seeds)
            if ((left -= Weight(seed)) < 0) return seed;
        return seeds[^1];
    }
}
