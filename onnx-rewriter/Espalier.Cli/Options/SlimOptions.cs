using System.CommandLine;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Cli.Host;
using Espalier.Pruning.Factoring;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that say what to remove and how, and the plan that they make.</summary>
internal sealed class SlimOptions
{
    private readonly Option<double?> _keep = CommonOptions.Fraction("--keep",
        $"Fraction of the units to keep in every exact group of {Wording.List(Prunable.Where(r => r.IsUsual).Select(r => r.Plural))}.");

    private readonly (AxisRow Row, Option<double?> Option)[] _axes = [.. Prunable.Select(row => (row, CommonOptions.Fraction(
        "--" + row.Word,
        row.Help + (row.IsUsual
            ? " Overrides --keep, and reaches inexact groups of this kind too, since you name it."
            : " Only on request: --keep and budgets leave it alone."))))];

    private readonly (AxisRow Row, Option<int?> Option)[] _drops =
        [.. AxisRow.All.Where(row => row.CanDrop).Select(row => (row, CommonOptions.Count("--drop-" + row.Word, row.Help)))];

    private readonly BudgetOptions _budget = new();
    private readonly Option<Preset?> _preset = CommonOptions.Choice<Preset>("--preset",
        "A method of the literature, for what the options below leave open; 'espalier presets' tells what each is. [default: best with "
            + "--calibrate, magnitude without]");
    private readonly ScoreOptions _scores = new();
    private readonly LowRankOptions _lowRank = new();
    private readonly AgreementOptions _agreement = new();
    private readonly RecoverOptions _recover = new();
    private readonly Option<Allocation?> _allocate = CommonOptions.Choice("--allocate",
        $"How a budget is spread over groups. {Those(r => r.Needs.Any(Needs.Runs))}: as the outputs of the model bear it, which needs "
            + $"calibration data and time; {Those(r => r.Needs.Any(Needs.Blocks))}: by how much blocks change their input; "
            + $"{Those(r => r.Decides)} needs no budget; {AllocationRow.Get(Allocation.Latency).Word} needs --latency. "
            + "[default: as the preset]",
        AllocationRow.All.Select(row => (row.Word, row.Allocation)));
    private readonly Option<Schedule?> _schedule = CommonOptions.Choice("--schedule",
        "Whether all layers are pruned and fitted at once; or fitted one after the other, each to what the layers before it, already "
            + "pruned, give it; or pruned in steps that score anew: four even ones, four that become smaller, or sixteen. [default: as "
            + "the preset]",
        ScheduleRow.All.Select(row => (row.Word, row.Schedule)));
    private readonly Option<Compensation?> _compensate = CommonOptions.Choice("--compensate",
        "How the weights that are left make up for what is gone. All but none need activations. [default: as the preset]",
        CompensationRow.All.Select(row => (row.Word, row.Compensation)));
    private readonly Option<int?> _roundTo = CommonOptions.Count("--round-to",
        "Kept counts are multiples of this. [default: 16 for channels, which is what pays on CPUs; 1 elsewhere]", least: 1);
    private readonly Option<int?> _minKeep = CommonOptions.Count("--min-keep", "Fewest units of a group that stay. [default: 1]", least: 1);
    private readonly Option<string[]> _protect = new("--protect")
    {
        Description = "Groups, weights or blocks that stay whole: * is any run of characters, ? one; repeatable.",
        HelpName = "PATTERN",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<bool> _protectEnds = new("--protect-ends")
    {
        Description = "The first and the last group of every kind, and the first and the last sublayer or block, stay whole.",
    };
    private readonly Option<bool> _allowInexact = new("--allow-inexact")
    {
        Description = "Also prune groups whose removal is not equal to masking: those under a normalisation or a Softmax.",
    };
    private readonly Option<InputSource?> _inputs = CommonOptions.Choice<InputSource>("--inputs",
        "Inputs of which statistics are taken: what --calibrate gives; seeded noise, whatever data there are; or seeded inputs with "
            + "natural statistics, images with the mean, deviation and range of what --calibrate gives. [default: as the preset]");
    private readonly DataArguments _data = new();
    /// <summary>Also of what else a command does at random.</summary>
    public Option<int> Seed { get; } = CommonOptions.Seed();

    /// <summary>All of them but <see cref="Seed"/>, as the help shows them.</summary>
    public IReadOnlyList<OptionGroup> Groups =>
    [
        new("How much", [_keep, .. _axes.Select(a => a.Option), .. _drops.Select(d => d.Option), .. _budget.All, .. _lowRank.All]),
        new("How to choose", [_preset, .. _scores.All, _allocate, _compensate, _schedule, _inputs, .. _agreement.Choosing]),
        new("What stays", [_roundTo, _minKeep, _protect, _protectEnds, _allowInexact]),
        new("Data", [.. _data.All]),
        new("Training", [.. _recover.All]),
        new("Checks", [.. _agreement.Checking]),
    ];

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => Groups.SelectMany(group => group.Options).Append(Seed);

    private static IEnumerable<AxisRow> Prunable => AxisRow.All.Where(row => row.CanPrune);

    /// <param name="model">Name of the model.</param>
    /// <param name="analysis">What the model has: <c>--keep</c> asks for every kind, but only of what there is.</param>
    /// <exception cref="UsageException">Nothing is asked for.</exception>
    public PruningPlan ToPlan(ParseResult result, string model, AxisAnalysis analysis)
    {
        var budget = _budget.ToBudget(result);
        var ranks = _lowRank.ToRules(result);
        var preset = result.GetValue(_preset);
        var allocate = result.GetValue(_allocate);
        bool decides = Decides(budget, ranks, allocate, preset);
        bool factors = ranks.Count > 0 || (preset is { } named && Presets.Get(named).LowRank is not null);
        if (!decides && !factors && !AsksForUnits(result)) throw NothingAsked();
        var plan = new PruningPlan
        {
            Model = model,
            Prune = [.. Rules(result, decides, analysis, TurnsBases(result, preset))],
            Drop = [.. Drops(result)],
            LowRank = ranks,
            Budget = budget,
            Allocate = allocate,
            Schedule = result.GetValue(_schedule),
            Preset = preset,
            DivergenceMetric = _agreement.Divergence(result),
            DivergenceOutputs = _agreement.Outputs(result),
            Recover = _recover.ToSource(result),
            Guard = _agreement.Guard(result),
            ProtectEnds = result.GetValue(_protectEnds) ? true : null,
            Protect = result.GetValue(_protect) ?? [],
            Calibration = _data.ToSource(result),
            Inputs = result.GetValue(_inputs),
            Seed = result.GetValue(Seed),
        };
        // What is asked for by name is all that is taken.
        return decides && !AsksForUnits(result) && plan.Calibration?.Path is not null
            ? plan with { LowRank = RankSplit.Usual(Presets.Complete(plan, hasData: true), analysis) }
            : plan;
    }

    /// <summary>Dimensions go as the first coordinates of a basis that is made from data, and are refitted.</summary>
    private bool TurnsBases(ParseResult result, Preset? preset)
        => _data.ToSource(result).Path is not null
            && (result.GetValue(_compensate) ?? Presets.Get(preset ?? Preset.Best).Compensate) == Compensation.LeastSquares;

    /// <summary>Whether something says how much of the usual kinds stays where no option on units does.</summary>
    private static bool Decides(Budget? budget, IReadOnlyList<LowRankRule> ranks, Allocation? allocate, Preset? preset)
    {
        // A budget with rules on ranks that leave theirs to it is for these.
        if (ranks.Any(r => r is { Rank: null, Keep: null })) return false;
        var allocation = allocate ?? (preset is { } named ? Presets.Get(named).Allocate : null);
        return budget is not null || (allocation is { } known && AllocationRow.Get(known).Decides);
    }

    private bool AsksForUnits(ParseResult result)
        => result.GetValue(_keep) is not null || _axes.Any(a => result.GetValue(a.Option) is not null)
            || _drops.Any(d => result.GetValue(d.Option) > 0);

    private UsageException NothingAsked() => new($"nothing is to be removed. Give --keep, a kind ({Named(_axes.Select(a => a.Option))}), "
        + $"{Named(_drops.Select(d => d.Option))}, {Named(_lowRank.All)} or a budget ({Named(_budget.All)}), or --allocate "
        + $"{Those(row => row.Decides)}, which decides itself.");

    /// <param name="turnsBases">Whether dimensions of heads can go too, where each head has a basis of its own for them.</param>
    private IEnumerable<PruneRule> Rules(ParseResult result, bool decides, AxisAnalysis analysis, bool turnsBases)
    {
        var scored = _scores.ToRule(result);
        var keep = result.GetValue(_keep);
        bool inexact = result.GetValue(_allowInexact);
        foreach (var (row, option) in _axes)
        {
            var own = result.GetValue(option);
            bool turns = own is null && !row.IsUsual && decides && turnsBases;
            if (own is null && !turns && (!row.IsUsual || (keep is null && !decides))) continue;
            bool allowInexact = own is not null || inexact;
            var groups = analysis.Groups.Where(g => row.Kinds.Contains(g.Kind)
                && (!turns || (g.Kind is Axis.HeadDims or Axis.ValueDims && LinearGroup.Find(analysis, g) is not null))).ToList();
            // Asked for by name, a kind that is not there is an error; under --keep it is none.
            var open = groups.Where(g => g.Exactness == Exactness.Exact || (allowInexact && g.Exactness == Exactness.Inexact)).ToList();
            if (own is null && open.Count == 0) continue;
            yield return scored with
            {
                Name = own is not null ? option.Name : keep is not null ? $"--keep {row.Word}" : $"budget {row.Word}",
                Axis = row.Axis,
                Groups = groups.Count == 0 ? null : [.. (open.Count > 0 ? open : groups).Select(g => g.Name)],
                Keep = own ?? keep,
                MinKeep = result.GetValue(_minKeep) ?? 1,
                RoundTo = result.GetValue(_roundTo) ?? 0,
                Compensate = result.GetValue(_compensate),
                AllowInexact = allowInexact,
            };
        }
    }

    private IEnumerable<DropRule> Drops(ParseResult result)
    {
        foreach (var (row, option) in _drops)
            if (result.GetValue(option) is > 0 and var count)
                yield return new DropRule { Name = option.Name, Axis = row.Axis, AtMost = count, Score = _scores.Depth(result) };
    }

    private static string Named(IEnumerable<Option> options) => string.Join(", ", options.Select(o => o.Name));

    private static string Those(Func<AllocationRow, bool> which) => Wording.List(AllocationRow.All.Where(which).Select(row => row.Word));
}
