using System.Security.Cryptography;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;

namespace Espalier.Pruning.Diffs;

/// <summary>Compares two models by name: what was cut, dropped, added or set to another value.</summary>
internal static class GraphDiffer
{
    /// <summary>Longest integer tensor whose values are told; of longer ones only that they changed.</summary>
    private const int ShownElements = 16;

    /// <summary>Compares.</summary>
    /// <returns>Changes in the order of the first model, what is new in the order of the second. Subgraphs are included.</returns>
    public static GraphDiff Diff(OnnxModel a, OnnxModel b)
    {
        List<NodeEntry> before = Nodes(a), after = Nodes(b);
        var byKey = after.ToDictionary(n => n.Key, StringComparer.Ordinal);
        var matched = new HashSet<string>(StringComparer.Ordinal);
        var removed = new List<string>();
        var changed = new List<NodeChange>();
        foreach (var node in before)
        {
            if (!byKey.TryGetValue(node.Key, out var other))
            {
                removed.Add(node.Label);
                continue;
            }
            matched.Add(node.Key);
            changed.AddRange(Changes(node, a, other, b).Select(what => new NodeChange(node.Label, what)));
        }
        var (tensors, values) = Tensors(a, b);
        return new GraphDiff(tensors, removed, [.. after.Where(n => !matched.Contains(n.Key)).Select(n => n.Label)],
            [.. values, .. changed]);
    }

    /// <summary>Tensors with another shape or other elements; the values of short integer tensors are told like attributes.</summary>
    private static (List<TensorChange> Changes, List<NodeChange> Values) Tensors(OnnxModel a, OnnxModel b)
    {
        List<TensorEntry> before = Weights(a), after = Weights(b);
        var byName = after.ToDictionary(t => t.Name, StringComparer.Ordinal);
        var changes = new List<TensorChange>();
        var values = new List<NodeChange>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in before)
        {
            seen.Add(entry.Name);
            if (!byName.TryGetValue(entry.Name, out var other))
            {
                changes.Add(new TensorChange(entry.Name, entry.Dims, null));
                continue;
            }
            bool sameShape = entry.Dims.SequenceEqual(other.Dims) && entry.Type == other.Type;
            if (sameShape && (entry.Tensor is null || SameElements(a, entry.Tensor, b, other.Tensor!))) continue;
            if (entry.Tensor is not null && Shown(a, entry.Tensor) is { } old && Shown(b, other.Tensor!) is { } now)
                values.Add(new NodeChange($"value '{entry.Name}'", $"{old} → {now}"));
            else if (entry.Type != other.Type) values.Add(new NodeChange($"value '{entry.Name}'", $"type {entry.Type} → {other.Type}"));
            else changes.Add(new TensorChange(entry.Name, entry.Dims, other.Dims));
        }
        changes.AddRange(after.Where(t => !seen.Contains(t.Name)).Select(t => new TensorChange(t.Name, null, t.Dims)));
        return (changes, values);
    }

    /// <summary>Inputs, initializers, constants and outputs that have a shape, in that order within each graph.</summary>
    private static List<TensorEntry> Weights(OnnxModel model)
    {
        var entries = new List<TensorEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (graph, scope) in Scopes(model.Proto))
        {
            foreach (var tensor in graph.Initializer) Add(scope, tensor.Name, tensor);
            foreach (var node in graph.Node)
                if (node.ConstantTensor() is { } constant) Add(scope, node.Output[0], constant);
            foreach (var info in graph.Input.Concat(graph.Output))
            {
                if (info.Type?.TensorType is not { Shape: not null } type || !names.Add(scope + info.Name)) continue;
                entries.Add(new TensorEntry(scope + info.Name,
                    [.. type.Shape.Dim.Select(d => d.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue
                        ? d.DimValue
                        : -1)], type.ElemType, null));
            }
        }
        return entries;

        void Add(string scope, string name, TensorProto tensor)
        {
            if (names.Add(scope + name)) entries.Add(new TensorEntry(scope + name, [.. tensor.Dims], tensor.DataType, tensor));
        }
    }

    private static List<NodeEntry> Nodes(OnnxModel model)
    {
        var entries = new List<NodeEntry>();
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (graph, scope) in Scopes(model.Proto))
        {
            foreach (var node in graph.Node)
            {
                string output = node.Output.FirstOrDefault(o => o.Length > 0) ?? "";
                string key = $"{scope}{node.Domain}.{node.OpType} {output}";
                while (!keys.Add(key)) key += "'";
                entries.Add(new NodeEntry(key, $"{node.OpType} '{scope}{(node.Name.Length > 0 ? node.Name : output)}'", node));
            }
        }
        return entries;
    }

    /// <summary>The main graph with an empty scope, and every subgraph with the path to it.</summary>
    private static IEnumerable<(GraphProto Graph, string Scope)> Scopes(ModelProto model)
    {
        if (model.Graph is null) yield break;
        var open = new Queue<(GraphProto, string)>();
        open.Enqueue((model.Graph, ""));
        while (open.TryDequeue(out var entry))
        {
            yield return entry;
            var (graph, scope) = entry;
            foreach (var node in graph.Node)
            {
                foreach (var attribute in node.Attribute)
                {
                    string inner = $"{scope}{node.Output.FirstOrDefault()}.{attribute.Name}/";
                    if (attribute.G is not null) open.Enqueue((attribute.G, inner));
                    for (int i = 0; i < attribute.Graphs.Count; i++)
                        open.Enqueue((attribute.Graphs[i], FormattableString.Invariant($"{inner}{i}/")));
                }
            }
        }
    }

    private static IEnumerable<string> Changes(NodeEntry before, OnnxModel a, NodeEntry after, OnnxModel b)
    {
        for (int i = 0; i < Math.Max(before.Node.Input.Count, after.Node.Input.Count); i++)
        {
            string old = before.Node.Input.ElementAtOrDefault(i) ?? "", now = after.Node.Input.ElementAtOrDefault(i) ?? "";
            if (old != now) yield return FormattableString.Invariant($"input {i} {Name(old)} → {Name(now)}");
        }
        // The value of a constant is compared as a weight, and a subgraph node by node.
        var olds = Attributes(before.Node, a);
        var nows = Attributes(after.Node, b);
        foreach (string name in olds.Keys.Union(nows.Keys).Order(StringComparer.Ordinal))
        {
            string old = olds.GetValueOrDefault(name, "absent"), now = nows.GetValueOrDefault(name, "absent");
            if (old != now) yield return $"{name} {old} → {now}";
        }

        static string Name(string value) => value.Length == 0 ? "absent" : $"'{value}'";
    }

    private static Dictionary<string, string> Attributes(NodeProto node, OnnxModel model)
        => node.Attribute.Where(x => x.G is null && x.Graphs.Count == 0 && node.ConstantTensor() is null)
            .GroupBy(x => x.Name, StringComparer.Ordinal)
            .ToDictionary(x => x.Key, x => AttributeText.Format(x.First(), t => Shown(model, t) ?? Digest(model, t)),
                StringComparer.Ordinal);

    private static string? Shown(OnnxModel model, TensorProto tensor)
    {
        var content = model.Content(tensor);
        if (!DataTypes.IsInteger(content.Type) || content.Count > ShownElements) return null;
        string list = string.Join(", ", content.ToLongs().Select(v => FormattableString.Invariant($"{v}")));
        return tensor.Dims.Count == 0 ? list : $"[{list}]";
    }

    private static bool SameElements(OnnxModel a, TensorProto x, OnnxModel b, TensorProto y)
        => ReferenceEquals(x, y) || Digest(a, x) == Digest(b, y);

    private static string Digest(OnnxModel model, TensorProto tensor)
    {
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write)) model.Content(tensor).AsPayload().CopyTo(stream);
        return $"tensor [{string.Join(", ", tensor.Dims)}] {Convert.ToHexStringLower(hash.Hash!)[..16]}";
    }

    private sealed record TensorEntry(string Name, long[] Dims, int Type, TensorProto? Tensor);

    private sealed record NodeEntry(string Key, string Label, NodeProto Node);
}
