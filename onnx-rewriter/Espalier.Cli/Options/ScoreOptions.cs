using System.CommandLine;
using Espalier.Cli.Host;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that say how units, sublayers and blocks are ranked.</summary>
internal sealed class ScoreOptions
{
    private static readonly string File = CriterionRow.Get(Criterion.File).Word;

    private readonly Option<Criterion?> _score = CommonOptions.Choice("--score",
        $"How units are ranked. {Those(r => r.Needs.Any(Needs.Consumers | Needs.Tensors | Needs.Signals))} need activations, "
            + $"{Those(r => r.RunsPerUnit == 1)} one run per unit, {Those(r => r.RunsPerUnit == 4)} four; "
            + $"{Those(r => r.Units == CriterionUnits.Experts)} are for experts, {Those(r => r.Units == CriterionUnits.Heads)} for heads, "
            + $"{Those(r => r.Units == CriterionUnits.HeadDims)} for head dimensions; {File} reads --score-file. "
            + "[default: as the preset]",
        Offered.Select(row => (row.Word, row.Criterion)));

    private readonly Option<Aggregate?> _aggregate = CommonOptions.Choice<Aggregate>("--aggregate",
        "How what a unit scores in several weights becomes one number, for scores that read weights alone. [default: sum]");

    private readonly Option<FileInfo?> _file = new("--score-file")
    {
        Description = "Scores made elsewhere: a JSON object that maps names of groups, as inspect lists them, to one number per unit; "
            + $"the highest stay. Means --score {File}.",
        HelpName = "FILE.json",
    };

    private readonly Option<Criterion?> _depth = CommonOptions.Choice("--depth-score",
        "How sublayers and blocks are ranked: by how alike their input and output are, by the mean angle between them, or by how far the "
            + "model's outputs move without them, one after the other. [default: as the preset]",
        // Those that rank nothing else come first.
        CriterionRow.All.Where(row => row.RanksDepth).Reverse().Select(row => (row.DepthWord, row.Criterion)));

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_score, _aggregate, _file, _depth];

    private static IEnumerable<CriterionRow> Offered => CriterionRow.All.Where(row => row.RanksUnits && !row.OnlyInBuilds);

    /// <summary>A rule with what they say; criterion, aggregate and file of it count.</summary>
    /// <exception cref="UsageException">They contradict each other, or the file is not there.</exception>
    public PruneRule ToRule(ParseResult result)
    {
        var (score, aggregate, file) = (result.GetValue(_score), result.GetValue(_aggregate), result.GetValue(_file));
        if (file is not null && score is { } other and not Criterion.File)
            throw new UsageException($"--score-file goes with --score {File}, not with --score {CriterionRow.Get(other).Word}.");
        if (file is null && score == Criterion.File)
            throw new UsageException($"--score {File} needs the file: give --score-file FILE.json.");
        if (file is { Exists: false }) throw new UsageException($"--score-file: there is no file '{file}'.");
        return new PruneRule
        {
            // An aggregate alone means the default score, whatever the preset has.
            Score = file is not null ? Criterion.File : score ?? (aggregate is null ? null : Criterion.L2),
            Aggregate = aggregate ?? Aggregate.Sum,
            ScoreFile = file?.ToString(),
        };
    }

    /// <summary>How depth is ranked; null as the preset says. Who ranks units at random means depth too.</summary>
    public Criterion? Depth(ParseResult result)
        => result.GetValue(_depth) ?? (result.GetValue(_score) == Criterion.Random ? Criterion.Random : null);

    private static string Those(Func<CriterionRow, bool> which) => Wording.List(Offered.Where(which).Select(row => row.Word));
}
