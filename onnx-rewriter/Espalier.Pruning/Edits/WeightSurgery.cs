using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Edits;

/// <summary>Gathers every weight along every axis by its term, and writes down what compensation changed.</summary>
internal sealed class WeightSurgery(EditableGraph graph, SlimSizes slim, WeightEdits edits)
{
    private readonly Dictionary<string, LowRankFactors> _factors = edits.Factors.ToDictionary(f => f.Target.Weight, StringComparer.Ordinal);

    /// <summary>By name of a weight that became a product of two: the names of the factors.</summary>
    public Dictionary<string, (string Down, string Up)> Factored { get; } = new(StringComparer.Ordinal);

    /// <summary>Copies of shared vectors for some of their readers.</summary>
    public List<SlimCopy> Copies { get; } = [];

    public Dictionary<string, IReadOnlyDictionary<int, int[]>> Apply()
    {
        var removed = new Dictionary<string, IReadOnlyDictionary<int, int[]>>(StringComparer.Ordinal);
        foreach (var tensor in graph.Analysis.Parameters)
        {
            if (tensor.Source is not null) continue;
            var (kept, gone) = Slices(tensor);
            if (_factors.TryGetValue(tensor.Name, out var factors))
            {
                var reader = factors.Target.Consumers[0];
                Factored[tensor.Name] = LowRankSurgery.Apply(graph, factors, Left(reader.ParameterAxis), Left(reader.OutputAxis));
                if (gone.Count > 0) removed[tensor.Name] = gone;
                continue;

                int[] Left(int axis) => kept[axis] ?? [.. Enumerable.Range(0, (int)tensor.Terms![axis].Size!.Value)];
            }
            bool edited = edits.Weights.TryGetValue(tensor.Name, out var values);
            if (gone.Count == 0 && !edited) continue;
            if (gone.Count > 0) removed[tensor.Name] = gone;
            // A weight that ConstantOfShape makes has no data: its shape is a size, re-derived with the others.
            if (tensor.Data is null) continue;
            Replace(tensor, kept, values);
        }
        foreach (var views in graph.Analysis.Parameters.Where(t => t.Source is not null).GroupBy(t => t.Source!))
            Share(views.Key, [.. views], removed);
        foreach (var (id, bias) in edits.AddedBiases.OrderBy(b => b.Key)) AddBias(graph.Analysis.Products[id], bias);
        Take();
        return removed;
    }

    private (int[]?[] Kept, SortedDictionary<int, int[]> Gone) Slices(TensorState tensor)
    {
        var kept = new int[]?[tensor.Terms!.Length];
        var gone = new SortedDictionary<int, int[]>();
        for (int axis = 0; axis < kept.Length; axis++)
        {
            if (!slim.Touches(tensor.Terms[axis])) continue;
            kept[axis] = slim.KeptIndices(tensor.Terms[axis]);
            gone[axis] = slim.RemovedIndices(tensor.Terms[axis]);
        }
        return (kept, gone);
    }

    /// <summary>A vector that several nodes read: one for all where all keep the same, else one for those that do.</summary>
    private void Share(TensorState tensor, List<TensorState> views, Dictionary<string, IReadOnlyDictionary<int, int[]>> removed)
    {
        edits.Weights.TryGetValue(tensor.Name, out var values);
        var byKept = views.Select(v => (View: v, Slices: Slices(v)))
            .GroupBy(v => string.Join(',', v.Slices.Gone.Select(g => $"{g.Key}:{string.Join(' ', g.Value)}")),
                StringComparer.Ordinal).ToList();
        if (byKept.Count == 1 && views.Count == tensor.Views.Count && !graph.IsOutput(tensor))
        {
            var (kept, gone) = byKept[0].First().Slices;
            if (gone.Count > 0) removed[tensor.Name] = gone;
            if (gone.Count > 0 || values is not null) Replace(tensor, kept, values);
            return;
        }
        foreach (var same in byKept)
        {
            var (kept, gone) = same.First().Slices;
            if (gone.Count == 0) continue;
            string name = graph.FreshName(tensor.Name + "_slim");
            graph.AddInitializer(tensor.Scope, Sliced(tensor, name, kept, values));
            Copies.Add(new(name, tensor.Name, [.. same.Select(v => v.View.Reader!.Value.Node.Proto.Output[0])], gone));
            foreach (var (view, _) in same)
            {
                var (reader, operand) = view.Reader!.Value;
                graph.Node(reader.Ordinal).Input[operand] = name;
                removed[SlimModel.ReaderKey(tensor.Name, reader.Proto.Output[0])] = gone;
            }
        }
    }

    /// <summary>Readers of shared tables take their units by index.</summary>
    private void Take()
    {
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (reader, operand, axis, term) in graph.Analysis.State.Taken)
        {
            if (!slim.Touches(term)) continue;
            var node = graph.Node(reader.Ordinal);
            long[] kept = [.. slim.KeptIndices(term).Select(k => (long)k)];
            // Readers in one graph that take the same units share the part; the first comes first in it.
            string key = $"{reader.Scope} {axis} {string.Join(',', kept)} {node.Input[operand]}";
            if (taken.TryGetValue(key, out var there))
            {
                node.Input[operand] = there;
                continue;
            }
            string indices = graph.AddLongs(reader.Scope, node.Input[operand] + "_kept", kept);
            string part = graph.FreshName(node.Input[operand] + "_part");
            var gather = EditableGraph.NewNode("Gather", part, part, node.Input[operand], indices);
            gather.Attribute.Add(new AttributeProto { Name = "axis", I = axis, Type = AttributeProto.Types.AttributeType.Int });
            graph.InsertBefore(reader.Ordinal, gather);
            node.Input[operand] = taken[key] = part;
        }
    }

    private void Replace(TensorState tensor, int[]?[] kept, float[]? values)
        => graph.ReplaceConstant(tensor, Sliced(tensor, tensor.Data!.HasName ? tensor.Data.Name : "", kept, values));

    private TensorProto Sliced(TensorState tensor, string name, int[]?[] kept, float[]? values)
    {
        var model = graph.Analysis.Model;
        var content = model.Content(tensor.Data!);
        long[] dims = [.. content.Dims.Select((d, axis) => kept[axis]?.LongLength ?? d)];
        var payload = values is null ? content.Gather(kept) : Elements(content.Type, Gather(values, [.. content.Dims], kept));
        var sliced = model.NewTensor(name, content.Type, dims, payload);
        if (tensor.Data!.HasDocString) sliced.DocString = tensor.Data.DocString;
        return sliced;
    }

    private static IPayload Elements(TensorProto.Types.DataType type, float[] values)
        => DataTypes.IsFloat(type)
            ? TensorContent.FromFloats(type, values)
            : TensorContent.FromLongs(type, Array.ConvertAll(values, v => (long)v));

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
                    values.AsSpan(((o * (int)dims[axis]) + indices[i]) * inner, inner)
                        .CopyTo(gathered.AsSpan(((o * indices.Length) + i) * inner, inner));
            values = gathered;
        }
        return values;
    }

    private void AddBias(Consumer consumer, float[] bias)
    {
        var weight = graph.Analysis.TermsOf(consumer.Parameter)![consumer.OutputAxis];
        NewBias.Write(graph, consumer, slim.Touches(weight) ? [.. slim.KeptIndices(weight).Select(k => bias[k])] : bias);
    }
}
