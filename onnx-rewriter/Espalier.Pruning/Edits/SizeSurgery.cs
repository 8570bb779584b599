using Espalier.Axes.Graph;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Re-derives every size from the terms: attributes, literals and computed shapes alike; pinned values are restated as they were.
/// </summary>
internal sealed class SizeSurgery(EditableGraph graph, SlimSizes slim)
{
    public void Apply()
    {
        foreach (var uses in graph.Analysis.State.AttributeUses.GroupBy(u => (u.Node.Ordinal, u.Attribute))) ApplyAttribute([.. uses]);
        foreach (var use in graph.Analysis.State.SizeUses) ApplyOperand(use);
        foreach (var use in graph.Analysis.State.IndexUses.Where(u => u.Lists.Any(l => slim.Touches(l.Axis)))) ApplyIndex(use);
        foreach (var use in graph.Analysis.State.ScaleUses.Where(u => slim.Touches(u.Term))) ApplyScale(use);
    }

    private void ApplyIndex(IndexUse use)
    {
        var lists = use.Lists.Select(Restated).ToArray();
        var (positions, dims) = use.Order is { } order ? Grid(lists, order) : (lists[0], [lists[0].Length]);
        var type = (DataType)(graph.Analysis.State.Records[use.Node.Ordinal].Inputs[use.Input]!.ElementType is > 0 and var t ? t : 7);
        graph.Node(use.Node.Ordinal).Input[use.Input] = graph.AddNumbers(
            use.Node.Scope, (use.Node.Proto.Output.FirstOrDefault() ?? use.Node.Proto.Name) + "_index", positions, dims, type);
    }

    private long[] Restated(IndexList list)
    {
        var place = slim.KeptIndices(list.Axis).Select((index, k) => (index, k)).ToDictionary(p => (long)p.index, p => (long)p.k);
        return [.. slim.KeptIndices(list.Result).Select(k => place[list.Indices[k]])];
    }

    /// <summary>All positions of a grid, each with one coordinate per list.</summary>
    private static (long[] Positions, int[] Dims) Grid(long[][] lists, int[] order)
    {
        IEnumerable<long[]> places = [[]];
        foreach (var list in lists) places = places.SelectMany(_ => list, (place, p) => (long[])[.. place, p]);
        return ([.. places.SelectMany(place => order.Select(along => place[along]))], [.. lists.Select(l => l.Length), order.Length]);
    }

    private void ApplyScale(ScaleUse use)
    {
        var node = graph.Node(use.Node.Ordinal);
        if (node.Attribute.FirstOrDefault(a => a.Name == use.Attribute) is { } old) node.Attribute.Remove(old);
        node.Attribute.Add(new AttributeProto { Name = use.Attribute, Type = AttributeProto.Types.AttributeType.Float, F = use.Value });
    }

    private void ApplyAttribute(List<AttributeUse> uses)
    {
        if (!uses.Any(u => slim.Touches(u.Term) || (u.From is not null && slim.Touches(u.From)))) return;
        var node = graph.Node(uses[0].Node.Ordinal);
        var attribute = node.Attribute.FirstOrDefault(a => a.Name == uses[0].Attribute);
        if (attribute is null)
        {
            attribute = new AttributeProto
            {
                Name = uses[0].Attribute,
                Type = uses[0].Index < 0
                ? AttributeProto.Types.AttributeType.Int
                : AttributeProto.Types.AttributeType.Ints
            };
            if (uses[0].Index >= 0) attribute.Ints.Add(uses.OrderBy(u => u.Index).Select(u => u.Term.Size!.Value));
            node.Attribute.Add(attribute);
        }
        foreach (var use in uses)
        {
            long size = slim.Of(use.Term).Value
                ?? throw new InvalidOperationException($"{use.Node}: attribute {use.Attribute} is dynamic.");
            if (use.Index < 0) attribute.I = size;
            else attribute.Ints[use.Index] = size;
        }
    }

    private void ApplyOperand(SizeUse use)
    {
        var elements = use.Value.Elements;
        var needed = new Polynomial?[elements.Length];
        var computed = new bool[elements.Length];
        bool restate = false;
        for (int k = 0; k < elements.Length; k++)
        {
            var before = elements[k]?.Dense;
            var after = elements[k]?.Evaluate(slim.Size);
            if (use.Pinned)
            {
                needed[k] = before;
                restate |= before is not null && !before.Equals(after);
            }
            else if (use.Required[k] is { } term)
            {
                // A value that is computed from nothing that shrinks is right as it was, whatever it is.
                bool moved = slim.Touches(term) || (use.From?[k] is { } axis && slim.Touches(axis))
                    || (elements[k]?.Leaves.Any(slim.Prunes) == true && (before is null || !before.Equals(after)));
                // What pruning does not move is right as the graph computes it, also where the term is only known to have that size.
                needed[k] = moved ? slim.Of(term) : after;
                restate |= moved && !needed[k]!.Equals(after);
            }
            else needed[k] = after;
            computed[k] = needed[k] is null || needed[k]!.Equals(after);
        }
        bool absent = graph.Node(use.Node.Ordinal).Input.ElementAtOrDefault(use.Input) is null or "";
        if (restate) Write(use, needed, computed, absent);
    }

    private void Write(SizeUse use, Polynomial?[] needed, bool[] computed, bool absent)
    {
        var node = graph.Node(use.Node.Ordinal);
        var type = absent
            ? DataType.Int64
            : (DataType)(graph.Analysis.State.Records[use.Node.Ordinal].Inputs[use.Input]!.ElementType is > 0 and var t ? t : 7);
        var numbers = needed.Select(n => n?.Value).ToArray();
        // In a Reshape, a dynamic size that an operand's axis has in the same place is copied by 0, and one more is what is left over.
        if (node.OpType == "Reshape" && node.Attribute.All(a => a.Name != "allowzero" || a.I == 0)
            && graph.Analysis.State.Records[use.Node.Ordinal].Inputs[0]!.Terms is { } axes)
        {
            for (int k = 0; k < numbers.Length && k < axes.Length; k++)
                if (numbers[k] is null && needed[k] is { } size && slim.Of(axes[k]).Equals(size)) numbers[k] = 0;
        }
        if (node.OpType == "Reshape" && numbers.Count(n => n is null) == 1 && !numbers.Contains(-1))
            numbers[Array.IndexOf(numbers, null)] = -1;
        string name;
        if (numbers.All(n => n is not null)) name = Constant(use, [.. numbers.Select(n => n!.Value)], use.Value.Dims, type);
        else name = Computed(use, needed, computed, numbers, type);
        while (node.Input.Count <= use.Input) node.Input.Add("");
        node.Input[use.Input] = name;
        if (absent && node.OpType == "Split" && node.Attribute.FirstOrDefault(a => a.Name == "num_outputs") is { } count)
            node.Attribute.Remove(count);
    }

    private string Constant(SizeUse use, long[] values, int[] dims, DataType type)
        => graph.AddNumbers(use.Node.Scope, (use.Node.Proto.Output.FirstOrDefault() ?? use.Node.Proto.Name) + "_size", values, dims, type);

    private string Vector(SizeUse use, params long[] values) => Constant(use, values, [values.Length], DataType.Int64);

    /// <summary>
    /// Sizes that depend on dynamic dimensions are what the graph computes, where that is still right, and else computed from
    /// the shape of an operand.
    /// </summary>
    private string Computed(SizeUse use, Polynomial?[] needed, bool[] computed, long?[] numbers, DataType type)
    {
        var parts = new List<string>();
        string? source = null;
        for (int k = 0; k < needed.Length; k++)
        {
            if (numbers[k] is { } number) parts.Add(Vector(use, number));
            else if (computed[k])
            {
                // Right for any size, or in the slim model too: what the graph computes.
                source ??= Flat(use, type);
                parts.Add(Emit(use, "Gather", [source, Vector(use, k)]));
            }
            else parts.Add(Sum(use, needed[k]!));
        }
        string all = parts.Count == 1 ? parts[0] : Emit(use, "Concat", parts, ("axis", 0));
        if (use.Value.Rank != 1) all = Emit(use, "Reshape", [all, Vector(use, [.. use.Value.Dims.Select(d => (long)d)])]);
        return type == DataType.Int64 ? all : Emit(use, "Cast", [all], ("to", (long)type));
    }

    /// <summary>What the graph computes, as a vector of int64.</summary>
    private string Flat(SizeUse use, DataType type)
    {
        string source = use.Node.Proto.Input[use.Input];
        if (type != DataType.Int64) source = Emit(use, "Cast", [source], ("to", (long)DataType.Int64));
        return use.Value.Rank == 1 ? source : Emit(use, "Reshape", [source, Vector(use, -1)]);
    }

    private string Sum(SizeUse use, Polynomial size)
    {
        string? sum = null;
        foreach (var (coefficient, factors) in size.Monomials)
        {
            string? product = null;
            foreach (var factor in factors)
                product = product is null ? Extent(use, factor) : Emit(use, "Mul", [product, Extent(use, factor)]);
            if (product is null) product = Vector(use, coefficient);
            else if (coefficient != 1) product = Emit(use, "Mul", [product, Vector(use, coefficient)]);
            sum = sum is null ? product : Emit(use, "Add", [sum, product]);
        }
        return sum!;
    }

    private string Extent(SizeUse use, Factor factor)
    {
        var records = graph.Analysis.State.Records;
        // An operand of the node, an input of the graph, or whatever was computed before.
        foreach (var tensor in records[use.Node.Ordinal].Inputs.Concat(graph.Analysis.GraphInputs).Concat(Before(use.Node)))
        {
            if (tensor?.Terms is null || tensor.Value is not null) continue;
            for (int axis = 0; axis < tensor.Terms.Length; axis++)
                if (tensor.Terms[axis].Leaves is [var leaf] && leaf == factor && tensor.Terms[axis].Size is null
                    && Polynomial.Of(tensor.Terms[axis], f => f.Size).Equals(Polynomial.Variable(factor)))
                    return Emit(use, "Gather", [Emit(use, "Shape", [tensor.Name]), Vector(use, axis)]);
        }
        throw new EspalierException($"{use.Node}: operand {use.Input} needs the size of a dynamic dimension that no operand of it has; "
            + "protect the groups whose size is in it.");
    }

    private IEnumerable<TensorState> Before(NodeInfo node)
        => graph.Analysis.State.Records.Take(node.Ordinal).Where(r => r.Info.Scope == node.Scope).SelectMany(r => r.Outputs);

    private string Emit(SizeUse use, string op, IEnumerable<string> inputs, (string Name, long Value)? attribute = null)
    {
        string name = graph.FreshName((use.Node.Proto.Output.FirstOrDefault() ?? use.Node.Proto.Name) + "_" + op);
        var node = EditableGraph.NewNode(op, name, name, inputs);
        if (attribute is var (key, value))
            node.Attribute.Add(new AttributeProto { Name = key, I = value, Type = AttributeProto.Types.AttributeType.Int });
        graph.InsertBefore(use.Node.Ordinal, node);
        return name;
    }
}
