namespace Espalier.Axes;

/// <summary>What is averaged of an activation that has a value per unit.</summary>
public enum SignalKind
{
    /// <summary>
    /// Router's probability of an expert, counted where the expert is among those that are chosen; and the share of the rows where it is.
    /// </summary>
    RouterUse,
    /// <summary>Attention that a head gives to other positions than the query's own and the first, over all queries. Queries are taken to be the last of the keys.</summary>
    AttentionElsewhere,
    /// <summary>
    /// Of the positions t at which the model's likeliest next token stands at some j ≤ t, the share at which the head's largest weight is on such a j.
    /// </summary>
    Retrieval,
}

/// <summary>An activation that has a value per unit of a group, found by its terms and by the operator that normalises it; names play no part.</summary>
/// <param name="Group">Number of the group.</param>
/// <param name="Kind">What is averaged.</param>
/// <param name="Tensor">The activation: router's probabilities or logits, or attention weights.</param>
/// <param name="Axis">Its axis along the units.</param>
/// <param name="Term">Term of that axis.</param>
/// <param name="IsDistribution">Whether it is normalised already; of logits the softmax is taken.</param>
/// <param name="Chosen">How many units are chosen per row; 0 for all.</param>
public sealed record UnitSignal(int Group, SignalKind Kind, string Tensor, int Axis, Term Term, bool IsDistribution, int Chosen)
{
    /// <summary>The units' group as a factor, for <see cref="Term.UnitMap"/>.</summary>
    public required Factor Factor { get; init; }
}

/// <summary>Averages of a <see cref="UnitSignal"/>, one per unit.</summary>
/// <param name="Mean">Mean over rows.</param>
/// <param name="Share">Share of the rows where the unit is among the chosen; ones where all are.</param>
public sealed record SignalStatistics(double[] Mean, double[] Share);

/// <summary>An axis of an activation.</summary>
/// <param name="Tensor">The activation, in the main graph.</param>
/// <param name="Axis">Its axis, from 0.</param>
/// <param name="Within">Another axis whose elements are kept apart, each with all elements of <paramref name="Axis"/>, one after the other; −1 for none.</param>
public sealed record TensorAxis(string Tensor, int Axis, int Within = -1);

/// <summary>Mean and population variance of every element of a <see cref="TensorAxis"/> over all others.</summary>
/// <param name="Mean">Mean per element.</param>
/// <param name="Variance">Variance per element.</param>
public sealed record AxisMoments(double[] Mean, double[] Variance)
{
    /// <summary>Variance over all elements together.</summary>
    public double TotalVariance
    {
        get
        {
            double mean = Mean.Average();
            return Variance.Average() + Mean.Average(m => (m - mean) * (m - mean));
        }
    }
}

/// <summary>Finds the activations that say how much the units of a group are used.</summary>
internal static class UnitSignals
{
    /// <summary>Where the router says how likely an expert is: what a Softmax, a TopK or a fused mixture makes of the axis of experts. Null where nothing does in the main graph.</summary>
    /// <returns>The signal, and the tensors from which it is made without another product: the router's own result is among them.</returns>
    public static (UnitSignal Signal, IReadOnlySet<string> From)? Router(AxisAnalysis analysis, Group group)
    {
        if (group.Kind != GroupKind.Experts || analysis.State is not { } state) return null;
        (UnitSignal Signal, IReadOnlySet<string> From)? found = null;
        int chosen = 0;
        foreach (var mark in state.Inexact.Where(m => m.Node >= 0 && m.Term.Head is FactorTerm own && own.Factor == group.Factor).OrderBy(m => m.Node))
        {
            var record = state.Records[mark.Node];
            if (record.Info.Scope != 0) continue;
            string op = record.Info.Proto.OpType;
            // Of several operands that are normalised the first activation is the router's.
            var (tensor, isDistribution) = op switch
            {
                "Softmax" => (record.Outputs[0], true),
                "TopK" => (record.Inputs[0], false),
                "MoE" or "QMoE" => (record.Inputs[1], false),
                _ => (null, false),
            };
            if (op != "Softmax" && tensor is not null) chosen = (int)Math.Min(mark.MinKeep, group.Size);
            if (found is null && tensor is { Terms: { } terms, IsConstant: false } && AxisOf(terms, group.Factor) is >= 0 and var axis)
                found = (new(group.Id, SignalKind.RouterUse, tensor.Name, axis, terms[axis], isDistribution, 0) { Factor = group.Factor }, Upstream(state, tensor, group.Factor));
        }
        return found is var (signal, from) ? (signal with { Chosen = chosen }, from) : null;
    }

    /// <summary>A tensor and those before it that have the units, up to products.</summary>
    private static HashSet<string> Upstream(InferenceState state, TensorState tensor, Factor factor)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<TensorState>([tensor]);
        while (open.TryPop(out var next))
        {
            if (!seen.Add(next.Name) || next.Producer < 0 || state.Records[next.Producer] is not { Contraction: null } record) continue;
            foreach (var input in record.Inputs)
                if (input is { IsConstant: false, Terms: { } terms } && terms.Any(t => t.Has(factor))) open.Push(input);
        }
        return seen;
    }

    /// <summary>Attention weights with an axis along the heads: outputs of a Softmax over another axis, the last.</summary>
    public static IReadOnlyList<UnitSignal> Attention(AxisAnalysis analysis, Group group, SignalKind kind = SignalKind.AttentionElsewhere)
    {
        if (group.Kind is not (GroupKind.Heads or GroupKind.KeyValueGroups) || analysis.State is not { } state) return [];
        var found = new List<UnitSignal>();
        foreach (var record in state.Records.Where(r => r.Info.Scope == 0 && r.Info.Proto.OpType == "Softmax"))
        {
            if (record.Outputs[0] is not { Terms: { Length: >= 3 } terms, IsConstant: false } map || terms[^1].Has(group.Factor) || terms[^2].Has(group.Factor)) continue;
            if ((record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? -1) is not -1 and var over && over != terms.Length - 1) continue;
            int axis = Array.FindIndex(terms, t => t.Has(group.Factor));
            if (axis >= 0 && terms[axis].Size is not null) found.Add(new(group.Id, kind, map.Name, axis, terms[axis], true, 0) { Factor = group.Factor });
        }
        return found;
    }

    private static int AxisOf(Term[] terms, Factor factor) => Array.FindIndex(terms, t => t.Head is FactorTerm own && own.Factor == factor);
}
