using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Plans;

/// <summary>
/// A plan against a model: what it leaves open is written down, and everything that its rules name is found, once. All that
/// carries the plan out gets it from here.
/// </summary>
internal sealed record ResolvedPlan
{
    private ResolvedPlan(PruningPlan plan, DenseModel model) => (Plan, Model) = (plan, model);

    /// <summary>The completed plan.</summary>
    public PruningPlan Plan { get; private init; }

    /// <summary>The plan for units and depth: without the budget where that is for ranks.</summary>
    public PruningPlan ForUnits => LowRankTargets.TakeBudget(Plan) ? Plan with { Budget = null } : Plan;

    public DenseModel Model { get; }

    public AxisAnalysis Analysis => Model.Analysis;

    /// <summary>The rules on units with the groups that each owns, in the plan's order.</summary>
    public IReadOnlyList<ResolvedRule> Rules { get; private init; } = [];

    /// <summary>The rules on depth with their candidates, in the plan's order.</summary>
    public IReadOnlyList<DropCandidates> Depth { get; private init; } = [];

    /// <summary>The weights that are to be factored.</summary>
    public IReadOnlyList<LowRankTarget> Targets { get; private init; } = [];

    /// <summary>The parts of the model with bounds of their own.</summary>
    public IReadOnlyList<Component> Components { get; private init; } = [];

    /// <summary>By group number, what the coordinates of a basis count that were chosen for them; the first count most.</summary>
    public IReadOnlyDictionary<int, double[]> BasisScores { get; init; } = new Dictionary<int, double[]>();

    /// <summary>What rules matched and left alone.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>The same of rules on ranks.</summary>
    public IReadOnlyList<string> RankNotes { get; private init; } = [];

    /// <summary>Resolves a plan.</summary>
    /// <exception cref="EspalierException">A rule matches nothing, or a number is out of range.</exception>
    public static ResolvedPlan Resolve(PruningPlan plan, AxisAnalysis analysis)
    {
        var (notes, rankNotes) = (new List<string>(), new List<string>());
        var whole = new ResolvedPlan(Presets.Complete(plan, hasData: false), new DenseModel(analysis));
        var targets = LowRankTargets.Find(whole.Plan, whole.Model, rankNotes);
        var units = whole.ForUnits;
        PlanValidation.Validate(units, analysis.Cost);
        return whole with
        {
            Targets = targets,
            Rules = RuleResolver.Resolve(units, analysis, notes),
            Depth = DropCandidates.Resolve(units, analysis),
            Components = Component.Resolve(units, analysis),
            Notes = notes,
            RankNotes = rankNotes,
        };
    }

    /// <summary>The same rules on another form of the model, and one more.</summary>
    /// <param name="group">The group of the other form that one of this form is.</param>
    /// <param name="ranks">The rule on groups that only the other form has.</param>
    public ResolvedPlan On(AxisAnalysis other, Func<Group, Group> group, ResolvedRule ranks) => new(Plan with
    {
        Prune = [.. Plan.Prune, ranks.Rule],
    }, new DenseModel(other))
    {
        Rules = [.. Rules.Select(r => r with { Groups = [.. r.Groups.Select(group)] }), ranks],
        Notes = Notes,
        RankNotes = RankNotes,
    };

    /// <summary>The same rules, groups and parts under other ratios and bounds.</summary>
    /// <param name="plan">The completed plan with numbers changed: fractions that stay, the budget and its components' bounds.</param>
    public ResolvedPlan With(PruningPlan plan)
    {
        var bounds = (plan.Budget?.Components ?? []).Select(c => new Budget(c.Macs, c.Parameters));
        return this with
        {
            Plan = plan,
            Rules = [.. Rules.Zip(plan.Prune, (r, changed) => r with { Rule = changed })],
            Components = [.. Components.Zip(bounds, (c, bound) => c with { Bound = bound })],
        };
    }
}
