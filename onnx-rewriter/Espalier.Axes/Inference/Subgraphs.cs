using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Axes.Inference;

/// <summary>
/// Operators that hold graphs. The branches of an If agree on their results; a Scan carries states whose shapes stay; the variables of a
/// Loop keep the axes that its body gives back as it got them. Whatever cannot be shown to be so for every iteration stays whole.
/// </summary>
internal sealed class Subgraphs(InferenceState state, Func<GraphProto, Scope, Term[]?[]?, Scope> enter)
{
    /// <summary>Whether the graphs of this node are part of the walk: the same answer for inference and for surgery.</summary>
    public static bool IsFollowed(NodeProto node) => node.Domain is "" or "ai.onnx" && node.OpType is "If" or "Loop" or "Scan";

    /// <summary>Applies the rule of a node with graphs.</summary>
    public void Apply(NodeContext context, Scope scope)
    {
        if (!IsFollowed(context.Node)) Opaque(context, scope, $"the graphs of {context.Node.OpType} are not followed");
        else if (context.Node.OpType == "If") If(context, scope);
        else
        {
            int first = state.Records.Count;
            bool holds;
            try
            {
                holds = context.Node.OpType == "Scan" ? Scan(context, scope) : Loop(context, scope);
            }
            catch (MisfitException)
            {
                holds = false;
            }
            if (!holds)
            {
                context.Record.Body = null;
                Whole(context, scope, first);
            }
        }
    }

    private void If(NodeContext context, Scope scope)
    {
        var results = new List<TensorState?[]>();
        foreach (var attribute in context.Node.Attribute)
        {
            if (attribute.G is null) continue;
            var inner = enter(attribute.G, scope, null);
            results.Add([.. attribute.G.Output.Select(o => inner.Find(o.Name))]);
        }
        context.FreezeAll(context.Input(0), "a condition");
        var links = context.Record.Body = new(state.Records.Count);
        for (int k = 0; k < context.Record.Outputs.Length; k++)
        {
            var branches = results.Select(r => r.ElementAtOrDefault(k)).ToList();
            if (branches.Any(b => b?.Terms is null || b.Terms.Length != branches[0]!.Terms!.Length))
            {
                foreach (var branch in branches) context.FreezeAll(branch, "the branches give different shapes");
                context.Output(k, null);
                continue;
            }
            var terms = branches[0]!.Terms!;
            foreach (var branch in branches.Skip(1))
                for (int axis = 0; axis < terms.Length; axis++) context.Same(terms[axis], branch!.Terms![axis]);
            context.Output(k, terms).ElementType = branches[0]!.ElementType;
            links.Results.Add((context.Record.Outputs[k], [.. branches.Select(b => b!)]));
        }
    }

    /// <summary>ONNX Scan since operator set 9: states first, then sequences of which every step gets one slice.</summary>
    private bool Scan(NodeContext context, Scope scope)
    {
        if (context.Opset < 9 || context.Attribute("body")?.G is not { } body || context.Inputs.Any(i => i?.Terms is null)) return false;
        int sequences = (int)context.Int("num_scan_inputs", 0), states = context.Inputs.Length - sequences;
        if (states < 0 || body.Input.Count != context.Inputs.Length || body.Output.Count < states) return false;
        var inputAxes = context.Ints("scan_input_axes");
        var outputAxes = context.Ints("scan_output_axes");
        Term? length = null;
        var inner = new Term[]?[context.Inputs.Length];
        for (int k = 0; k < inner.Length; k++)
        {
            var terms = context.Input(k)!.Terms!;
            inner[k] = terms;
            if (k < states) continue;
            if (terms.Length == 0) return false;
            int axis = NodeContext.Axis(inputAxes?.ElementAtOrDefault(k - states) ?? 0, terms.Length);
            if (length is null) length = terms[axis];
            else context.Same(length, terms[axis]);
            inner[k] = [.. terms[..axis], .. terms[(axis + 1)..]];
        }
        if (length is not null) context.Freeze(length, "the steps of a scan");
        int first = state.Records.Count;
        var bodyScope = enter(body, scope, inner);
        if (length is not null) Repeat(first, length);
        var links = context.Record.Body = new(state.Records.Count);
        for (int k = states; k < inner.Length; k++) links.Slices.Add((context.Input(k)!, bodyScope.Find(body.Input[k].Name)!));
        for (int k = 0; k < body.Output.Count; k++)
        {
            if (bodyScope.Find(body.Output[k].Name) is not { Terms: { } terms } result) return false;
            if (k < states)
            {
                if (!Carries(context, inner[k]!, terms)) return false;
                context.Output(k, inner[k]).ElementType = result.ElementType;
                links.States.Add((context.Input(k)!, bodyScope.Find(body.Input[k].Name)!, result, context.Record.Outputs[k]));
            }
            else
            {
                int axis = NodeContext.Axis(outputAxes?.ElementAtOrDefault(k - states) ?? 0, terms.Length + 1);
                context.Output(k,
                    [.. terms[..axis], length
                        ?? context.Constant(null, "the steps of a scan"), .. terms[axis..]]).ElementType = result.ElementType;
                links.Results.Add((context.Record.Outputs[k], [result]));
            }
        }
        return true;
    }

    /// <summary>
    /// ONNX Loop: trip count, condition, variables; the body gets the step and the condition first and gives the condition first.
    /// </summary>
    private bool Loop(NodeContext context, Scope scope)
    {
        if (context.Attribute("body")?.G is not { } body || context.Inputs.Length < 2 || body.Input.Count != context.Inputs.Length)
            return false;
        int variables = context.Inputs.Length - 2;
        if (body.Output.Count < variables + 1) return false;
        var inner = new Term[]?[body.Input.Count];
        (inner[0], inner[1]) = ([], []);
        for (int k = 0; k < variables; k++)
        {
            if (context.Input(k + 2)?.Terms is not { } terms) return false;
            // A dynamic axis may be another in every iteration, until the body is seen to give it back.
            inner[k + 2] = [.. terms.Select(t => t.Size is null ? state.Unifier.Fresh(null, null, t.Nominal) : t)];
        }
        int first = state.Records.Count;
        var bodyScope = enter(body, scope, inner);
        if (context.Input(0)?.Value?.Numbers is [var trips] && trips > 1) Repeat(first, state.Unifier.Fresh(trips));
        else if (context.Input(0)?.Value?.Numbers is null && state.Records.Skip(first).Any(r => r.Macs.Count > 0))
            context.Record.Unpriced = $"{context.Info}: how often its body runs is known only at run time";
        var links = context.Record.Body = new(state.Records.Count);
        context.FreezeAll(context.Input(0), "a trip count");
        context.FreezeAll(context.Input(1), "a condition");
        for (int k = 0; k < variables; k++)
        {
            if (bodyScope.Find(body.Output[k + 1].Name) is not { Terms: { } terms } result) return false;
            var (before, initial) = (inner[k + 2]!, context.Input(k + 2)!.Terms!);
            if (terms.Length != before.Length) return false;
            var after = new Term[terms.Length];
            for (int axis = 0; axis < terms.Length; axis++)
            {
                if (before[axis].Size is not null ? before[axis].Size == terms[axis].Size : IsSame(before[axis], terms[axis]))
                {
                    context.Same(before[axis], terms[axis]);
                    context.Same(initial[axis], before[axis]);
                    after[axis] = initial[axis];
                }
                else if (before[axis].Size is not null) return false;
                else
                {
                    foreach (var term in (Term[])[before[axis], terms[axis], initial[axis]])
                        context.Freeze(term, "its size changes from iteration to iteration");
                    after[axis] = context.Constant(null, "its size changes from iteration to iteration");
                }
            }
            context.Output(k, after).ElementType = result.ElementType;
            links.States.Add((context.Input(k + 2)!, bodyScope.Find(body.Input[k + 2].Name)!, result, context.Record.Outputs[k]));
        }
        for (int k = variables + 1; k < body.Output.Count; k++)
        {
            if (bodyScope.Find(body.Output[k].Name) is not { Terms: { } terms } result) return false;
            context.Output(k - 1, [context.Constant(null, "the iterations of a loop"), .. terms]).ElementType = result.ElementType;
            links.Results.Add((context.Record.Outputs[k - 1], [result]));
        }
        return true;
    }

    private static bool Carries(NodeContext context, Term[] before, Term[] after)
    {
        if (before.Length != after.Length) return false;
        for (int axis = 0; axis < before.Length; axis++)
        {
            if (before[axis].Size != after[axis].Size) return false;
            context.Same(before[axis], after[axis]);
        }
        return true;
    }

    private static bool IsSame(Term a, Term b) => a.Resolved is FactorTerm x && b.Resolved is FactorTerm y && x.Factor == y.Factor;

    /// <summary>What the body computes it computes in every step.</summary>
    private void Repeat(int first, Term steps)
    {
        foreach (var record in state.Records.Skip(first))
            for (int k = 0; k < record.Macs.Count; k++) record.Macs[k] = [steps, .. record.Macs[k]];
    }

    /// <summary>
    /// The body was read on an assumption that does not hold: everything that it touches stays whole, and no size in it is restated.
    /// </summary>
    private void Whole(NodeContext context, Scope scope, int first)
    {
        string reason = $"what the body of {context.Node.OpType} carries from step to step has no shape that stays";
        Opaque(context, scope, reason);
        foreach (var record in state.Records.Skip(first))
            foreach (var tensor in record.Inputs.Concat(record.Outputs)) context.FreezeAll(tensor, reason);
        state.SizeUses.RemoveAll(u => u.Node.Ordinal > context.Info.Ordinal);
        state.AttributeUses.RemoveAll(u => u.Node.Ordinal > context.Info.Ordinal);
    }

    private static void Opaque(NodeContext context, Scope scope, string reason)
    {
        context.Barrier(reason);
        context.Record.Unpriced = $"{context.Info}: {reason}";
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var graph in context.Node.Subgraphs().SelectMany(g => g.WithSubgraphs()))
        {
            foreach (var node in graph.Node) names.UnionWith(node.Input);
            names.UnionWith(graph.Output.Select(o => o.Name));
        }
        foreach (string name in names.Order(StringComparer.Ordinal)) context.FreezeAll(scope.Find(name), reason);
    }
}
