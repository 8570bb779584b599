using Espalier.Axes;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Pruning.Gates;

/// <summary>An operand that is multiplied by a gate along one axis.</summary>
internal sealed record GatePlace(Group Group, NodeRecord Record, int Operand, int Axis);

/// <summary>Derives from the sums of every node where gates must stand.</summary>
internal static class GatePlaces
{
    public static (List<GatePlace> Places, SortedDictionary<int, string> Refused) Find(AxisAnalysis analysis, IReadOnlyList<Group> groups)
    {
        var (state, refused, places) = (analysis.State, new SortedDictionary<int, string>(), new HashSet<GatePlace>());
        var byFactor = groups.ToDictionary(g => g.Factor);
        foreach (var mark in state.Inexact.Where(m => !m.OfMasking))
            foreach (var group in Groups(mark.Term))
                Refuse(group, mark.Node < 0
                    ? mark.Tensor
                    : state.Records[mark.Node].Inputs.FirstOrDefault(i => i?.Terms?.Any(t => t.Has(group.Factor))
                        == true)?.Name, mark.Reason);
        foreach (var use in state.Means)
            foreach (var group in use.Terms.SelectMany(Groups).Where(g => analysis.InexactMarks.ContainsKey(g.Factor)))
                Refuse(group, state.Records[use.Node.Ordinal].Inputs[0]?.Name,
                    $"{use.Node}: a mean over what is left divides by another number for every choice");
        foreach (var record in state.Records)
            foreach (var (term, operands) in record.Sums)
                foreach (var group in Groups(term))
                    if (Place(group, record, operands) is { } reason)
                        Refuse(group, record.Inputs[operands[0]]?.Name, $"{record.Info}: {reason}");
        return ([.. places.Where(p => !refused.ContainsKey(p.Group.Id))], refused);

        IEnumerable<Group> Groups(Term term) => term.Leaves.Where(byFactor.ContainsKey).Select(l => byFactor[l]);

        void Refuse(Group group, string? tensor, string reason)
            => refused.TryAdd(group.Id, tensor is null ? reason : $"tensor '{tensor}': {reason}");

        string? Place(Group group, NodeRecord record, int[] operands)
        {
            var having = Having(record, group, Enumerable.Range(0, record.Inputs.Length)).ToList();
            // Of a product one factor that is zero is enough; the activation is the smaller one. In any other operator
            // everything that has the units is zero in the masked model, so everything is gated.
            if (record.Contraction is { } product && operands.Contains(product.Left)
                && having.Any(k => k == product.Left || k == product.Right))
            {
                var factors = having.Where(k => (k == product.Left || k == product.Right) && operands.Contains(k))
                    .OrderBy(k => record.Inputs[k]!.IsConstant).ToList();
                if (factors.Where(k => WhyNot(record.Inputs[k]!, group) is null).Take(1).ToList() is [var factor]) having = [factor];
                else if (operands.Any(k => IsQuantised(state, record.Inputs.ElementAtOrDefault(k)))) return null;
            }
            foreach (int k in having)
            {
                if (WhyNot(record.Inputs[k]!, group) is { } reason) return reason;
                for (int axis = 0; axis < record.Inputs[k]!.Terms!.Length; axis++)
                    if (record.Inputs[k]!.Terms![axis].Has(group.Factor)) places.Add(new(group, record, k, axis));
            }
            return null;
        }
    }

    private static IEnumerable<int> Having(NodeRecord record, Group group, IEnumerable<int> operands)
        => operands.Where(k => record.Inputs.ElementAtOrDefault(k)?.Terms?.Any(t => t.Has(group.Factor)) == true);

    /// <summary>
    /// Integers of an operator that sums over all of its operand to find a scale: its operand has the gate, and zero becomes
    /// the zero point.
    /// </summary>
    private static bool IsQuantised(InferenceState state, TensorState? tensor)
        => tensor is { Producer: >= 0 }
            && state.Records[tensor.Producer].Info.Proto is { OpType: "DynamicQuantizeLinear", Domain: "" or "ai.onnx" };

    private static string? WhyNot(TensorState tensor, Group group)
    {
        if (tensor.Terms!.Any(t => t.Size is null && t.Has(group.Factor)))
            return $"'{tensor.Name}' has the units on an axis of dynamic size, which a gate cannot follow";
        return (TensorProto.Types.DataType)tensor.ElementType is TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Double
            or TensorProto.Types.DataType.Float16 ? null
            : tensor.ElementType == 0 ? $"the type of the elements of '{tensor.Name}' is not known"
            : $"it sums '{tensor.Name}' of type {(TensorProto.Types.DataType)tensor.ElementType}, which is multiplied by no gate";
    }
}
