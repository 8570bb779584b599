using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>Gathers every weight along every axis by its term, and writes down what compensation changed.</summary>
internal sealed class WeightSurgery(EditableGraph graph, SlimSizes slim, WeightEdits edits)
{
    public IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Apply()
    {
        var removed = new Dictionary<string, IReadOnlyDictionary<int, int[]>>(StringComparer.Ordinal);
        foreach (var tensor in graph.Analysis.Parameters)
        {
            var kept = new int[]?[tensor.Terms!.Length];
            var gone = new SortedDictionary<int, int[]>();
            for (int axis = 0; axis < kept.Length; axis++)
            {
                if (!slim.Touches(tensor.Terms[axis])) continue;
                kept[axis] = slim.KeptIndices(tensor.Terms[axis]);
                gone[axis] = [.. Enumerable.Range(0, (int)tensor.Terms[axis].Size!.Value).Except(kept[axis]!)];
            }
            bool edited = edits.Weights.TryGetValue(tensor.Name, out var values);
            if (gone.Count == 0 && !edited) continue;
            if (gone.Count > 0) removed[tensor.Name] = gone;
            // A weight that ConstantOfShape makes has no data: its shape is a size, re-derived with the others.
            if (tensor.Data is null) continue;
            Replace(tensor, kept, values);
        }
        foreach (var (id, bias) in edits.AddedBiases.OrderBy(b => b.Key)) AddBias(graph.Analysis.Consumers[id], bias);
        return removed;
    }

    private void Replace(TensorState tensor, int[]?[] kept, float[]? values)
    {
        var model = graph.Analysis.Model;
        var content = model.Content(tensor.Data!);
        long[] dims = [.. content.Dims.Select((d, axis) => kept[axis]?.LongLength ?? d)];
        var payload = values is null ? content.Gather(kept) : TensorContent.FromFloats(content.Type, Gather(values, [.. content.Dims], kept));
        var replacement = model.NewTensor(tensor.Data!.Name, content.Type, dims, payload);
        if (tensor.Data.HasDocString) replacement.DocString = tensor.Data.DocString;
        if (!tensor.Data.HasName) replacement.ClearName();
        graph.ReplaceConstant(tensor, replacement);
    }

    private static float[] Gather(float[] values, long[] dims, int[]?[] kept)
    {
        for (int axis = 0; axis < dims.Length; axis++)
        {
            if (kept[axis] is not { } indices) continue;
            int inner = 1, outer = 1;
            for (int k = axis + 1; k < dims.Length; k++) inner *= (int)dims[k];
            for (int k = 0; k < axis; k++) outer *= kept[k]?.Length ?? (int)dims[k];
            var gathered = new float[outer * indices.Length * inner];
            for (int o = 0; o < outer; o++)
                for (int i = 0; i < indices.Length; i++)
                    values.AsSpan(((o * (int)dims[axis]) + indices[i]) * inner, inner).CopyTo(gathered.AsSpan(((o * indices.Length) + i) * inner, inner));
            values = gathered;
        }
        return values;
    }

    private void AddBias(Consumer consumer, float[] bias)
    {
        var weight = graph.Analysis.TermsOf(consumer.Parameter)![consumer.OutputAxis];
        if (slim.Touches(weight)) bias = [.. slim.KeptIndices(weight).Select(k => bias[k])];
        var model = graph.Analysis.Model;
        string name = graph.FreshName($"{consumer.Node.Proto.Output[0]}_bias");
        var type = model.Content(graph.Analysis.Parameters.First(p => p.Name == consumer.Parameter).Data!).Type;
        graph.AddInitializer(consumer.Node.Scope, model.NewTensor(name, type, [bias.Length], TensorContent.FromFloats(type, bias)));
        var node = graph.Node(consumer.Node.Ordinal);
        if (consumer.Kind == ConsumerKind.Convolution || node.OpType == "Gemm")
        {
            while (node.Input.Count < 3) node.Input.Add("");
            node.Input[2] = name;
            return;
        }
        // The weight is the right operand, so that its output is the last axis of the result.
        string product = graph.FreshName($"{node.Output[0]}_product");
        var add = new NodeProto { OpType = "Add", Name = product + "_Add" };
        add.Input.Add(product);
        add.Input.Add(name);
        add.Output.Add(node.Output[0]);
        node.Output[0] = product;
        graph.InsertAfter(consumer.Node.Ordinal, add);
    }
}
