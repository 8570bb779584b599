using System.CommandLine;

namespace Espalier.Cli.Commands;

/// <summary>The options of <c>slim</c> that say how units are ranked.</summary>
internal sealed class ScoreOptions
{
    private static readonly (string Word, Criterion Criterion)[] Criteria =
    [
        ("l1", Criterion.L1), ("l2", Criterion.L2), ("random", Criterion.Random), ("variance", Criterion.Variance),
        ("wanda", Criterion.Wanda),
        ("optimal-brain", Criterion.OptimalBrain), ("norm-scale", Criterion.NormScale), ("lamp", Criterion.Lamp),
        ("geometric-median", Criterion.GeometricMedian),
        ("fluctuation", Criterion.Fluctuation), ("activation-share", Criterion.ActivationShare), ("spectrum", Criterion.Spectrum),
        ("fisher", Criterion.Fisher), ("output-divergence", Criterion.OutputDivergence), ("mask-regression", Criterion.MaskRegression),
        ("router-use", Criterion.RouterUse), ("router-similarity", Criterion.RouterSimilarity),
        ("attention-received", Criterion.AttentionReceived), ("beta-rank", Criterion.BetaRank), ("query-key", Criterion.QueryKey),
        ("retrieval", Criterion.Retrieval), ("file", Criterion.File),
    ];

    private static readonly (string Word, Aggregate Aggregate)[] Aggregates =
        [("sum", Aggregate.Sum), ("mean", Aggregate.Mean), ("max", Aggregate.Max), ("median", Aggregate.Median),
            ("product", Aggregate.Product)];

    private readonly Option<string?> _score = CommonOptions.Choice("--score",
        "How units are ranked. variance, wanda, optimal-brain, fluctuation, activation-share, router-use, attention-received, beta-rank, "
            + "query-key and retrieval need activations, fisher and output-divergence one run per unit, mask-regression four; router-… "
            + "are for experts, attention-received and retrieval for heads, query-key for head dimensions; file reads --score-file. "
            + "[default: as the preset]",
        [.. Criteria.Select(c => c.Word)]);
    private readonly Option<string?> _aggregate = CommonOptions.Choice("--aggregate",
        "How what a unit scores in several weights becomes one number, for scores that read weights alone. [default: sum]",
        [.. Aggregates.Select(a => a.Word)]);
    private readonly Option<FileInfo?> _file = new("--score-file")
    {
        Description = "Scores made elsewhere: a JSON object that maps names of groups, as inspect lists them, to one number per unit; "
            + "the highest stay. Means --score file.",
        HelpName = "FILE.json",
    };

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_score, _aggregate, _file];

    /// <summary>A rule with what they say; criterion, aggregate and file of it count.</summary>
    /// <exception cref="UsageException">They contradict each other, or the file is not there.</exception>
    public PruneRule ToRule(ParseResult result)
    {
        var (word, file) = (result.GetValue(_score), result.GetValue(_file));
        if (file is not null && word is not (null or "file"))
            throw new UsageException($"--score-file goes with --score file, not with --score {word}.");
        if (file is null && word == "file") throw new UsageException("--score file needs the file: give --score-file FILE.json.");
        if (file is { Exists: false }) throw new UsageException($"--score-file: there is no file '{file}'.");
        return new PruneRule
        {
            Score = file is not null
                ? Criterion.File
                : word is null ? result.GetValue(_aggregate) is null ? null : Criterion.L2 : Criteria.First(c => c.Word == word).Criterion,
            Aggregate = Aggregates.First(a => a.Word == (result.GetValue(_aggregate) ?? "sum")).Aggregate,
            ScoreFile = file?.ToString(),
        };
    }
}
