using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using static Espalier.Axes.Sizes.SizeValue;

namespace Espalier.Axes.Operators.Code;

/// <summary>
/// Arithmetic on sizes, element by element. What comes out of a Shape → Gather → Mul chain is an expression over sizes of terms, so
/// that it and a literal 768 are re-derived alike.
/// </summary>
internal static class ValueRules
{
    /// <summary>Evaluates the node if it computes sizes; its results are then no data that could be sliced.</summary>
    public static bool TryEvaluate(NodeContext context)
    {
        if (Evaluate(context) is not { } values) return false;
        // Tensors of numbers keep their shape; Shape and Size read a tensor's axes, not its elements.
        if (context.Node.OpType is not ("Shape" or "Size"))
            foreach (var input in context.Inputs) context.FreezeAll(input, "a vector of sizes");
        for (int k = 0; k < values.Length; k++)
        {
            var value = values[k]!;
            context.Output(k, [.. value.Dims.Select(d => context.Constant(d, "a vector of sizes"))], value);
        }
        return true;
    }

    private static SizeTensor?[]? Evaluate(NodeContext context)
    {
        var node = context.Node;
        if (node.Domain is not ("" or "ai.onnx")) return null;
        switch (node.OpType)
        {
            case "Shape":
                if (context.Input(0)?.Terms is not { } terms) return null;
                int start = Bound(context.Int("start", 0), terms.Length), end = Bound(context.Int("end", terms.Length), terms.Length);
                return [SizeTensor.Vector([.. terms[start..Math.Max(start, end)].Select(ExtentOf)])];
            case "Size":
                return context.Input(0)?.Terms is { } all ? [SizeTensor.Scalar(ExtentOf(Term.Product(all)))] : null;
        }
        if (context.Inputs.Length == 0 || context.Input(0)?.Value is not { } first) return null;
        var inputs = context.Inputs.Select(i => i?.Value).ToList();
        bool real = inputs.Exists(i => i?.IsReal == true);
        for (int k = 0; k < inputs.Count; k++)
            if (inputs[k] is null && context.Inputs[k] is { } operand
                && (inputs[k] = real ? context.State.Constants.Of(operand) : null) is null) return null;
        if (node.OpType == "ConstantOfShape") inputs.Add(ConstantSizes.Fill(context.State.Model, node));
        var results = SizeOperators.Evaluate(node, inputs, SizeTensor.MaxElements);
        if (results is null || results.Any(r => r is null)) return null;
        // Where all sizes are known but the number is not whole, the arithmetic of sizes ends.
        return real && results.Any(r => r!.Elements.Any(e => e is { Dense: null } && e.Leaves.All(f => f.Size is not null)))
            ? null
            : results;
    }

    private static SizeValue ExtentOf(Term term) => term.Size is { } size && term.Leaves.Count == 0 ? new Literal(size) : new Extent(term);

    private static int Bound(long index, int rank) => (int)Math.Clamp(index < 0 ? index + rank : index, 0, rank);
}
