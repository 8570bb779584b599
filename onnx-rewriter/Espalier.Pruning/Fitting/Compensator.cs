using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>
/// Changes the weights that read pruned groups so that they make up for what was removed. Formulas and sources: docs/methods.md.
/// </summary>
internal static class Compensator
{
    /// <summary>Asks for what the compensation of a rule reads.</summary>
    public static void Require(ResolvedRule rule, AxisAnalysis analysis, Requirements needs)
    {
        var method = rule.Rule.Compensate ?? Compensation.None;
        var reads = CompensationRow.Get(method).Needs;
        needs.Data |= method != Compensation.None;
        needs.HeldOut |= reads.HasFlag(Needs.HeldOut);
        if (reads.HasFlag(Needs.Consumers)) needs.Consumers(rule.Groups);
        if (reads.HasFlag(Needs.Covariance)) needs.Covariance(rule.Groups);
        if (method == Compensation.Merge)
            needs.Signals(rule.Groups.SelectMany(g => SignalScores.Signals(analysis, g, Criterion.RouterUse)));
    }

    /// <summary>Computes the changed weights.</summary>
    /// <returns>Weights in the dense layout: only the kept columns and the biases matter.</returns>
    /// <exception cref="EspalierException">A method needs calibration and there is none.</exception>
    public static WeightEdits Compute(DenseModel model, FitRequest request)
    {
        var (analysis, selection) = (model.Analysis, request.Selection);
        var pruned = analysis.Groups.Where(g => selection.Kept.TryGetValue(g.Id, out var kept) && kept.Length < g.Size).ToList();
        var methods = new Dictionary<int, Compensation>();
        foreach (var group in pruned.Where(g => request.Method(g.Id) != Compensation.Merge))
            foreach (var consumer in group.Consumers)
                methods[consumer.Id] = CompensationRow.MoreDemanding(methods.GetValueOrDefault(consumer.Id), request.Method(group.Id));
        foreach (var consumer in request.Ranks.Values.SelectMany(r => r.Target.Consumers)) methods[consumer.Id] = Compensation.LeastSquares;
        var merged = pruned.Where(g => request.Method(g.Id) == Compensation.Merge && g.Kind == Axis.Experts).ToList();
        if (merged.Count == 0 && methods.Values.All(m => m == Compensation.None)) return WeightEdits.Nothing;
        if (request.Statistics is null)
            throw new EspalierException(
                "Compensation needs calibration data, but there are none. Give calibration data, or compensate with None.");
        var fit = new ConsumerFit(model, request, pruned);
        if (request.Sequential is not null) AddLaterConsumers(analysis, methods);
        var goneNodes = analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).SelectMany(b => b.Nodes).ToHashSet();
        var sharing = analysis.Products
            .Where(c => methods.GetValueOrDefault(c.Id) != Compensation.None && !goneNodes.Contains(c.Node.Ordinal))
            .GroupBy(c => (c.Parameter, c.ParameterAxis, c.OutputAxis)).Select(g => g.ToList()).ToList();
        if (request.Sequential is { } probe)
        {
            int begin = sharing.Select(s => s.Min(c => c.Node.Ordinal)).DefaultIfEmpty(int.MaxValue).Min();
            var norms = methods.ContainsValue(Compensation.Affine)
                ? NormAffine.Find(analysis, model.Weights).Where(n => n.Ordinal > begin && !goneNodes.Contains(n.Ordinal))
                : [];
            FitInOrder(fit, Stages(fit, sharing, new(norms), methods), probe, slim => Surgery.Use(analysis, selection, fit.Edits, slim),
                request.Progress);
        }
        else FitAtOnce(fit, sharing, methods, request.Progress);
        var merging = new ExpertMerging(model, request.Statistics, request.Notes ?? []);
        foreach (var group in merged) fit.Merge(merging, group);
        return fit.Edits;
    }

    /// <summary>What comes after a pruned layer gets other inputs than in the dense model even where it loses none of them.</summary>
    private static void AddLaterConsumers(AxisAnalysis analysis, Dictionary<int, Compensation> methods)
    {
        int first = analysis.Products.Where(c => methods.GetValueOrDefault(c.Id) == Compensation.LeastSquares)
            .Select(c => c.Node.Ordinal).DefaultIfEmpty(int.MaxValue).Min();
        foreach (var consumer in analysis.Products.Where(c => c.Node.Scope == 0 && c.Node.Ordinal > first))
            methods.TryAdd(consumer.Id, Compensation.LeastSquares);
    }

    /// <summary>What is fitted at once, and where it is observed.</summary>
    private sealed record Stage(IReadOnlyList<FitPoint> Points, Action Fit);

    /// <summary>
    /// Layer by layer: what reads one activation is fitted to what it gets now. Readers that share a weight come with the last
    /// of them, normalisations before what comes after them.
    /// </summary>
    private static List<Stage> Stages(ConsumerFit fit, List<List<Consumer>> sharing, Queue<NormAffine> norms,
        Dictionary<int, Compensation> methods)
    {
        var stages = new List<Stage>();
        foreach (var stage in sharing.OrderBy(c => c.Max(r => r.Node.Ordinal)).ChunkBy(c => (c[^1].Activation, c[^1].ActivationAxis)))
        {
            AddNorms(stage.Min(s => s.Max(c => c.Node.Ordinal)));
            stages.Add(new([.. stage.SelectMany(c => c).Select(fit.PointOf)], () =>
            {
                foreach (var consumers in stage) fit.Fit(consumers, MostDemanding(consumers, methods));
            }));
        }
        AddNorms(int.MaxValue);
        return stages;

        void AddNorms(int before)
        {
            for (; norms.TryPeek(out var norm) && norm.Ordinal < before; norms.Dequeue())
                stages.Add(new([fit.PointOf(norm)], () => fit.Fit(norm)));
        }
    }

    private static void FitInOrder(ConsumerFit fit, List<Stage> stages, IModelProbe probe,
        Func<Func<SlimModel, IReadOnlyDictionary<int, ErrorStatistics>>, IReadOnlyDictionary<int, ErrorStatistics>> use,
        Action<WorkStep>? progress)
    {
        if (stages.Count == 0) return;
        using var run = probe.Stages([.. stages.Select(s => s.Points)]);
        foreach (var stage in stages)
        {
            fit.Seen = use(slim => run.Next(slim.Model));
            stage.Fit();
        }
        progress?.Invoke(new("fitting layer by layer", stages.Count, stages.Count));
    }

    private static void FitAtOnce(ConsumerFit fit, List<List<Consumer>> sharing, Dictionary<int, Compensation> methods,
        Action<WorkStep>? progress)
    {
        for (int s = 0; s < sharing.Count; s++)
        {
            progress?.Invoke(new("compensating", s, sharing.Count));
            fit.Fit(sharing[s], MostDemanding(sharing[s], methods));
        }
        if (sharing.Count > 0) progress?.Invoke(new("compensating", sharing.Count, sharing.Count));
    }

    private static Compensation MostDemanding(List<Consumer> consumers, Dictionary<int, Compensation> methods)
        => consumers.Select(c => methods[c.Id]).Aggregate(CompensationRow.MoreDemanding);
}
