using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Roles;

/// <summary>Finds the activations that say how much the units of a group are used.</summary>
internal static class UnitSignals
{
    // The operators that choose experts are few, and each has its own way to say it: they stand here and not in the table.
    /// <summary>
    /// Where the router says how likely an expert is: what a Softmax, a TopK or a fused mixture makes of the axis of experts.
    /// Null where nothing does in the main graph.
    /// </summary>
    /// <returns>The signal, and the tensors from which it is made without another product: the router's own result is among them.</returns>
    public static (UnitSignal Signal, IReadOnlySet<string> From)? Router(AxisAnalysis analysis, Group group)
    {
        if (group.Kind != Axis.Experts) return null;
        var state = analysis.State;
        (UnitSignal Signal, IReadOnlySet<string> From)? found = null;
        int chosen = 0;
        foreach (var mark in state.Inexact.Where(m => m.Node >= 0 && m.Term.Resolved is FactorTerm own && own.Factor == group.Factor)
            .OrderBy(m => m.Node))
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
            {
                var signal = Signal(group, SignalKind.RouterUse, tensor.Name, axis, terms[axis]);
                found = (signal with { IsDistribution = isDistribution }, From(state, tensor, group.Factor));
            }
        }
        return found is var (router, from) ? (router with { Chosen = chosen }, from) : null;
    }

    /// <summary>A tensor and those before it that have the units, up to products.</summary>
    private static HashSet<string> From(InferenceState state, TensorState tensor, Factor factor)
        => [.. new Upstream(state, t => t == tensor || (t is { IsConstant: false, Terms: { } terms } && terms.Any(a => a.Has(factor))))
            .Walk(tensor, _ => false).Select(step => step.Tensor.Name)];

    /// <summary>Attention weights with an axis along the heads: outputs of a Softmax over another axis, the last.</summary>
    public static IReadOnlyList<UnitSignal> Attention(AxisAnalysis analysis, Group group, SignalKind kind = SignalKind.AttentionElsewhere)
    {
        if (group.Kind is not (Axis.Heads or Axis.KeyValueGroups)) return [];
        var found = new List<UnitSignal>();
        foreach (var record in analysis.State.Records.Where(r => r.Info.Scope == 0 && r.Info.Proto.OpType == "Softmax"))
        {
            if (record.Outputs[0] is not { Terms: { Length: >= 3 } terms, IsConstant: false } map || terms[^1].Has(group.Factor)
                || terms[^2].Has(group.Factor)) continue;
            if ((record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? -1) is not -1 and var over
                && over != terms.Length - 1) continue;
            int axis = Array.FindIndex(terms, t => t.Has(group.Factor));
            if (axis >= 0 && terms[axis].Size is not null)
                found.Add(Signal(group, kind, map.Name, axis, terms[axis]));
        }
        return found;
    }

    private static UnitSignal Signal(Group group, SignalKind kind, string tensor, int axis, Term term)
        => new(group.Id, kind, tensor, axis) { Term = term, Factor = group.Factor, IsDistribution = true };

    private static int AxisOf(Term[] terms, Factor factor)
        => Array.FindIndex(terms, t => t.Resolved is FactorTerm own && own.Factor == factor);
}
