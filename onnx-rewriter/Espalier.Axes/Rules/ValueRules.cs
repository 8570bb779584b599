using Espalier.Onnx;
using static Espalier.Axes.SizeValue;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes;

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
        if (context.Node.OpType is not ("Shape" or "Size")) foreach (var input in context.Inputs) context.FreezeAll(input, "a vector of sizes");
        for (int k = 0; k < values.Length; k++)
        {
            var value = values[k]!;
            var output = context.Output(k, [.. value.Dims.Select(d => context.Constant(d, "a vector of sizes"))], value);
            output.ElementType = context.Node.OpType switch
            {
                "Cast" => (int)context.Int("to", 7),
                "Shape" or "Size" or "NonZero" => (int)DataType.Int64,
                "Where" => context.Input(1)!.ElementType,
                "ConstantOfShape" => context.Attribute("value")!.T.DataType,
                "Equal" or "Greater" or "Less" or "GreaterOrEqual" or "LessOrEqual" or "Not" or "And" or "Or" => (int)DataType.Bool,
                _ => context.Input(0)!.ElementType,
            };
        }
        return true;
    }

    /// <summary>The elements of an integer constant; null for other types and where there are more than the limit.</summary>
    public static SizeTensor? OfConstant(OnnxModel model, TensorProto tensor, int limit = SizeTensor.MaxElements)
    {
        if ((DataType)tensor.DataType is not (DataType.Int64 or DataType.Int32 or DataType.Bool)) return null;
        int[] dims = [.. tensor.Dims.Select(d => (int)Math.Min(d, int.MaxValue))];
        if (SizeTensor.Count(dims, limit) is null) return null;
        return new(dims, [.. model.Content(tensor).ToLongs().Select(n => (SizeValue)new Literal(n))]);
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
            if (inputs[k] is null && context.Inputs[k] is { } operand && (inputs[k] = real ? context.State.Constants.Of(operand) : null) is null) return null;
        if (node.OpType == "ConstantOfShape") inputs.Add(Fill(context.State.Model, node));
        var results = SizeOperators.Evaluate(node, inputs, SizeTensor.MaxElements);
        if (results is null || results.Any(r => r is null)) return null;
        // Where all sizes are known but the number is not whole, the arithmetic of sizes ends.
        return real && results.Any(r => r!.Elements.Any(e => e is { Dense: null } && e.Leaves.All(f => f.Size is not null))) ? null : results;
    }

    /// <summary>What ConstantOfShape fills in, where it is an integer.</summary>
    public static SizeTensor? Fill(OnnxModel model, NodeProto node)
        => node.Attribute.FirstOrDefault(a => a.Name == "value")?.T is { } fill && OfConstant(model, fill) is { Elements: [_] } value ? value : null;

    /// <summary>The elements of a floating-point constant, where all are whole numbers; null otherwise.</summary>
    public static SizeTensor? OfWhole(OnnxModel model, TensorProto tensor)
    {
        if ((DataType)tensor.DataType is not (DataType.Float or DataType.Double)) return null;
        int[] dims = [.. tensor.Dims.Select(d => (int)Math.Min(d, int.MaxValue))];
        if (SizeTensor.Count(dims, SizeTensor.MaxElements) is null) return null;
        float[] numbers = model.Content(tensor).ToFloats();
        return numbers.All(n => n == Math.Floor(n) && Math.Abs(n) < 1 << 24) ? new(dims, [.. numbers.Select(n => (SizeValue)new Literal((long)n))], true) : null;
    }

    private static SizeValue ExtentOf(Term term) => term.Size is { } size && term.Leaves.Count == 0 ? new Literal(size) : new Extent(term);

    private static int Bound(long index, int rank) => (int)Math.Clamp(index < 0 ? index + rank : index, 0, rank);
}
