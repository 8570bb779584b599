using Espalier.Onnx;
using Espalier.Onnx.Limits;
using static Espalier.Axes.Sizes.SizeValue;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Sizes;

/// <summary>
/// What operators compute of integer tensors whose elements are known or are expressions over sizes: the one evaluator, for shape
/// chains that pruning changes and for constant subgraphs (pads, bounds, repeats, positions) alike.
/// </summary>
/// <param name="inputs">Its operands; null for one that is absent.</param>
/// <param name="limit">Most elements of a result.</param>
internal sealed class SizeOperators(NodeProto node, IReadOnlyList<SizeTensor?> inputs, int limit)
{
    /// <summary>The results; null where they are not known.</summary>
    public static SizeTensor?[]? Evaluate(NodeProto node, IReadOnlyList<SizeTensor?> inputs, int limit)
    {
        if (node.Domain is not ("" or "ai.onnx") || inputs.Count == 0 || inputs[0] is not { } x) return null;
        var self = new SizeOperators(node, inputs, limit);
        if (node.OpType == "Split") return self.Split(x);
        return self.One(x) is { } result && result.Elements.Length <= limit ? [result] : null;
    }

    private SizeTensor? One(SizeTensor x) => node.OpType switch
    {
        "Identity" => x,
        "Cast" => Cast(x),
        "Squeeze" => Squeeze(x),
        "Unsqueeze" => Unsqueeze(x),
        "Reshape" => Reshape(x),
        "Flatten" => Flatten(x),
        "Transpose" => Transpose(x),
        "Gather" => Gather(x),
        "Slice" => Slice(x),
        "Concat" => inputs.Any(i => i is null) ? null : SizeTensor.Concat([.. inputs.Select(i => i!)], Axis(Int("axis", 1), x.Rank), limit),
        "Expand" => Numbers(1) is { } shape && SizeTensor.Common(x.Dims, [.. shape.Select(Small)]) is { } dims
            ? x.Broadcast(dims, limit)
            : null,
        "Tile" => Tile(x),
        "ConstantOfShape" => Filled(x),
        "Range" => Range(x),
        "NonZero" => NonZero(x),
        "ReduceProd" or "ReduceSum" or "ReduceMin" or "ReduceMax" => Reduce(x, node.OpType switch
        { "ReduceProd" => "Mul", "ReduceSum" => "Add", "ReduceMin" => "Min", _ => "Max" }),
        "Neg" => x.Select(e => Combine("Sub", new Literal(0), e)),
        "Abs" => x.Select(e => e.Number is { } n ? new Literal(Math.Abs(n)) : e is Extent ? e : null),
        "Not" => x.Select(e => e.Number is { } n ? new Literal(n == 0 ? 1 : 0) : null),
        "Floor" => x.IsReal ? x.Select(e => Rounded(e, "Div")) : null,
        "Ceil" => x.IsReal ? x.Select(e => Rounded(e, Ceiling)) : null,
        "Round" => x.IsReal ? x.Select(e => e.Dense is null ? null : e) : null,
        "Add" or "Sub" or "Mul" or "Div" or "Mod" or "Min" or "Max" or "And" or "Or"
            or "Equal" or "Greater" or "Less" or "GreaterOrEqual" or "LessOrEqual" => inputs.Count == 2 ? Zip(x, inputs[1]) : null,
        "Where" => Where(x),
        _ => null,
    };

    private long Int(string name, long fallback) => Attribute(name) is { HasI: true } a ? a.I : fallback;

    private AttributeProto? Attribute(string name) => node.Attribute.FirstOrDefault(a => a.Name == name);

    private long[]? Numbers(int input) => inputs.ElementAtOrDefault(input)?.Numbers;

    private long[]? Ints(string attribute, int input) => Attribute(attribute) is { } a ? [.. a.Ints] : Numbers(input);

    private static int Axis(long axis, int rank) => (int)Math.Clamp(axis < 0 ? axis + rank : axis, -1, rank);

    private static int Small(long n) => n is >= 0 and <= int.MaxValue ? (int)n : -1;

    private SizeTensor? Cast(SizeTensor x) => (DataType)Int("to", 0) switch
    {
        // A real number is cut off towards zero; sizes are not negative.
        DataType.Int64 or DataType.Int32 or DataType.Bool
            => x.IsReal ? x.Select(e => Rounded(e, "Div")) is { } whole ? whole with { IsReal = false } : null : x,
        DataType.Float or DataType.Double => x with { IsReal = true },
        _ => null,
    };

    /// <summary>A quotient of real numbers as a whole number; what is whole already stays.</summary>
    private static SizeValue? Rounded(SizeValue value, string division)
        => value is Binary { Operator: Quotient } q ? Combine(division, q.Left, q.Right) : value.Dense is null ? null : value;

    private SizeTensor? Squeeze(SizeTensor x)
    {
        var axes = Ints("axes", 1)?.Select(a => Axis(a, x.Rank)).ToHashSet();
        return x.As([.. x.Dims.Where((d, k) => axes is null ? d != 1 : !axes.Contains(k))]);
    }

    private SizeTensor? Unsqueeze(SizeTensor x)
    {
        if (Ints("axes", 1) is not { } axes || axes.Length + x.Rank > OnnxLimits.Default.Rank) return null;
        int rank = x.Rank + axes.Length;
        var at = axes.Select(a => Axis(a, rank)).ToHashSet();
        var rest = new Queue<int>(x.Dims);
        return at.Count != axes.Length || at.Any(a => a < 0 || a >= rank) ? null
            : x.As([.. Enumerable.Range(0, rank).Select(k => at.Contains(k) ? 1 : rest.Dequeue())]);
    }

    private SizeTensor? Reshape(SizeTensor x)
    {
        var shape = Numbers(1) ?? (Attribute("shape") is { } a ? [.. a.Ints] : null);
        if (shape is null || shape.Length > OnnxLimits.Default.Rank) return null;
        int[] dims = [.. shape.Select((n, k) => n == 0 && Int("allowzero", 0) == 0 && k < x.Rank
            ? x.Dims[k]
            : (int)Math.Clamp(n, -1, int.MaxValue))];
        if (dims.Count(d => d == -1) > 1) return null;
        int open = Array.IndexOf(dims, -1);
        if (open >= 0)
        {
            int known = SizeTensor.Count([.. dims.Where(d => d >= 0)], limit) ?? 0;
            if (known == 0 || x.Elements.Length % known != 0) return null;
            dims[open] = x.Elements.Length / known;
        }
        return SizeTensor.Count(dims, limit) == x.Elements.Length ? x.As(dims) : null;
    }

    private SizeTensor? Flatten(SizeTensor x)
    {
        int axis = Axis(Int("axis", 1), x.Rank);
        return SizeTensor.Count(x.Dims.AsSpan(0, axis), limit) is { } rows and > 0 ? x.As(rows, x.Elements.Length / rows) : null;
    }

    private SizeTensor? Transpose(SizeTensor x)
    {
        int[] order = Attribute("perm") is { } perm ? [.. perm.Ints.Select(p => (int)p)] : [.. Enumerable.Range(0, x.Rank).Reverse()];
        if (order.Length != x.Rank || order.Any(p => p < 0 || p >= x.Rank)) return null;
        var strides = x.Strides;
        return x.View(0, [.. order.Select(p => x.Dims[p])], [.. order.Select(p => strides[p])], limit);
    }

    private SizeTensor? Gather(SizeTensor x)
    {
        int axis = Axis(Int("axis", 0), x.Rank);
        if (axis < 0 || axis >= x.Rank || inputs.ElementAtOrDefault(1) is not { } index || index.Numbers is not { } at) return null;
        int n = x.Dims[axis];
        if (at.Any(k => k < -n || k >= n)) return null;
        int outer = SizeTensor.Count(x.Dims.AsSpan(0, axis), limit) ?? 0, inner = SizeTensor.Count(x.Dims.AsSpan(axis + 1), limit) ?? 0;
        if ((long)outer * at.Length * inner > limit) return null;
        var elements = new List<SizeValue?>();
        for (int o = 0; o < outer; o++)
            foreach (long k in at)
                elements.AddRange(x.Elements.AsSpan((int)((o * n) + (k < 0 ? k + n : k)) * inner, inner));
        return new([.. x.Dims[..axis], .. index.Dims, .. x.Dims[(axis + 1)..]], [.. elements], x.IsReal);
    }

    private SizeTensor? Slice(SizeTensor x)
    {
        if (Ints("starts", 1) is not { } starts || Ints("ends", 2) is not { } ends || starts.Length != ends.Length) return null;
        var axes = Ints("axes", 3) ?? [.. Enumerable.Range(0, starts.Length).Select(k => (long)k)];
        var steps = inputs.ElementAtOrDefault(4) is null ? null : Numbers(4);
        if (axes.Length != starts.Length || steps is not null && steps.Length != starts.Length) return null;
        var (dims, strides, offset) = (x.Dims.ToArray(), x.Strides, 0);
        for (int k = 0; k < axes.Length; k++)
        {
            int axis = Axis(axes[k], x.Rank);
            if (axis < 0 || axis >= x.Rank) return null;
            long n = x.Dims[axis], step = steps?[k] ?? 1;
            if (step is 0 or < int.MinValue or > int.MaxValue) return null;
            long from = starts[k] < 0 ? starts[k] + n : starts[k], to = ends[k] < 0 ? Math.Max(ends[k], -n - 1) + n : ends[k];
            // As the operator clamps: a backward slice begins at the last index at most and ends before the first at least.
            var (least, most) = step > 0 ? (0L, n) : (-1L, n - 1);
            (from, to) = (Math.Clamp(from, least, most), Math.Clamp(to, least, most));
            long count = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
            dims[axis] = (int)Math.Max(0, count);
            offset += (int)from * strides[axis];
            strides[axis] *= (int)step;
        }
        return dims.Contains(0) ? new(dims, [], x.IsReal) : x.View(offset, dims, strides, limit);
    }

    private SizeTensor? Tile(SizeTensor x)
    {
        if (Numbers(1) is not { } repeats || repeats.Length != x.Rank) return null;
        var own = x.Strides;
        var (dims, strides) = (new List<int>(), new List<int>());
        for (int axis = 0; axis < x.Rank; axis++)
        {
            dims.AddRange([Small(repeats[axis]), x.Dims[axis]]);
            strides.AddRange([0, own[axis]]);
        }
        return x.View(0, [.. dims], [.. strides], limit)?.As([.. x.Dims.Select((d, k) => d * Small(repeats[k]))]);
    }

    private SizeTensor?[]? Split(SizeTensor x)
    {
        int axis = Axis(Int("axis", 0), x.Rank), count = node.Output.Count;
        if (axis < 0 || axis >= x.Rank) return null;
        int each = (x.Dims[axis] + count - 1) / count;
        var sizes = Ints("split", 1) ?? (inputs.ElementAtOrDefault(1) is null
            ? [.. Enumerable.Range(0, count).Select(k => (long)Math.Clamp(x.Dims[axis] - (k * each), 0, each))] : null);
        if (sizes?.Length != count || sizes.Any(s => s < 0) || sizes.Sum() != x.Dims[axis]) return null;
        var strides = x.Strides;
        var parts = new SizeTensor?[count];
        for (int k = 0, at = 0; k < count; at += (int)sizes[k++])
            parts[k] = x.View(at * strides[axis], [.. x.Dims[..axis], (int)sizes[k], .. x.Dims[(axis + 1)..]], strides, limit);
        return parts;
    }

    private SizeTensor? Filled(SizeTensor shape)
    {
        if (shape.Rank != 1 || shape.Numbers is not { } numbers || numbers.Length > OnnxLimits.Default.Rank) return null;
        int[] dims = [.. numbers.Select(Small)];
        if (SizeTensor.Count(dims, limit) is not { } count || inputs.ElementAtOrDefault(1)?.Elements is not [var fill]) return null;
        return new(dims, [.. Enumerable.Repeat(fill, count)]);
    }

    private SizeTensor? Range(SizeTensor x)
    {
        if (x.Elements is not [{ Number: { } from }] || Numbers(1) is not [var to] || Numbers(2) is not [var step] || step == 0)
            return null;
        long count = (to - from + step - Math.Sign(step)) / step;
        return count > limit
            ? null
            : SizeTensor.Vector([.. Enumerable.Range(0, (int)Math.Max(0, count)).Select(k => new Literal(from + (k * step)))]);
    }

    private SizeTensor? NonZero(SizeTensor x)
    {
        if (x.Numbers is not { } numbers) return null;
        int[] places = [.. Enumerable.Range(0, numbers.Length).Where(k => numbers[k] != 0)];
        if ((long)places.Length * x.Rank > limit) return null;
        var strides = x.Strides;
        return new([x.Rank, places.Length],
            [.. Enumerable.Range(0, x.Rank).SelectMany(axis => places.Select(p => new Literal(p / strides[axis] % x.Dims[axis])))]);
    }

    private SizeTensor? Reduce(SizeTensor x, string op)
    {
        var given = Ints("axes", 1);
        if (given is null or [] && Int("noop_with_empty_axes", 0) == 1) return x;
        var axes = (given is null or [] ? Enumerable.Range(0, x.Rank) : given.Select(a => Axis(a, x.Rank))).ToHashSet();
        if (axes.Any(a => a < 0 || a >= x.Rank) || x.Elements.Contains(null) || x.Elements.Length == 0) return null;
        int[] kept = [.. Enumerable.Range(0, x.Rank).Where(k => !axes.Contains(k))], gone = [.. axes.Order()];
        var strides = x.Strides;
        int[] order = [.. kept, .. gone];
        if (x.View(0, [.. order.Select(k => x.Dims[k])], [.. order.Select(k => strides[k])], limit) is not { } sorted) return null;
        int run = SizeTensor.Count([.. gone.Select(k => x.Dims[k])], limit) ?? 1;
        var elements = sorted.Elements.Chunk(run).Select(c => c.Aggregate((a, b) => a is null || b is null ? null : Combine(op, a, b)));
        bool keep = Int("keepdims", 1) == 1;
        return new([.. x.Dims.Select((d, k) => (d, k)).Where(p => keep || !axes.Contains(p.k)).Select(p => axes.Contains(p.k) ? 1 : p.d)],
            [.. elements], x.IsReal);
    }

    private SizeTensor? Zip(SizeTensor a, SizeTensor? b)
    {
        if (b is null || SizeTensor.Common(a.Dims, b.Dims) is not { } dims) return null;
        string op = node.OpType == "Div" && (a.IsReal || b.IsReal) ? Quotient : node.OpType;
        if (a.Broadcast(dims, limit) is not { } left || b.Broadcast(dims, limit) is not { } right) return null;
        bool compares = op is "Equal" or "Greater" or "Less" or "GreaterOrEqual" or "LessOrEqual";
        // A fmod of integers has the sign of the dividend, which Mod of the expressions has not.
        if (op == "Mod" && Int("fmod", 0) == 1) return null;
        return new(dims, [.. left.Elements.Zip(right.Elements, (x, y) => x is null || y is null ? null : Combine(op, x, y))], !compares
            && (a.IsReal || b.IsReal));
    }

    private SizeTensor? Where(SizeTensor condition)
    {
        if (inputs.ElementAtOrDefault(1) is not { } yes || inputs.ElementAtOrDefault(2) is not { } no) return null;
        if (SizeTensor.Common(condition.Dims, yes.Dims, no.Dims) is not { } dims) return null;
        if (condition.Broadcast(dims, limit) is not { } test || yes.Broadcast(dims, limit) is not { } a
            || no.Broadcast(dims, limit) is not { } b) return null;
        return new(dims, [.. test.Elements.Select((e, k) => e?.Number switch { null => null, 0 => b.Elements[k], _ => a.Elements[k] })],
            yes.IsReal || no.IsReal);
    }
}
