using Espalier.Onnx;
using static Espalier.Axes.SizeValue;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes;

/// <summary>
/// Arithmetic on sizes, element by element: Shape, Gather, Concat, Mul and their like on tensors of rank 0 and 1. What comes out is an
/// expression over sizes of terms, so that a literal 768 and a Shape → Gather → Mul chain are re-derived alike.
/// </summary>
internal static class ValueRules
{
    /// <summary>Evaluates the node if it computes sizes; its result is then no data that could be sliced.</summary>
    public static bool TryEvaluate(NodeContext context)
    {
        if (context.Node.OpType == "Split" && context.Input(0)?.Value is { Rank: 1 } vector) return Split(context, vector);
        if (Evaluate(context) is not { } value || value.Elements.Length > SizeTensor.MaxElements) return false;
        // Vectors of numbers keep their length; Shape and Size read a tensor's axes, not its elements.
        if (context.Node.OpType is not ("Shape" or "Size")) foreach (var input in context.Inputs) context.FreezeAll(input, "a vector of sizes");
        Term[] terms = value.Rank == 0 ? [] : [context.Constant(value.Elements.Length, "a vector of sizes")];
        var output = context.Output(0, terms, value);
        output.ElementType = context.Node.OpType switch
        {
            "Cast" => (int)context.Int("to", 7),
            "Shape" or "Size" => (int)DataType.Int64,
            "Where" => context.Input(1)!.ElementType,
            "ConstantOfShape" => context.Attribute("value")!.T.DataType,
            "Equal" or "Greater" or "Less" or "Not" => (int)DataType.Bool,
            _ => context.Input(0)!.ElementType,
        };
        return true;
    }

    /// <summary>The elements of a small integer constant.</summary>
    public static SizeTensor? OfConstant(OnnxModel model, TensorProto tensor)
    {
        if (tensor.Dims.Count > 1 || (tensor.Dims.Count == 1 && tensor.Dims[0] > SizeTensor.MaxElements)) return null;
        if ((DataType)tensor.DataType is not (DataType.Int64 or DataType.Int32 or DataType.Bool)) return null;
        return new(tensor.Dims.Count, [.. model.Content(tensor).ToLongs().Select(n => (SizeValue)new Literal(n))]);
    }

    private static SizeTensor? Evaluate(NodeContext context)
    {
        var node = context.Node;
        if (node.Domain is not ("" or "ai.onnx")) return null;
        switch (node.OpType)
        {
            case "Shape":
                if (context.Input(0)?.Terms is not { } terms) return null;
                int start = Bound(context.Int("start", 0), terms.Length), end = Bound(context.Int("end", terms.Length), terms.Length);
                return new(1, [.. terms[start..Math.Max(start, end)].Select(ExtentOf)]);
            case "Size":
                return context.Input(0)?.Terms is { } all ? new(0, [ExtentOf(Term.Product(all))]) : null;
        }
        if (context.Inputs.Length == 0 || context.Inputs.Any(i => i is not null && i.Value is null)) return null;
        if (context.Input(0)?.Value is not { } x) return null;
        switch (node.OpType)
        {
            case "Identity": return x;
            case "Cast":
                return (DataType)context.Int("to", 0) is DataType.Int64 or DataType.Int32 or DataType.Bool ? x : null;
            case "Squeeze": return x.Elements.Length == 1 ? new(0, x.Elements) : null;
            case "Unsqueeze": return x.Rank == 0 ? new(1, x.Elements) : null;
            case "Reshape":
                if (context.Input(1)?.Value?.Numbers is not { } shape || shape.Length > 1) return null;
                return new(shape.Length, x.Elements);
            case "Gather":
                if (x.Rank != 1 || context.Input(1)!.Value is not { } index || index.Numbers is not { } at) return null;
                return at.All(k => k >= -x.Elements.Length && k < x.Elements.Length)
                    ? new(index.Rank, [.. at.Select(k => x.Elements[k < 0 ? k + x.Elements.Length : k])]) : null;
            case "Slice": return Slice(context, x);
            case "Concat": return context.Inputs.All(i => i?.Value?.Rank == 1) ? new(1, [.. context.Inputs.SelectMany(i => i!.Value!.Elements)]) : null;
            case "ConstantOfShape": return Filled(context, x);
            case "Range":
                if (x.Number(0) is not { } from || context.Input(1)?.Value?.Number(0) is not { } to || context.Input(2)?.Value?.Number(0) is not { } step || step == 0) return null;
                long count = Math.Max(0, (to - from + step - Math.Sign(step)) / step);
                return count > SizeTensor.MaxElements ? null : new(1, [.. Enumerable.Range(0, (int)count).Select(k => new Literal(from + (k * step)))]);
            case "ReduceProd":
                return x.Rank == 1 && x.Elements.All(e => e is not null)
                    ? new((int)context.Int("keepdims", 1), [x.Elements.Aggregate((SizeValue)new Literal(1), (a, b) => Simplify("Mul", a, b!))]) : null;
            case "Neg": return new(x.Rank, [.. x.Elements.Select(e => e is null ? null : Simplify("Sub", new Literal(0), e))]);
            case "Not": return new(x.Rank, [.. x.Elements.Select(e => e?.Number is { } n ? new Literal(n == 0 ? 1 : 0) : null)]);
            case "Add" or "Sub" or "Mul" or "Div" or "Mod" or "Equal" or "Greater" or "Less" or "Min" or "Max":
                if (context.Inputs.Length != 2 || context.Input(1)?.Value is not { } y) return null;
                return Zip(x, y, (a, b) => Simplify(node.OpType, a, b));
            case "Where":
                if (context.Input(1)?.Value is not { } yes || context.Input(2)?.Value is not { } no) return null;
                int length = new[] { x, yes, no }.Max(t => t.Elements.Length), rank = new[] { x, yes, no }.Max(t => t.Rank);
                return new(rank, [.. Enumerable.Range(0, length).Select(k => At(x, k)?.Number switch { null => null, 0 => At(no, k), _ => At(yes, k) })]);
            default: return null;
        }
    }

    private static SizeValue ExtentOf(Term term) => term.Size is { } size && term.Leaves.Count == 0 ? new Literal(size) : new Extent(term);

    private static int Bound(long index, int rank) => (int)Math.Clamp(index < 0 ? index + rank : index, 0, rank);

    private static long? Number(this SizeTensor tensor, int index) => tensor.Elements[index]?.Number;

    private static SizeValue? At(SizeTensor tensor, int index) => tensor.Elements[tensor.Elements.Length == 1 ? 0 : index];

    private static SizeTensor? Zip(SizeTensor a, SizeTensor b, Func<SizeValue, SizeValue, SizeValue?> combine)
    {
        int n = Math.Max(a.Elements.Length, b.Elements.Length);
        if ((a.Elements.Length != n && a.Elements.Length != 1) || (b.Elements.Length != n && b.Elements.Length != 1)) return null;
        return new(Math.Max(a.Rank, b.Rank), [.. Enumerable.Range(0, n).Select(k => At(a, k) is { } x && At(b, k) is { } y ? combine(x, y) : null)]);
    }

    private static SizeValue Simplify(string op, SizeValue a, SizeValue b)
    {
        if (a is Literal && b is Literal && new Binary(op, a, b).Dense?.Value is { } number) return new Literal(number);
        return (op, a, b) switch
        {
            ("Mul", Literal { Value: 1 }, _) => b,
            ("Mul" or "Div", _, Literal { Value: 1 }) => a,
            ("Add", Literal { Value: 0 }, _) => b,
            ("Add" or "Sub", _, Literal { Value: 0 }) => a,
            // A size is never negative: the exporter's test for −1 is decided without knowing it.
            ("Equal", Extent, Literal { Value: < 0 }) or ("Equal", Literal { Value: < 0 }, Extent) => new Literal(0),
            _ => new Binary(op, a, b),
        };
    }

    private static bool Split(NodeContext context, SizeTensor vector)
    {
        int count = context.Record.Outputs.Length, at = 0;
        var sizes = context.AttributeOrInput("split", 1) ?? (context.Input(1) is null && vector.Elements.Length % count == 0
            ? [.. Enumerable.Repeat((long)vector.Elements.Length / count, count)] : null);
        if (sizes?.Length != count || sizes.Sum() != vector.Elements.Length) return false;
        for (int k = 0; k < count; k++)
        {
            var part = new SizeTensor(1, vector.Elements[at..(at + (int)sizes[k])]);
            at += (int)sizes[k];
            context.Output(k, [context.Constant(sizes[k], "a vector of sizes")], part).ElementType = context.Input(0)!.ElementType;
        }
        return true;
    }

    private static SizeTensor? Slice(NodeContext context, SizeTensor x)
    {
        if (x.Rank != 1 || context.AttributeOrInput("starts", 1) is not [var start] || context.AttributeOrInput("ends", 2) is not [var end]) return null;
        long step = context.Input(4)?.Value?.Number(0) ?? 1;
        int n = x.Elements.Length;
        if (step != 1) return step == -1 && start is -1 or >= 1 && end < -n ? new(1, [.. x.Elements.Reverse()]) : null;
        int from = Bound(start, n), to = Bound(end, n);
        return new(1, x.Elements[from..Math.Max(from, to)]);
    }

    private static SizeTensor? Filled(NodeContext context, SizeTensor shape)
    {
        if (shape.Rank != 1 || shape.Elements.Length > 1 || context.Attribute("value")?.T is not { } fill) return null;
        if ((DataType)fill.DataType is not (DataType.Int64 or DataType.Int32 or DataType.Bool)) return null;
        if (shape.Numbers is not { } count || (count.Length == 1 && count[0] > SizeTensor.MaxElements)) return null;
        var value = OfConstant(context.State.Model, fill)?.Elements[0];
        return new(count.Length, [.. Enumerable.Repeat(value, count.Length == 0 ? 1 : (int)count[0])]);
    }
}
