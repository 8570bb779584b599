using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Terms;
using Espalier.Onnx.Payloads;
using Espalier.Planning;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Factoring;

/// <summary>Factors weights: which ranks, and the factors. Last of all steps, on what pruning and compensation have left.</summary>
internal static class LowRank
{
    /// <summary>Asks for what the factors are fitted to. Without data a weight is factored by its own numbers.</summary>
    public static void Require(ResolvedPlan resolved, Requirements needs)
    {
        var readers = Own(resolved).SelectMany(t => t.Weight.Consumers).ToList();
        needs.Consumers(readers);
        needs.Covariance(readers);
        needs.Data |= readers.Count > 0 && (Presets.Get(resolved.Plan.Preset!.Value).NeedsCalibration
            || resolved.Plan.Calibration is { Path: not null } or { Method: not null });
    }

    /// <summary>What no other step factors.</summary>
    private static IEnumerable<LowRankTarget> Own(ResolvedPlan resolved)
        => resolved.Targets.Where(t => !LowRankTargets.ShareBudget(resolved.Plan) || !LowRankTargets.IsOpen(t.Rule));

    /// <summary>The factors.</summary>
    /// <param name="evidence">Statistics, null for the plain decomposition; a probe: where something is pruned, inputs are those
    /// of the slim model.</param>
    /// <param name="notes">Gets what stays and why.</param>
    /// <exception cref="EspalierException">The budget cannot be met.</exception>
    public static IReadOnlyList<LowRankFactors> Factor(ResolvedPlan resolved, Selection selection, WeightEdits edits, Evidence evidence,
        List<string> notes)
    {
        var (plan, analysis, weights) = (resolved.Plan, resolved.Analysis, resolved.Model.Weights);
        var (statistics, probe, _) = evidence;
        notes.AddRange(resolved.RankNotes);
        var goneNodes = analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).SelectMany(b => b.Nodes).ToHashSet();
        var targets = Own(resolved).Where(t => !t.Weight.Consumers.Any(r => goneNodes.Contains(r.Node.Ordinal))).ToList();
        if (targets.Count == 0) return [];
        var keptOf = KeptOf(analysis, selection);
        var sizes = targets.Select(t => SizeOf(analysis, t.Weight, keptOf)).ToList();
        int?[] ranks = Ranks(plan, analysis, selection, targets, sizes);
        for (int k = 0; k < ranks.Length; k++)
        {
            if (ranks[k] is not { } rank || sizes[k].Saves(rank)) continue;
            notes.Add(FormattableString.Invariant($"Weight '{targets[k].Weight.Weight}' is not factored: rank {rank} of its ")
                + FormattableString.Invariant($"{sizes[k].Inputs}x{sizes[k].Outputs} saves nothing; below ")
                + FormattableString.Invariant(
                    $"{(double)sizes[k].Inputs * sizes[k].Outputs / (sizes[k].Inputs + sizes[k].Outputs):0.#} it would."));
            ranks[k] = null;
        }
        var ids = targets.Where((_, k) => ranks[k] is not null).SelectMany(t => t.Weight.Consumers).Select(r => r.Id).ToHashSet();
        bool changed = selection.Kept.Count > 0 || !selection.RemovedBlocks.IsEmpty || edits.Weights.Count > 0;
        var paired = changed && probe is not null && statistics is not null && ids.Count > 0
            ? Surgery.Use(analysis, selection, edits, slim => probe.Inputs(slim.Model, analysis, ids))
            : null;
        var factors = new List<LowRankFactors>();
        for (int k = 0; k < ranks.Length; k++)
        {
            if (ranks[k] is not { } rank) continue;
            var target = targets[k].Weight;
            var (inputs, outputs) = Kept(analysis, target, keptOf);
            int[] features = target.Features(inputs);
            double[]? moment = Moment(target, features, statistics, paired);
            if (moment is null && statistics is not null)
                notes.Add($"Weight '{target.Weight}' is factored without looking at its inputs: calibration has no covariance of them.");
            var (down, up, error) = LowRankFit.Compute(Part(weights, edits, target, features, outputs), features.Length,
                outputs.Length, rank, moment);
            factors.Add(Dense(analysis, target, rank, down, up, (features, outputs)) with { Error = moment is null ? null : error });
        }
        return factors;
    }

    /// <summary>Factors with their sizes in the slim model, and with how far they are from the dense weight.</summary>
    public static LowRankFactors Sized(LowRankFactors factors, DenseModel model, Selection selection)
    {
        var (analysis, target, rank) = (model.Analysis, factors.Target, factors.Rank);
        var keptOf = KeptOf(analysis, selection);
        var (inputs, outputs) = Kept(analysis, target, keptOf);
        int[] features = target.Features(inputs);
        int all = factors.Up.Length / rank;
        float[] down = new float[features.Length * rank], up = new float[rank * outputs.Length];
        for (int f = 0; f < features.Length; f++)
            factors.Down.AsSpan(features[f] * rank, rank).CopyTo(down.AsSpan(f * rank));
        for (int r = 0, at = 0; r < rank; r++)
            foreach (int o in outputs) up[at++] = factors.Up[(r * all) + o];
        return factors with
        {
            Size = SizeOf(analysis, target, keptOf),
            Distance = LowRankFit.Distance(Part(model.Weights, WeightEdits.Nothing, target, features, outputs), down, up,
                features.Length, outputs.Length),
        };
    }

    private static Dictionary<Factor, ImmutableArray<int>> KeptOf(AxisAnalysis analysis, Selection selection)
        => analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id)).ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);

    /// <summary>Factors of the slim model's sizes in the dense layout, with zeros where units are gone.</summary>
    public static LowRankFactors Dense(AxisAnalysis analysis, FactorableWeight target, int rank, float[] down, float[] up,
        (int[] Features, int[] Outputs) kept)
    {
        var (features, outputs) = kept;
        var (n, m) = Sizes(analysis, target);
        var (a, b) = (new float[n * target.Positions * rank], new float[rank * m]);
        for (int f = 0; f < features.Length; f++) down.AsSpan(f * rank, rank).CopyTo(a.AsSpan(features[f] * rank));
        for (int r = 0; r < rank; r++)
            for (int o = 0; o < outputs.Length; o++) b[(r * m) + outputs[o]] = up[(r * outputs.Length) + o];
        return new(target, rank, a, b);
    }

    /// <summary>Inputs and outputs of the dense weight.</summary>
    private static (int Inputs, int Outputs) Sizes(AxisAnalysis analysis, FactorableWeight target)
    {
        var terms = analysis.TermsOf(target.Weight)!;
        return ((int)terms[target.Consumers[0].ParameterAxis].Size!.Value, (int)terms[target.Consumers[0].OutputAxis].Size!.Value);
    }

    private static (int[] Inputs, int[] Outputs) Kept(AxisAnalysis analysis, FactorableWeight target,
        Dictionary<Factor, ImmutableArray<int>> keptOf)
    {
        var terms = analysis.TermsOf(target.Weight)!;
        int[] Factor(int axis) => terms[axis].KeptIndices(f => keptOf.TryGetValue(f, out var kept) ? kept : (ImmutableArray<int>?)null);
        return (Factor(target.Consumers[0].ParameterAxis), Factor(target.Consumers[0].OutputAxis));
    }

    private static LowRankSize SizeOf(AxisAnalysis analysis, FactorableWeight target, Dictionary<Factor, ImmutableArray<int>> keptOf)
    {
        var (inputs, outputs) = Kept(analysis, target, keptOf);
        var (n, m) = Sizes(analysis, target);
        double macs = target.Consumers.Sum(r =>
            analysis.State.Records[r.Node.Ordinal].Macs.Sum(p => p.Aggregate(1.0, (a, t) => a * (t.Nominal ?? 1))));
        return new(inputs.Length * target.Positions, outputs.Length, macs * ((double)inputs.Length * outputs.Length / ((double)n * m)),
            DataTypes.Bits(target.Type) / 8.0);
    }

    /// <summary>Rank of every weight; null where it stays. A budget is shared by equal shares of parameters.</summary>
    private static int?[] Ranks(PruningPlan plan, AxisAnalysis analysis, Selection selection, List<LowRankTarget> targets,
        List<LowRankSize> sizes)
    {
        int?[] At(double share) => [.. targets.Select((t, k) => t.Rule.Rank is { } rank ? rank
            : t.Rule.Keep is { } keep ? sizes[k].RankOf(keep)
            : share < 1 && sizes[k].RankOf(share) is var own && sizes[k].Saves(own) ? own : (int?)null)];
        if (!LowRankTargets.TakeBudget(plan)) return At(1);
        var gone = DepthSelector.SublayersOf(analysis, selection.RemovedBlocks);
        double Size(int group) => selection.Kept.TryGetValue(group, out var kept) ? kept.Length : analysis.Cost.GroupSizes[group];
        double Cost(CostUnit unit, int?[] ranks) => analysis.Cost.Evaluate(unit, Size, gone)
            - ranks.Select((r, k) => r is { } rank && sizes[k].Saves(rank)
                ? sizes[k].Cost(unit, null) - sizes[k].Cost(unit, rank)
                : 0).Sum();
        bool Holds(int?[] ranks)
            => plan.Budget.Limits().All(l => Cost(l.Unit, ranks) <= l.Fraction * analysis.Cost.Evaluate(l.Unit) * BudgetLimits.Rounding);
        int?[] best = At(1);
        if (Holds(best)) return best;
        best = At(0);
        if (!Holds(best))
        {
            var (unit, fraction) = plan.Budget.Limits()
                .First(l => Cost(l.Unit, best) > l.Fraction * analysis.Cost.Evaluate(l.Unit) * BudgetLimits.Rounding);
            // Rounded up, so that the figure is one that can be reached.
            double least = Math.Ceiling(Cost(unit, best) / analysis.Cost.Evaluate(unit) * 1000) / 1000;
            throw new EspalierException(FormattableString.Invariant($"No ranks meet the budget of {fraction} of the dense model's ")
                + FormattableString.Invariant($"{unit.CamelCase()}: with rank 1 in all ")
                + FormattableString.Invariant($"{targets.Count(t => LowRankTargets.IsOpen(t.Rule))} weights it is {least:0.000}. Raise ")
                + "the budget, let a rule take more weights, or prune units too.");
        }
        return At(Bisection.Find(t => Holds(At(t))).Holds);
    }

    /// <summary>The numbers of what is left of a weight, [features, outputs].</summary>
    private static float[] Part(WeightTable weights, WeightEdits edits, FactorableWeight target, int[] features, int[] outputs)
    {
        float[] whole = edits.Weights.GetValueOrDefault(target.Weight) ?? weights.Floats(target.Weight);
        var matrix = ConsumerMatrix.Create(target.Consumers[0], weights.Shape(target.Weight)!)!;
        var part = new float[features.Length * outputs.Length];
        for (int f = 0, at = 0; f < features.Length; f++)
            foreach (int o in outputs) part[at++] = whole[matrix.Offset(0, o, features[f])];
        return part;
    }

    /// <summary>E[xᵀx] of what all readers see, weighed by their rows; null where it was not measured.</summary>
    private static double[]? Moment(FactorableWeight target, int[] inputs, CalibrationStatistics? statistics,
        IReadOnlyDictionary<int, ErrorStatistics>? paired)
    {
        int n = inputs.Length;
        var moment = new double[n * n];
        double rows = 0;
        foreach (var reader in target.Consumers)
        {
            if (paired?.GetValueOrDefault(reader.Id) is { } now && now.InputMean.Length == n)
            {
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < n; j++)
                        moment[(i * n) + j] += now.Count * (now.Covariance[i, j] + (now.InputMean[i] * now.InputMean[j]));
                rows += now.Count;
            }
            else if (statistics?.Consumers.GetValueOrDefault(reader.Id) is { Covariance: { } covariance } seen
                && inputs[^1] < seen.Mean.Length)
            {
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < n; j++)
                        moment[(i * n) + j] += seen.Count * (covariance[inputs[i], inputs[j]]
                            + (seen.Mean[inputs[i]] * seen.Mean[inputs[j]]));
                rows += seen.Count;
            }
            else return null;
        }
        for (int i = 0; i < moment.Length; i++) moment[i] /= rows;
        return moment;
    }
}
