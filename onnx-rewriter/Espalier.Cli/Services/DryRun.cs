using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Pruning;
using Espalier.Pruning.Plans;

namespace Espalier.Cli.Services;

/// <summary>
/// What a plan would do, without data, without running the model and without writing: exactly, where the plan needs none of these; else
/// with the weights' magnitudes in the place of what is measured, and notes that say what is then not known.
/// </summary>
internal static class DryRun
{
    /// <exception cref="EspalierException">The plan cannot be carried out.</exception>
    public static PruningReport Run(AxisAnalysis analysis, PruningPlan plan, string fileName)
    {
        var complete = SlimJob.Complete(plan, analysis, hasData: plan.Calibration?.Path is not null);
        var resolved = ResolvedPlan.Resolve(complete, analysis);
        var notes = new List<string>();
        bool known = Slimmer.Needs(resolved) is null && complete.Budget?.Latency is null;
        if (!known) resolved = ResolvedPlan.Resolve(WithoutData(complete, notes), analysis);
        if (complete.Guard is not null) notes.Add("The guard is checked when the model is slimmed.");
        var slim = Slimmer.Run(resolved, new(null, null, null));
        var report = slim.Report with { After = slim.Report.After with { Bytes = slim.Model.WrittenBytes(fileName) } };
        if (slim.Model != analysis.File) slim.Model.Dispose();
        report = report with { Plan = complete, Notes = [.. report.Notes, .. notes] };
        return known ? report : Unsettled(report, complete.Drop.Count > 0);
    }

    /// <summary>The plan with what needs no data in the place of what does.</summary>
    private static PruningPlan WithoutData(PruningPlan plan, List<string> notes)
    {
        var measured = plan.Prune.Select(r => CriterionRow.Get(r.Score!.Value)).Where(c => c.Needs.Any(Needs.Data)).Select(c => c.Word)
            .Distinct().ToList();
        if (measured.Count > 0) notes.Add($"Which units go is decided by data ({string.Join(", ", measured)}).");
        var allocation = AllocationRow.Get(plan.Allocate!.Value);
        bool spreads = allocation.Needs.Any(Needs.Data) || (measured.Count > 0 && !allocation.KeepsRatios);
        if (spreads)
            notes.Add($"How much of each group goes is decided by data ({allocation.Word}); the figures are those of an even spread.");
        if (plan.Drop.Count > 0) notes.Add("Which sublayers or blocks go is decided by data; the figures are those of some.");
        var budget = plan.Budget;
        if (budget?.Latency is { } time)
        {
            notes.Add("A budget of time is met by measuring; the figures are those of the same fraction of the multiply-accumulates.");
            budget = budget with { Latency = null, Macs = Math.Min(time, budget.Macs ?? 1) };
        }
        var ranks = plan.LowRank.Where(r => r is not { Rank: null, Keep: null }).ToList();
        if (ranks.Count < plan.LowRank.Count)
            notes.Add("How a budget is split between units and ranks is decided by data; the figures are those of units alone.");
        return plan with
        {
            Prune = [.. plan.Prune.Select(r => r with
            {
                Score = CriterionRow.Get(r.Score!.Value).Needs.Any(Needs.Data) ? Criterion.L2 : r.Score,
                Compensate = Compensation.None,
            })],
            Drop = [.. plan.Drop.Select(r => r with { Score = Criterion.Random })],
            LowRank = ranks,
            Budget = budget,
            Allocate = spreads || allocation.Allocation == Allocation.Latency ? Allocation.Uniform : plan.Allocate,
            Schedule = Schedule.OneShot,
        };
    }

    /// <summary>A report without what only data decide: which units, and which blocks.</summary>
    private static PruningReport Unsettled(PruningReport report, bool drops) => report with
    {
        Removed = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>>(),
        Copies = [],
        Groups = [.. report.Groups.Select(g => g with { RemovedUnits = [] })],
        Bypassed = [],
        Blocks = [],
        Layers = drops ? [] : report.Layers,
    };
}
