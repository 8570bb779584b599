using System.Buffers;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning;

/// <summary>The weights of a model by name, subgraphs included, and how often each name is read. Elements are read when asked for and not kept.</summary>
internal sealed class WeightTable
{
    private readonly OnnxModel _model;
    private readonly float[] _block = new float[64 * 1024];
    private readonly Dictionary<string, TensorProto> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _uses = new(StringComparer.Ordinal);

    public WeightTable(OnnxModel model)
    {
        _model = model;
        foreach (var graph in model.Proto.Graph?.WithSubgraphs() ?? [])
        {
            foreach (var tensor in graph.Initializer) _tensors.TryAdd(tensor.Name, tensor);
            foreach (var node in graph.Node)
            {
                foreach (string input in node.Input) CountUse(input);
                if (ConstantOf(node) is { } tensor) _tensors.TryAdd(node.Output[0], tensor);
            }
            foreach (var output in graph.Output) CountUse(output.Name);
        }
    }

    /// <summary>Tensor of a Constant node; null for any other node. Scalars and lists given as plain attributes count as tensors.</summary>
    public static TensorProto? ConstantOf(NodeProto node)
    {
        if (node.OpType != "Constant" || node.Domain is not ("" or "ai.onnx") || node.Output.Count == 0) return null;
        foreach (var attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value":
                    return attribute.T;
                case "value_float":
                    return new TensorProto { DataType = (int)DataType.Float, FloatData = { attribute.F } };
                case "value_floats":
                    return new TensorProto { DataType = (int)DataType.Float, Dims = { attribute.Floats.Count }, FloatData = { attribute.Floats } };
                case "value_int":
                    return new TensorProto { DataType = (int)DataType.Int64, Int64Data = { attribute.I } };
                case "value_ints":
                    return new TensorProto { DataType = (int)DataType.Int64, Dims = { attribute.Ints.Count }, Int64Data = { attribute.Ints } };
            }
        }
        return null;
    }

    /// <summary>Names of all weights, ordinal.</summary>
    public IEnumerable<string> Names => _tensors.Keys.Order(StringComparer.Ordinal);

    /// <summary>How many node inputs and graph outputs have this name.</summary>
    public int Uses(string name) => _uses.GetValueOrDefault(name);

    /// <summary>Shape of a weight; null where there is none of that name.</summary>
    public int[]? Shape(string name) => _tensors.TryGetValue(name, out var tensor) ? [.. tensor.Dims.Select(d => checked((int)d))] : null;

    /// <summary>Whether the weight holds floating-point numbers: what a norm may be taken of.</summary>
    public bool IsFloat(string name) => _tensors.TryGetValue(name, out var tensor)
        && (DataType)tensor.DataType is DataType.Float or DataType.Float16 or DataType.Bfloat16 or DataType.Double;

    /// <summary>Elements of a weight.</summary>
    public float[] Floats(string name) => _model.Content(_tensors[name]).ToFloats();

    /// <summary>Reads a weight in order, block by block, through one buffer: memory does not follow the weight's size.</summary>
    /// <param name="name">The weight.</param>
    /// <param name="read">Gets each block and the index of its first element.</param>
    public void ReadBlocks(string name, ReadOnlySpanAction<float, long> read)
    {
        var content = _model.Content(_tensors[name]);
        for (long at = 0; at < content.Count; at += _block.Length)
        {
            var block = _block.AsSpan(0, (int)Math.Min(_block.Length, content.Count - at));
            content.ReadFloats(at, block);
            read(block, at);
        }
    }

    private void CountUse(string name)
    {
        if (name.Length > 0) _uses[name] = _uses.GetValueOrDefault(name) + 1;
    }
}
