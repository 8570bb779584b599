using System.CommandLine;
using Espalier.Axes;
using Espalier.Axes.Groups;

namespace Espalier.Cli.Commands;

/// <summary>The options of <c>slim</c> that say what to remove and how, and the plan that they make.</summary>
internal sealed class SlimOptions
{
    /// <summary>The kinds that <c>--keep</c> and budgets act on, with the name of each one's own option.</summary>
    private static readonly (Axis Axis, string Name, string Description, bool ByNameOnly)[] Kinds =
    [
        (Axis.Channels, "channels", "Fraction of the output channels of convolutions to keep.", false),
        (Axis.Neurons, "neurons", "Fraction of the neurons of feed-forward layers to keep.", false),
        (Axis.Heads, "heads",
            "Fraction of the attention heads to keep; where attention is grouped, of the query heads, whole KV groups first.", false),
        (Axis.Experts, "experts", "Fraction of the experts of a mixture to keep.", false),
        (Axis.HiddenState, "hidden", "Fraction of the hidden state of LSTM, GRU and RNN to keep.", false),
        (Axis.KeyValueGroups, "kv-groups", "Fraction of the KV groups of grouped attention to keep, with all of their query heads.", true),
        (Axis.HeadDims, "head-dims",
            "Fraction of the dimensions that queries and keys have in a head to keep; the attention's scale stays what it was.", true),
        (Axis.ValueDims, "value-dims", "Fraction of the dimensions that values have in a head to keep.", true),
        (Axis.Width, "width",
            "Fraction of the width of the residual stream to keep; exact under root-mean-square norms, inexact under LayerNorm.", true),
    ];

    private readonly Option<double?> _keep = CommonOptions.Fraction("--keep",
        "Fraction of the units to keep in every exact group of channels, neurons, heads, experts and hidden state.");

    private readonly (Axis Axis, string Name, bool ByNameOnly, Option<double?> Option)[] _kinds =
        [.. Kinds.Select(k => (k.Axis, k.Name, k.ByNameOnly, CommonOptions.Fraction("--" + k.Name,
            k.Description
                + (k.ByNameOnly
                    ? " Only on request: --keep and budgets leave it alone."
                    : " Overrides --keep, and reaches inexact groups of this kind too, since you name it."))))];

    private readonly Option<int?> _dropSublayers = CommonOptions.Count("--drop-sublayers",
        "How many residual sublayers to remove: those that change their input least.");
    private readonly Option<int?> _dropBlocks = CommonOptions.Count("--drop-blocks",
        "How many whole residual blocks to remove: those that change their input least.");
    private readonly BudgetOptions _budget = new();
    private readonly Option<string?> _preset = CommonOptions.Choice("--preset",
        "A method of the literature, for what the options below leave open; 'espalier presets' tells what each is. [default: best with "
            + "--calibrate, magnitude without]", [.. PresetsCommand.Names]);
    private readonly ScoreOptions _scores = new();
    private readonly LowRankOptions _lowRank = new();
    private readonly AgreementOptions _agreement = new();
    private readonly Option<string?> _depthScore = CommonOptions.Choice("--depth-score",
        "How sublayers and blocks are ranked: by how alike their input and output are, by the mean angle between them, or by how far the "
            + "model's outputs move without them, one after the other. [default: as the preset]", "similarity", "angle",
                "divergence", "random");
    private static readonly (string Word, Allocation Allocation)[] Allocations =
    [
        ("uniform", Allocation.Uniform), ("global", Allocation.Global), ("divergence", Allocation.Divergence),
        ("importance-linear", Allocation.ImportanceLinear),
        ("importance-sigmoid", Allocation.ImportanceSigmoid), ("importance-softmax", Allocation.ImportanceSoftmax),
        ("pq-index", Allocation.PqIndex), ("zeroth-order", Allocation.ZerothOrder),
        ("global-magnitude", Allocation.GlobalMagnitude), ("search", Allocation.Search), ("latency", Allocation.Latency),
    ];

    private readonly Option<string?> _allocate = CommonOptions.Choice("--allocate",
        "How a budget is spread over groups. divergence, search, zeroth-order and latency: as the outputs of the model bear it, which "
        + "needs calibration data and time; importance-…: by how much "
        + "blocks change their input; pq-index needs no budget; latency needs --latency. [default: as the preset]",
            [.. Allocations.Select(a => a.Word)]);
    private readonly Option<string?> _schedule = CommonOptions.Choice("--schedule",
        "Whether all layers are pruned and fitted at once; or fitted one after the other, each to what the layers before it, already "
            + "pruned, give it; or pruned in steps that score anew: four even ones, four that become smaller, or sixteen. [default: as "
            + "the preset]", "one-shot", "sequential", "iterative", "cubic", "greedy");
    private readonly Option<string?> _compensate = CommonOptions.Choice("--compensate",
        "How the weights that are left make up for what is gone. All but none need activations. [default: as the preset]", "none", "merge",
        "bias", "affine", "rescale", "least-squares");
    private readonly Option<int?> _roundTo = CommonOptions.Count("--round-to",
        "Kept counts are multiples of this. [default: 16 for channels, which is what pays on CPUs; 1 elsewhere]", least: 1);
    private readonly Option<int?> _minKeep = CommonOptions.Count("--min-keep", "Fewest units of a group that stay. [default: 1]", least: 1);
    private readonly Option<string[]> _protect = new("--protect")
    {
        Description = "Tensors or groups that stay whole: * is any run of characters, ? one; repeatable.",
        HelpName = "PATTERN",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<bool> _protectEnds = new("--protect-ends")
        { Description = "The first and the last group of every kind, and the first and the last sublayer or block, stay whole." };
    private readonly Option<bool> _allowInexact = new("--allow-inexact")
    {
        Description = "Also prune groups whose removal is not equal to masking: those under a normalisation or a Softmax.",
    };
    private readonly Option<string?> _inputs = CommonOptions.Choice("--inputs",
        "Inputs of which statistics are taken: what --calibrate gives; seeded noise, whatever data there are; or seeded inputs with "
            + "natural statistics and nothing of the task. [default: as the preset]", "data", "noise", "out-of-distribution");
    private readonly DataArguments _data = new();
    private readonly Option<int> _seed = CommonOptions.Seed();

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All =>
    [
        _keep, .. _kinds.Select(k => k.Option), _dropSublayers, _dropBlocks, .. _budget.All, _preset, .. _lowRank.All, .. _scores.All,
        _depthScore, _allocate, _compensate, _schedule, .. _agreement.All,
        _roundTo, _minKeep, _protect, _protectEnds, _allowInexact, .. _data.All, _inputs, _seed,
    ];

    /// <summary>The plan.</summary>
    /// <exception cref="UsageException">Nothing is asked for.</exception>
    /// <param name="result">The command line.</param>
    /// <param name="model">Name of the model.</param>
    /// <param name="analysis">What the model has: <c>--keep</c> asks for every kind, but only of what there is.</param>
    public PruningPlan ToPlan(ParseResult result, string model, AxisAnalysis analysis)
    {
        var budget = _budget.ToBudget(result);
        var allocate = result.GetValue(_allocate) is { } word ? Allocations.First(a => a.Word == word).Allocation : (Allocation?)null;
        var preset = PresetsCommand.Parse(result.GetValue(_preset));
        // The PQ index says itself how much stays.
        var decides = budget is not null || (allocate ?? (preset is { } named ? Presets.Get(named).Allocate : null)) == Allocation.PqIndex;
        var ranks = _lowRank.ToRules(result);
        // A budget with rules on ranks that leave theirs to it is for these.
        if (ranks.Any(r => r is { Rank: null, Keep: null })) decides = false;
        bool factors = ranks.Count > 0 || (preset is { } chosen && Presets.Get(chosen).LowRank is not null);
        if (!decides && !factors && result.GetValue(_keep) is null && _kinds.All(k => result.GetValue(k.Option) is null)
            && (result.GetValue(_dropSublayers) ?? 0) == 0 && (result.GetValue(_dropBlocks) ?? 0) == 0)
            throw new UsageException("nothing is to be removed. Give --keep, a kind (--channels, --neurons, --heads, --experts, "
                + "--hidden, --kv-groups, --head-dims, --value-dims, --width), --drop-sublayers, --drop-blocks, --low-rank, "
                + "--low-rank-kv or a budget (--macs, --parameters, --bytes, --latency, --component-budget), or --allocate pq-index, "
                + "which decides itself.");
        var scored = _scores.ToRule(result);
        var depth = result.GetValue(_depthScore) switch
        {
            "divergence" => Criterion.OutputDivergence,
            "random" => Criterion.Random,
            "similarity" => Criterion.BlockSimilarity,
            "angle" => Criterion.BlockAngle,
            _ => scored.Score == Criterion.Random ? Criterion.Random : (Criterion?)null,
        };
        return new PruningPlan
        {
            Model = model,
            Prune = [.. Rules(result, decides, scored, analysis)],
            Drop =
            [
                .. Drop(Axis.Sublayers, "--drop-sublayers", result.GetValue(_dropSublayers), depth),
                .. Drop(Axis.Blocks, "--drop-blocks", result.GetValue(_dropBlocks), depth),
            ],
            LowRank = ranks,
            Budget = budget,
            Allocate = allocate,
            Schedule = result.GetValue(_schedule) switch { "one-shot"
                => Schedule.OneShot, "sequential"
                    => Schedule.Sequential, "iterative"
                        => Schedule.Iterative, "cubic" => Schedule.Cubic, "greedy" => Schedule.Greedy, _ => null },
            Preset = preset,
            DivergenceMetric = _agreement.Divergence(result),
            Guard = _agreement.Guard(result),
            ProtectEnds = result.GetValue(_protectEnds) ? true : null,
            Protect = result.GetValue(_protect) ?? [],
            Calibration = _data.ToSource(result),
            Inputs = result.GetValue(_inputs) switch { "data"
                => InputSource.Data, "noise" => InputSource.Noise, "out-of-distribution" => InputSource.OutOfDistribution, _ => null },
            Seed = result.GetValue(_seed),
        };
    }

    private IEnumerable<PruneRule> Rules(ParseResult result, bool decides, PruneRule scored, AxisAnalysis analysis)
    {
        var keep = result.GetValue(_keep);
        var inexact = result.GetValue(_allowInexact);
        foreach (var (axis, name, byNameOnly, option) in _kinds)
        {
            var own = result.GetValue(option);
            if (own is null && (byNameOnly || (keep is null && !decides))) continue;
            var allowInexact = own is not null || inexact;
            var groups = Groups(analysis, axis).ToList();
            // Asked for by name, a kind that is not there is an error; under --keep it is none.
            var open = groups.Where(g => g.Exactness == Exactness.Exact || (allowInexact && g.Exactness == Exactness.Inexact)).ToList();
            if (own is null && open.Count == 0) continue;
            yield return scored with
            {
                Name = own is not null ? "--" + name : keep is not null ? "--keep " + name : "budget " + name,
                Axis = axis,
                Groups = open.Count > 0 ? [.. open.Select(g => g.Name)] : groups.Count > 0 ? [.. groups.Select(g => g.Name)] : null,
                Keep = own ?? keep,
                MinKeep = result.GetValue(_minKeep) ?? 1,
                RoundTo = result.GetValue(_roundTo) ?? 0,
                Compensate = result.GetValue(_compensate) switch { "none"
                    => Compensation.None, "merge"
                        => Compensation.Merge, "bias"
                            => Compensation.Bias, "affine"
                                => Compensation.Affine, "rescale"
                                    => Compensation.Rescale, "least-squares" => Compensation.LeastSquares, _ => null },
                AllowInexact = allowInexact,
            };
        }
    }

    /// <summary>
    /// The groups of a kind. Where attention is grouped, KV groups and their query heads are one rule, so that the fraction is
    /// that of all query heads.
    /// </summary>
    private static IEnumerable<Group> Groups(AxisAnalysis analysis, Axis axis)
        => analysis.Groups.Where(g => AxisRow.Get(axis).Kinds.Contains(g.Kind));

    private static IEnumerable<DropRule> Drop(Axis axis, string name, int? count, Criterion? score) => count is null or 0
        ? []
        : [new DropRule { Name = name, Axis = axis, AtMost = count.Value, Score = score }];
}
