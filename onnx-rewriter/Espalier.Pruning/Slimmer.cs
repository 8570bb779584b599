using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Onnx.Limits;
using Espalier.Pruning.Allocators;
using Espalier.Pruning.Bases;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Factoring;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning;

/// <summary>Carries out a plan: rules → groups → scores → allocation → compensation → surgery → report.</summary>
internal static class Slimmer
{
    /// <summary>Rounds in which a budget that the written file misses is lowered by what it is missed by.</summary>
    private const int BudgetRounds = 5;

    /// <summary>What calibration must measure before a model is slimmed.</summary>
    /// <returns>Null where the plan needs no calibration.</returns>
    /// <exception cref="EspalierException">A rule matches nothing, or a number is out of range.</exception>
    public static CalibrationRequest? Needs(PruningPlan plan, AxisAnalysis analysis) => Needs(ResolvedPlan.Resolve(plan, analysis));

    /// <summary>The same of a plan that is resolved.</summary>
    public static CalibrationRequest? Needs(ResolvedPlan resolved) => Requirements(resolved).ToRequest();

    private static Requirements Requirements(ResolvedPlan resolved)
    {
        var needs = new Requirements();
        foreach (var rule in resolved.Rules.Where(r => r.Rule.Keep != 1))
        {
            Scorer.Require(rule, resolved.Model, needs);
            Compensator.Require(rule, resolved.Analysis, needs);
        }
        BasisChange.Require(resolved, needs);
        LowRank.Require(resolved, needs);
        RankSplit.Require(resolved, needs);
        DepthSelector.Require(resolved, needs);
        Allocator.Require(resolved, needs);
        Iteration.Require(resolved.Plan, needs);
        return needs;
    }

    /// <summary>Slims a model.</summary>
    /// <param name="plan">What is to be done.</param>
    /// <param name="analysis">The dense model's axes.</param>
    /// <param name="statistics">What calibration measured for <see cref="Needs(PruningPlan, AxisAnalysis)"/>; null where the
    /// plan needs none.</param>
    /// <param name="probe">Runs models, for methods that choose by what comes out; null where the plan has none.</param>
    /// <param name="method">Calls the policy's own scoring methods; null where there is no policy to call.</param>
    /// <exception cref="EspalierException">A rule matches nothing, a number is out of range, the file cannot meet the budget,
    /// or calibration is missing.</exception>
    public static SlimResult Run(PruningPlan plan, AxisAnalysis analysis, CalibrationStatistics? statistics = null,
        IModelProbe? probe = null, ScoreMethod? method = null)
        => Run(ResolvedPlan.Resolve(plan, analysis), new(statistics, probe, method));

    /// <summary>The same of a plan that is resolved.</summary>
    public static SlimResult Run(ResolvedPlan resolved, Evidence evidence)
    {
        var (asked, analysis, dense) = (resolved.Plan, resolved.Analysis, resolved.Analysis.File);
        if (evidence.Probe is null && Requirements(resolved).Runs)
            throw new EspalierException("The plan chooses or fits by what changed models give on calibration data, or by the time that "
                + "they take, but there is none to run them on. Give calibration data, or use another allocation, budget, schedule and "
                + "score.");
        WrittenBudget.Demand(asked, FileCost.Before(analysis));
        evidence.Progress?.Invoke("turning bases");
        var notes = new List<string>(evidence.Statistics?.Notes ?? []);
        (resolved, evidence) = BasisChange.Apply(resolved, evidence, notes);
        var split = RankSplit.Create(resolved, evidence, notes);
        EspalierException? missed = null;
        for (int round = 1; ; round++)
        {
            SlimModel slim;
            PruningReport report;
            try
            {
                (slim, report) = Carry(resolved, evidence, split, [.. notes]);
            }
            // No choice meets the lowered bound: what is said is that the stated one is missed.
            catch (EspalierException) when (missed is not null)
            {
                throw missed;
            }
            report = report with { Plan = asked };
            if (WrittenBudget.Misses(asked, analysis, slim, report) is not { Count: > 0 } misses)
                return new SlimResult(slim.Model == resolved.Analysis.File ? dense : slim.Model, report);
            missed = WrittenBudget.Refuse(analysis, slim, misses[0]);
            if (slim.Model != dense) slim.Model.Dispose();
            if (round == BudgetRounds) throw missed;
            var tightened = WrittenBudget.Tightened(resolved.Plan, misses, round);
            (resolved, split) = (resolved.With(tightened), split.With(tightened));
        }
    }

    /// <summary>Carries a plan out; whether its budget holds is not looked at.</summary>
    /// <param name="split">The form of the model that units and ranks are chosen in.</param>
    private static (SlimModel Slim, PruningReport Report) Carry(ResolvedPlan resolved, Evidence evidence, RankSplit split,
        List<string> notes)
    {
        var choice = ScheduleRow.Get(resolved.Plan.Schedule!.Value).Steps > 1
            ? Iteration.Choose(split.Resolved, split.Evidence, notes)
            : PruningChoice.Make(split.Resolved, split.Evidence, notes);
        var (selection, methods, ranks) = split.Settle(choice.Selection, choice.Methods);
        FitRequest Request(List<string> said) => new(selection, id => methods.GetValueOrDefault(id)) { Ranks = ranks, Notes = said };
        evidence.Progress?.Invoke("compensating");
        if (evidence.Foresee is { } foresee && IsSequential(resolved.Plan))
        {
            var quick = Make(resolved, selection, Fit(resolved, evidence, Request([]), once: true), evidence, []).Slim;
            foresee(quick.Model);
            if (quick.Model != resolved.Analysis.File) quick.Model.Dispose();
        }
        var (slim, edits) = Make(resolved, selection, Fit(resolved, evidence, Request(notes)), evidence, notes);
        return (slim, ReportBuilder.Build(resolved.Plan, resolved.Analysis, selection, slim, edits, notes));
    }

    /// <summary>The slim model, and the edits of its weights with the factors that some become.</summary>
    private static (SlimModel Slim, WeightEdits Edits) Make(ResolvedPlan resolved, Selection selection, WeightEdits edits,
        Evidence evidence, List<string> notes)
    {
        evidence.Progress?.Invoke("removing");
        var analysis = resolved.Analysis;
        edits = edits with
        {
            Factors = [.. edits.Factors.Concat(LowRank.Factor(resolved, selection, edits, evidence, notes))
                .Select(f => LowRank.Sized(f, resolved.Model, selection))],
        };
        return selection.Kept.Count == 0 && selection.RemovedBlocks.Length == 0 && edits.Factors.Count == 0
            ? (new SlimModel(analysis.File, new Dictionary<string, IReadOnlyDictionary<int, int[]>>()), edits)
            : (Checked(Surgery.Apply(analysis, selection, edits)), edits);
    }

    private static bool IsSequential(PruningPlan plan) => plan.Schedule == Schedule.Sequential;

    /// <param name="once">Whether all layers are fitted to what they read in the dense model, whatever the schedule says.</param>
    private static WeightEdits Fit(ResolvedPlan resolved, Evidence evidence, FitRequest request, bool once = false)
    {
        var (statistics, probe, _) = evidence;
        var edits = Compensator.Compute(resolved.Model, request with
        {
            Statistics = statistics,
            Progress = evidence.Progress,
            Sequential = IsSequential(resolved.Plan) && !once ? probe : null,
        });
        if (probe is null || (!Presets.Get(resolved.Plan.Preset!.Value).MeasuresNorms
            && !request.Selection.Kept.Keys.Any(g => request.Method(g) == Compensation.Affine))) return edits;
        return NormStatistics.Measure(resolved.Model, request.Selection, edits, probe, request.Notes!,
            evidence.IsWithoutData || resolved.Plan.Inputs is InputSource.Noise or InputSource.OutOfDistribution);
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
}
