using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using Espalier.Pruning.Edits;

namespace Espalier.Pruning.Gates;

/// <summary>Writes gates into a graph.</summary>
internal sealed class GateWriter(EditableGraph graph, ModelProto clone)
{
    private const TensorProto.Types.DataType Float = TensorProto.Types.DataType.Float;

    private readonly Dictionary<string, string> _made = new(StringComparer.Ordinal);

    /// <summary>An input of so many ones.</summary>
    public string Input(string stem, int size)
    {
        string name = graph.FreshName(stem);
        var ones = graph.Analysis.Model.NewTensor(name, Float, [size], TensorContent.FromFloats(Float, [.. Enumerable.Repeat(1f, size)]));
        graph.AddInitializer(0, ones);
        clone.Graph.Input.Add(ones.ToInput());
        return name;
    }

    /// <summary>Makes a weight of the main graph one that can be given; null where its elements are not float32.</summary>
    public string? Open(string weight)
    {
        if (clone.Graph.Initializer.FirstOrDefault(t => t.Name == weight) is not { DataType: (int)Float } tensor) return null;
        if (clone.Graph.Input.Any(i => i.Name == weight)) return weight;
        clone.Graph.Input.Add(tensor.ToInput());
        return weight;
    }

    /// <summary>A bias of zeros, for a product that has none.</summary>
    public string Bias(Consumer consumer)
        => NewBias.Write(graph, consumer, new float[graph.Analysis.TermsOf(consumer.Parameter)![consumer.OutputAxis].Size!.Value]);

    /// <summary>Multiplies one operand of a node by the gates of the groups on its axes.</summary>
    public void Multiply(IReadOnlyList<GatePlace> places, IReadOnlyDictionary<int, string> gates)
    {
        var (record, operand) = (places[0].Record, places[0].Operand);
        var (node, tensor) = (graph.Node(record.Info.Ordinal), record.Inputs[operand]!);
        foreach (var place in places.OrderBy(p => p.Axis).ThenBy(p => p.Group.Id))
        {
            string gate = Along(record.Info, tensor, place, gates[place.Group.Id]), gated = graph.FreshName(node.Input[operand] + "_gated");
            graph.InsertBefore(record.Info.Ordinal, EditableGraph.NewNode("Mul", gated, gated, node.Input[operand], gate));
            node.Input[operand] = gated;
        }
    }

    /// <summary>The gate of every index of an axis, shaped to broadcast along it.</summary>
    private string Along(NodeInfo info, TensorState tensor, GatePlace place, string gate)
    {
        int[] map = tensor.Terms![place.Axis].UnitMap(place.Group.Factor);
        int inner = tensor.Terms.Length - 1 - place.Axis;
        string key = $"{info.Scope} {gate} {tensor.ElementType} {inner} {string.Join(' ', map)}";
        if (_made.TryGetValue(key, out var made)) return made;
        string source = gate;
        if (map.Contains(-1))
        {
            // Positions that are no unit of the group are multiplied by a one behind its gate.
            string open = $"{info.Scope} {gate} open";
            if (!_made.TryGetValue(open, out source!))
            {
                _made[open] = source = graph.FreshName(gate + "/open");
                var concat = EditableGraph.NewNode("Concat", source, source, gate, Floats(info.Scope, gate + "/one", 1));
                concat.Attribute.Add(new AttributeProto { Name = "axis", I = 0, Type = AttributeProto.Types.AttributeType.Int });
                graph.InsertBefore(info.Ordinal, concat);
            }
        }
        string indices = graph.FreshName(gate + "/units"), along = graph.FreshName(gate + "/along");
        graph.AddInitializer(info.Scope,
            graph.Analysis.Model.NewTensor(indices, TensorProto.Types.DataType.Int64, [map.Length, .. Enumerable.Repeat(1L, inner)],
            TensorContent.FromLongs([.. map.Select(u => u < 0 ? place.Group.Size : (long)u)])));
        graph.InsertBefore(info.Ordinal, EditableGraph.NewNode("Gather", along, along, source, indices));
        return _made[key] = Cast(info.Ordinal, along, tensor.ElementType);
    }

    /// <summary>The summand of a sublayer times its gate, in front of the node that adds it.</summary>
    public void Bypass(Block block, string gate)
    {
        int ordinal = block.Nodes[^1];
        var node = graph.Node(ordinal);
        var record = graph.Analysis.State.Records[ordinal];
        int operand = record.Info.Proto.Input.IndexOf(block.Branch);
        string gated = graph.FreshName(block.Branch + "_gated");
        graph.InsertBefore(ordinal,
            EditableGraph.NewNode("Mul", gated, gated, node.Input[operand], Cast(ordinal, gate, record.Outputs[0].ElementType)));
        node.Input[operand] = gated;
    }

    /// <summary>
    /// Inserts what was written. Initializers can be given as inputs from version 4 of the format on, where only those among
    /// the inputs are.
    /// </summary>
    public void Close()
    {
        graph.RemoveDeadNodes();
        if (clone.IrVersion >= 4) return;
        clone.IrVersion = 4;
        var dense = graph.Analysis.Model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        for (int k = clone.Graph.Input.Count - 1; k >= 0; k--)
            if (dense.Contains(clone.Graph.Input[k].Name)) clone.Graph.Input.RemoveAt(k);
    }

    private string Cast(int ordinal, string value, int type)
    {
        if ((TensorProto.Types.DataType)type is Float or TensorProto.Types.DataType.Undefined) return value;
        string cast = graph.FreshName(value + "/cast");
        var node = EditableGraph.NewNode("Cast", cast, cast, value);
        node.Attribute.Add(new AttributeProto { Name = "to", I = type, Type = AttributeProto.Types.AttributeType.Int });
        graph.InsertBefore(ordinal, node);
        return cast;
    }

    private string Floats(int scope, string stem, params float[] values)
    {
        string name = graph.FreshName(stem);
        graph.AddInitializer(scope, graph.Analysis.Model.NewTensor(name, Float, [values.Length], TensorContent.FromFloats(Float, values)));
        return name;
    }
}
