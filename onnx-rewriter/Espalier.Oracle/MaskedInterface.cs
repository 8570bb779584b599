using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Oracle;

/// <summary>
/// Gives the masked model the slim model's inputs and outputs. Those that went with a block go, and so does what nothing needs any more;
/// others get their new names. Where one shrank, an input is spread over the units that the dense model had, of which the removed ones
/// get what the first unit gets, for they must not matter; of an output what is left is taken.
/// </summary>
internal sealed class MaskedInterface
{
    private readonly GraphProto _graph;
    private readonly Slices _removed;
    private readonly Dictionary<string, string?> _names;

    /// <param name="graph">The graph; <see cref="Adapt"/> changes it.</param>
    /// <param name="removal">What went; of the slices only those of inputs and outputs are looked at.</param>
    public MaskedInterface(GraphProto graph, Removal removal)
    {
        (_graph, _names) = (graph, removal.Renamed.ToDictionary(n => n.Dense, n => n.Slim, StringComparer.Ordinal));
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var there = graph.Input.Concat(graph.Output).Select(v => v.Name).Where(n => !weights.Contains(n)).ToHashSet(StringComparer.Ordinal);
        if (_names.Keys.FirstOrDefault(n => !there.Contains(n)) is { } missing)
            throw new EspalierException($"The model has no input or output '{missing}', of which the report tells. "
                + "Was it written for this model?");
        var face = there.Select(n => _names.GetValueOrDefault(n, n)).OfType<string>().ToHashSet(StringComparer.Ordinal);
        _removed = removal.Slices.Where(r => face.Contains(r.Key)).ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
    }

    /// <summary>The slices of inputs and outputs.</summary>
    public Slices Only => _removed;

    /// <summary>The slices that are not of inputs and outputs.</summary>
    public Slices Without(Slices slices)
        => _removed.Count == 0 ? slices
            : slices.Where(r => !_removed.ContainsKey(r.Key)).ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);

    /// <exception cref="EspalierException">An input that is gone is still read, or an output that shrank states no size.</exception>
    public void Adapt()
    {
        if (_names.Values.Contains(null)) Drop();
        if (_names.Any(n => n.Value is not null && n.Value != n.Key)) Rename(_graph);
        foreach (var input in _graph.Input.Where(i => _removed.ContainsKey(i.Name)).ToList()) Spread(input);
        foreach (var output in _graph.Output.Where(o => _removed.ContainsKey(o.Name)).ToList()) Take(output);
    }

    private void Drop()
    {
        bool IsGone(ValueInfoProto v) => _names.TryGetValue(v.Name, out string? slim) && slim is null;
        _graph.Output.Keep(o => !IsGone(o));
        var gone = _graph.Input.Where(IsGone).ToList();
        var needed = _graph.Needed();
        foreach (var input in gone.Where(i => needed.Contains(i.Name))) AskAnother(input, gone);
        needed = _graph.Needed();
        _graph.Node.Keep(n => n.Output.Any(needed.Contains));
        _graph.Input.Keep(i => !gone.Contains(i));
        if (gone.FirstOrDefault(i => needed.Contains(i.Name)) is { } left)
            throw new EspalierException($"Input '{left.Name}' is gone from the slim model, but what stays of the dense one needs it.");
    }

    /// <summary>Who only asks a cache for its shape asks one that stays and is stated to have the same.</summary>
    private void AskAnother(ValueInfoProto input, List<ValueInfoProto> gone)
    {
        var twin = _graph.Input.FirstOrDefault(i => !gone.Contains(i) && Equals(i.Type, input.Type))
            ?? throw new EspalierException($"Input '{input.Name}' is gone from the slim model, but its shape is asked for, "
                + "and no input that stays is stated to have the same.");
        foreach (var node in _graph.WithSubgraphs().SelectMany(g => g.Node).Where(n => n.OpType == "Shape" && n.Input.Contains(input.Name)))
            node.Input[0] = twin.Name;
    }

    /// <summary>All at once: names may move on by one.</summary>
    private void Rename(GraphProto graph)
    {
        string Now(string name) => _names.GetValueOrDefault(name) ?? name;
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = Now(value.Name);
        foreach (var node in graph.Node)
        {
            for (int k = 0; k < node.Input.Count; k++) node.Input[k] = Now(node.Input[k]);
            for (int k = 0; k < node.Output.Count; k++) node.Output[k] = Now(node.Output[k]);
            foreach (var inner in node.Subgraphs()) Rename(inner);
        }
    }

    private void Spread(ValueInfoProto input)
    {
        string whole = input.Name;
        var nodes = new List<NodeProto>();
        foreach (var (axis, gone) in _removed[input.Name].OrderBy(a => a.Key))
        {
            var size = input.Type.TensorType.Shape.Dim[axis];
            var kept = Kept(size.DimValue, gone);
            size.DimValue = kept.Length;
            long[] from = [.. Enumerable.Range(0, kept.Length + gone.Length).Select(k => (long)Math.Max(0, Array.IndexOf(kept, k)))];
            nodes.Add(Gather(whole, whole = $"{whole}_whole{axis}", axis, from));
        }
        Redirect(_graph, input.Name, whole);
        for (int k = 0; k < nodes.Count; k++) _graph.Node.Insert(k, nodes[k]);
    }

    private void Take(ValueInfoProto output)
    {
        string whole = output.Name + "_whole", part = whole;
        Redirect(_graph, output.Name, whole);
        foreach (var node in _graph.Node)
            for (int k = 0; k < node.Output.Count; k++) if (node.Output[k] == output.Name) node.Output[k] = whole;
        var axes = _removed[output.Name].OrderBy(a => a.Key).ToList();
        for (int n = 0; n < axes.Count; n++)
        {
            var (axis, gone) = axes[n];
            var size = output.Type?.TensorType?.Shape?.Dim.ElementAtOrDefault(axis);
            if (size is not { HasDimValue: true })
                throw new EspalierException($"Output '{output.Name}' states no size for axis {axis}, of which units were removed.");
            var kept = Kept(size.DimValue, gone);
            size.DimValue = kept.Length;
            _graph.Node.Add(Gather(part, part = n == axes.Count - 1 ? output.Name : $"{part}{axis}", axis, [.. kept.Select(k => (long)k)]));
        }
    }

    private static int[] Kept(long size, int[] gone) => [.. Enumerable.Range(0, (int)size).Except(gone)];

    private NodeProto Gather(string from, string to, int axis, long[] indices)
    {
        var tensor = new TensorProto { Name = to + "_indices", DataType = (int)TensorProto.Types.DataType.Int64 };
        tensor.Dims.Add(indices.LongLength);
        tensor.Int64Data.AddRange(indices);
        _graph.Initializer.Add(tensor);
        return new NodeProto
        {
            OpType = "Gather",
            Name = to,
            Input = { from, tensor.Name },
            Output = { to },
            Attribute = { new AttributeProto { Name = "axis", I = axis, Type = AttributeProto.Types.AttributeType.Int } },
        };
    }

    private static void Redirect(GraphProto graph, string from, string to)
    {
        foreach (var node in graph.Node)
        {
            for (int k = 0; k < node.Input.Count; k++) if (node.Input[k] == from) node.Input[k] = to;
            foreach (var inner in node.Subgraphs()) Redirect(inner, from, to);
        }
    }
}
