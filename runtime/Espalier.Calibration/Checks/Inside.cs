using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Calibration.Checks;

/// <summary>The tensors inside of two models that are to be compared, and how.</summary>
/// <param name="masked">The dense model with what was removed masked.</param>
internal sealed class Inside(OnnxModel masked, OnnxModel slim)
{
    private const string Prefix = "espalier.inside/";

    /// <summary>A tensor that both models have.</summary>
    /// <param name="Maker">The node of the slim model that makes it.</param>
    /// <param name="Kept">Which indices of the masked model's the slim model has, per axis; null for an axis that is whole.</param>
    /// <param name="Bytes">About what it takes in a run of the slim model.</param>
    public sealed record Tensor(string Name, NodeProto Maker, int[]?[] Kept, long Bytes);

    private readonly IReadOnlyList<NodeProto> _nodes = slim.Proto.Graph.InOrder();

    /// <summary>
    /// Names that both models have for what a node of the main graph makes of the inputs, in the order of the slim graph. Sizes are left
    /// out: they differ rightly.
    /// </summary>
    public List<(string Name, NodeProto Maker)> Common(Func<string, bool> isComparable)
    {
        var graph = slim.Proto.Graph;
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var data = graph.Input.Select(i => i.Name).Where(n => !weights.Contains(n)).ToHashSet(StringComparer.Ordinal);
        var results = graph.Output.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);
        var there = masked.Proto.Graph.Node.SelectMany(n => n.Output).ToHashSet(StringComparer.Ordinal);
        var common = new List<(string, NodeProto)>();
        foreach (var node in _nodes)
        {
            if (node.OpType is "Shape" or "Size" || !node.Reads().Any(data.Contains)) continue;
            data.UnionWith(node.Output);
            foreach (string name in node.Output)
                if (name.Length > 0 && there.Contains(name) && (results.Contains(name) || isComparable(name))) common.Add((name, node));
        }
        return common;
    }

    /// <summary>The tensors that depend on one, itself among them.</summary>
    public HashSet<string> Behind(string tensor)
    {
        var behind = new HashSet<string>(StringComparer.Ordinal) { tensor };
        foreach (var node in _nodes)
            if (node.Reads().Any(behind.Contains)) behind.UnionWith(node.Output);
        return behind;
    }

    /// <summary>Their shapes in a run, by name; only shapes are outputs, so no more memory is taken than by a plain run.</summary>
    public static IReadOnlyDictionary<string, long[]> Shapes(
        OnnxModel model, IReadOnlyList<string> tensors, IEnumerable<NamedTensor> inputs, CancellationToken cancellationToken)
    {
        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        for (int k = 0; k < tensors.Count; k++)
        {
            string shape = $"{Prefix}shape/{k}";
            copy.Graph.Node.Add(new NodeProto { OpType = "Shape", Name = shape, Input = { tensors[k] }, Output = { shape } });
            copy.Graph.Output.Add(new ValueInfoProto { Name = shape });
        }
        using var derived = model.Derive(copy);
        using var session = Sessions.Open(derived, plain: true);
        var found = session.Run(inputs, cancellationToken);
        return tensors.Index().ToDictionary(t => t.Item, t => (long[])found[$"{Prefix}shape/{t.Index}"].Values, StringComparer.Ordinal);
    }

    /// <summary>A model whose outputs are these tensors, as the slim model has them.</summary>
    /// <param name="model">A model with the dense model's shapes, or the slim one.</param>
    /// <param name="gather">Whether what is kept is to be taken.</param>
    /// <returns>The model, and the name of the output for each tensor.</returns>
    public static (OnnxModel Model, string[] Outputs) Show(OnnxModel model, IReadOnlyList<Tensor> tensors, bool gather)
    {
        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        string[] outputs = new string[tensors.Count];
        for (int k = 0; k < outputs.Length; k++)
        {
            string name = tensors[k].Name;
            for (int axis = 0; gather && axis < tensors[k].Kept.Length; axis++)
            {
                if (tensors[k].Kept[axis] is not { } kept) continue;
                string indices = $"{Prefix}{k}/{axis}/kept", part = $"{Prefix}{k}/{axis}";
                var tensor = new TensorProto { Name = indices, DataType = (int)TensorProto.Types.DataType.Int64 };
                tensor.Dims.Add(kept.LongLength);
                tensor.Int64Data.AddRange(kept.Select(i => (long)i));
                copy.Graph.Initializer.Add(tensor);
                var node = new NodeProto { OpType = "Gather", Name = part, Input = { name, indices }, Output = { part } };
                node.Attribute.Add(new AttributeProto { Name = "axis", I = axis, Type = AttributeProto.Types.AttributeType.Int });
                copy.Graph.Node.Add(node);
                name = part;
            }
            copy.Graph.Output.Add(new ValueInfoProto { Name = outputs[k] = name });
        }
        return (model.Derive(copy), outputs);
    }
}
