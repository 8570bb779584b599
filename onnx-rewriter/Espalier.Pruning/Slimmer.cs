using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Onnx;
using Espalier.Onnx.Limits;
using Espalier.Pruning.Allocators;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Factoring;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning;

/// <summary>A slim model and what was done to make it.</summary>
/// <param name="Model">The slim model; the dense one itself where nothing was removed. Its weights are read from the dense
/// model when it is written, so that must stay open.</param>
/// <param name="Report">What was done.</param>
public sealed record SlimResult(OnnxModel Model, PruningReport Report);

/// <summary>Carries out a plan: rules → groups → scores → allocation → compensation → surgery → report.</summary>
public static class Slimmer
{
    /// <summary>Rounds in which a budget that the written file misses is lowered by what it is missed by.</summary>
    private const int BudgetRounds = 5;

    /// <summary>What a plan decides by, beside the model.</summary>
    /// <param name="Statistics">What calibration measured; null without calibration.</param>
    /// <param name="Probe">Runs models; null without data.</param>
    /// <param name="Method">Calls the policy's own scoring methods; null where there is no policy to call.</param>
    internal sealed record Evidence(CalibrationStatistics? Statistics, IModelProbe? Probe, ScoreMethod? Method);

    /// <summary>Slims a model.</summary>
    /// <param name="dense">The dense model.</param>
    /// <param name="plan">What is to be done.</param>
    /// <param name="analysis">The dense model's axes.</param>
    /// <param name="statistics">What calibration measured for <see cref="Needs"/>; null where the plan needs none.</param>
    /// <param name="probe">Runs models, for methods that choose by what comes out; null where the plan has none.</param>
    /// <param name="method">Calls the policy's own scoring methods; null where there is no policy to call.</param>
    /// <exception cref="EspalierException">A rule matches nothing, a number is out of range, the file cannot meet the budget,
    /// or calibration is missing.</exception>
    public static SlimResult Run(OnnxModel dense, PruningPlan plan, AxisAnalysis analysis, CalibrationStatistics? statistics = null,
        IModelProbe? probe = null, ScoreMethod? method = null)
    {
        plan = Presets.Complete(plan, hasData: false);
        if (probe is null && RunsModels(ForUnits(plan)))
            throw new EspalierException("The plan chooses or fits by what changed models give on calibration data, or by the time that "
                + "they take, but there is none to run them on. Give calibration data, or use another allocation, budget, schedule and "
                + "score.");
        WrittenBudget.Demand(plan, FileCost.Before(analysis));
        var evidence = new Evidence(statistics, probe, method);
        var asked = plan;
        EspalierException? missed = null;
        for (int round = 1; ; round++)
        {
            SlimModel slim;
            PruningReport report;
            try
            {
                (slim, report) = Carry(dense, plan, analysis, evidence);
            }
            // No choice meets the lowered bound: what is said is that the stated one is missed.
            catch (EspalierException) when (missed is not null)
            {
                throw missed;
            }
            report = report with { Plan = asked };
            if (WrittenBudget.Misses(asked, analysis, slim, report) is not { Count: > 0 } misses) return new SlimResult(slim.Model, report);
            missed = WrittenBudget.Refuse(analysis, slim, misses[0]);
            if (slim.Model != dense) slim.Model.Dispose();
            if (round == BudgetRounds) throw missed;
            plan = WrittenBudget.Tightened(plan, misses, round);
        }
    }

    /// <summary>Carries a plan out; whether its budget holds is not looked at.</summary>
    private static (SlimModel Slim, PruningReport Report) Carry(OnnxModel dense, PruningPlan whole, AxisAnalysis analysis,
        Evidence evidence)
    {
        var (statistics, probe, _) = evidence;
        var notes = new List<string>(statistics?.Notes ?? []);
        var plan = ForUnits(whole);
        var (selection, methods) = plan.Schedule is Schedule.Iterative or Schedule.Cubic or Schedule.Greedy
            ? Iteration.Choose(plan, analysis, evidence, notes) : Choose(plan, analysis, evidence, notes);
        var edits = Compensator.Compute(analysis, selection, id => methods.GetValueOrDefault(id), statistics, notes, plan.Schedule
            == Schedule.Sequential ? probe : null);
        if (probe is not null && selection.Kept.Keys.Any(g => methods.GetValueOrDefault(g) == Compensation.Affine))
            edits = NormStatistics.Measure(analysis, selection, edits, probe, notes);
        edits = edits with { Factors = LowRank.Factor(whole, analysis, selection, edits, statistics, probe, notes) };
        var slim = selection.Kept.Count == 0 && selection.RemovedBlocks.Length == 0 && edits.Factors.Count == 0
            ? new SlimModel(dense, new Dictionary<string, IReadOnlyDictionary<int, int[]>>())
            : Checked(Surgery.Apply(analysis, selection, edits));
        return (slim, ReportBuilder.Build(whole, analysis, selection, slim, edits, notes));
    }

    /// <summary>What nobody could open is not written. The dense model of such a one cannot run: what it computes was believed.</summary>
    private static SlimModel Checked(SlimModel slim)
    {
        try
        {
            slim.Model.Check();
            return slim;
        }
        catch (OnnxFormatException e)
        {
            throw new EspalierException($"The slim model would be no model: {e.What}. "
                + "Run the dense model first; if ONNX Runtime takes it, this is a fault of the tool.", e);
        }
    }

    /// <summary>What calibration must measure before <see cref="Run"/>.</summary>
    /// <param name="plan">What is to be done.</param>
    /// <param name="analysis">The dense model's axes.</param>
    /// <returns>Null where the plan needs no calibration.</returns>
    /// <exception cref="EspalierException">A rule matches nothing, or a number is out of range.</exception>
    public static CalibrationRequest? Needs(PruningPlan plan, AxisAnalysis analysis)
    {
        plan = Presets.Complete(plan, hasData: false);
        var targets = LowRankTargets.Find(plan, analysis, []);
        var (measuresInputs, data) = (Presets.Get(plan.Preset!.Value).NeedsCalibration, plan.Calibration is { Path: not null }
            or { Method: not null });
        plan = ForUnits(plan);
        var consumers = new SortedSet<int>();
        var covariance = new SortedSet<int>();
        bool heldOut = false, measures = false;
        var signals = new List<UnitSignal>();
        var tensors = new List<TensorAxis>();
        var places = new UnitPlaces(analysis);
        foreach (var (rule, groups) in PlanResolver.Resolve(plan, analysis, []))
        {
            if (rule.Keep == 1) continue;
            heldOut |= CompensationNeeds.Get(rule.Compensate).HeldOut;
            var readers = groups.SelectMany(g => g.Consumers).Select(c => c.Id).ToList();
            measures |= rule.Compensate != Compensation.None || Scorer.NeedsStatistics(rule.Score!.Value);
            if (CompensationNeeds.Get(rule.Compensate).Means || Scorer.ReadsConsumers(rule.Score!.Value)) consumers.UnionWith(readers);
            if (rule.Score == Criterion.BetaRank) tensors.AddRange(groups.SelectMany(g => BetaRank.Tensors(places, g)));
            if (rule.Score == Criterion.QueryKey) tensors.AddRange(groups.SelectMany(g => QueryKey.Tensors(places, g)));
            signals.AddRange(groups.SelectMany(g => SignalScores.Required(analysis, g, rule.Score!.Value)));
            if (rule.Compensate == Compensation.Merge)
                signals.AddRange(groups.SelectMany(g => SignalScores.Required(analysis, g, Criterion.RouterUse)));
            if (CompensationNeeds.Get(rule.Compensate).Covariance || Scorer.NeedsCovariance(rule.Score!.Value))
                covariance.UnionWith(readers);
        }
        var factored = targets.SelectMany(t => t.Weight.Readers).Select(r => r.Id).ToList();
        consumers.UnionWith(factored);
        covariance.UnionWith(factored);
        // Without data a weight is factored by its own numbers.
        measures |= factored.Count > 0 && (measuresInputs || data);
        var blocks = new SortedSet<int>();
        foreach (var rule in plan.Drop.Where(r => r.Score is Criterion.BlockSimilarity or Criterion.BlockAngle))
            blocks.UnionWith(DepthSelector.Candidates(plan, rule, analysis).Select(b => b.Id));
        if (AllocationEvidence.NeedsBlocks(plan.Allocate!.Value)) blocks.UnionWith(BlockSimilarity.Sublayers(analysis));
        return !measures && blocks.Count == 0 && !RunsModels(plan) ? null
            : new CalibrationRequest { Consumers = consumers, Covariance = covariance, Blocks = blocks,
                BlockAngles = plan.Drop.Any(r => r.Score == Criterion.BlockAngle)
                    || AllocationEvidence.NeedsAngles(plan.Allocate.Value), HeldOut = heldOut, Signals = [.. signals.Distinct()],
                        Tensors = [.. tensors.Distinct()] };
    }

    /// <summary>The plan for units and depth: without the budget where that is for ranks.</summary>
    private static PruningPlan ForUnits(PruningPlan plan) => LowRankTargets.TakeBudget(plan) ? plan with { Budget = null } : plan;

    /// <summary>Whether a plan chooses or fits by running changed models.</summary>
    private static bool RunsModels(PruningPlan plan)
        => plan.Schedule != Schedule.OneShot
            || ((AllocationEvidence.NeedsDivergence(plan.Allocate!.Value) || AllocationEvidence.NeedsSensitivity(plan.Allocate.Value))
                && plan.Budget is not null)
            || plan.Budget?.Latency is not null
            || plan.Drop.Any(r => r.Score == Criterion.OutputDivergence) || plan.Prune.Any(r => GateScores.Scores(r.Score) && r.Keep != 1);

    /// <summary>Decides what is kept, and how the readers of each pruned group make up for it.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="analysis">The dense model.</param>
    /// <param name="evidence">What it decides by; statistics are those of the dense model.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <param name="before">What the steps before have left; null for the dense model.</param>
    /// <param name="depth">What goes of the depth, where that is decided; null to choose it.</param>
    internal static (Selection Selection, IReadOnlyDictionary<int, Compensation> Methods) Choose(PruningPlan plan, AxisAnalysis analysis,
        Evidence evidence, List<string> notes, Iteration.State? before = null, DepthChoice? depth = null)
    {
        var (statistics, probe, method) = evidence;
        var rules = PlanResolver.Resolve(plan, analysis, notes);
        var components = Component.Resolve(plan, analysis, notes);
        depth ??= DepthSelector.Select(plan, analysis, statistics, notes, probe, components);
        var blocks = depth.Blocks;
        var gone = DepthSelector.SublayersOf(analysis, blocks);
        var owned = rules.SelectMany(r => r.Groups.Select(g => (r.Rule, Group: g)))
            .Where(e => !IsGone(analysis.Cost, e.Group.Id, gone)).ToList();
        var gated = probe is null
            ? null
            : GateScores.Compute(analysis, owned.Where(e => e.Rule.Keep != 1 && GateScores.Scores(e.Rule.Score))
                .ToDictionary(e => e.Group.Id, e => e.Rule.Score!.Value), probe, plan.Seed);
        var scores = Scorer.Score(analysis, owned.Where(e => e.Rule.Keep != 1).ToDictionary(e => e.Group.Id, e => e.Rule),
            before?.Statistics ?? statistics, plan.Seed, notes, before?.Weights, gated, method);
        foreach (var (id, own) in scores) before?.Forget(id, own);
        var candidates = owned.Select(e =>
            new Candidate(e.Group, e.Rule, scores.TryGetValue(e.Group.Id, out var s) ? s : new double[e.Group.Size])).ToList();
        var methods = owned.ToDictionary(e => e.Group.Id, e => e.Rule.Compensate!.Value);
        var shares = new AllocationEvidence
        {
            Divergence = probe is null ? null : choice => Run(choice, probe.HeldOutDivergence, toFitted: true),
            Time = probe is null ? null : choice => choice.Count == 0 && depth.Time is { } known ? known : Run(choice, probe.Time),
            Sensitivity = probe is not null && AllocationEvidence.NeedsSensitivity(plan.Allocate!.Value)
                ? ZerothOrder.Measure(analysis, candidates.Select(c => c.Group), probe.Divergence, plan.Seed, plan.DivergenceMetric
                    == Metric.TaskLoss)
                : null,
            BlockChange = AllocationEvidence.NeedsBlocks(plan.Allocate!.Value) && statistics is not null
                ? BlockSimilarity.Change(analysis, candidates.Select(c => c.Group), statistics,
                    AllocationEvidence.NeedsAngles(plan.Allocate.Value))
                : null,
            Components = components,
            Obstacles = new(analysis, plan, candidates.Select(c => c.Group.Id).ToHashSet()),
            Magnitudes = AllocationEvidence.NeedsMagnitudes(plan.Allocate!.Value)
                ? Magnitudes.Measure(analysis, candidates.Select(c => c.Group))
                : null,
        };
        var kept = Allocator.Allocate(plan, analysis.Cost, candidates, gone, notes, shares);
        return (new Selection(kept, blocks), methods);

        T Run<T>(IReadOnlyDictionary<int, ImmutableArray<int>> choice, Func<OnnxModel, T> run, bool toFitted = false)
        {
            var selection = new Selection(choice, blocks);
            return Surgery.Use(analysis, selection,
                Compensator.Compute(analysis, selection, id => methods.GetValueOrDefault(id), statistics, toFitted: toFitted),
                slim => run(slim.Model));
        }
    }

    /// <summary>Whether a group costs something only in sublayers that are removed: nothing of it is left to prune.</summary>
    internal static bool IsGone(CostModel cost, int group, IReadOnlySet<int> removedSublayers)
        => removedSublayers.Count > 0 && cost.Monomials.Any(m => m.Groups.Contains(group))
            && cost.Monomials.All(m => !m.Groups.Contains(group) || removedSublayers.Contains(m.Sublayer));
}
