using System.Runtime.InteropServices;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Google.Protobuf;

namespace Espalier.Calibration.Graph;

/// <summary>
/// Appends nodes to a graph in the operator set that the model declares: the few operators whose axes moved from attributes to
/// inputs are written in the form that the model's version has.
/// </summary>
internal sealed class NodeWriter
{
    private readonly ModelProto _model;
    private readonly GraphProto _graph;
    private readonly long _opset;
    private readonly string _prefix;
    private int _next;

    /// <param name="model">Model whose main graph is written to.</param>
    /// <param name="prefix">Start of every new name; no tensor of the model may start so.</param>
    public NodeWriter(ModelProto model, string prefix)
    {
        (_model, _graph, _prefix) = (model, model.Graph, prefix);
        var import = GraphFacts.StandardSet(model);
        if (import is null) model.OpsetImport.Add(import = new OperatorSetIdProto { Domain = "", Version = 17 });
        _opset = import.Version;
    }

    public string Op(string type, IEnumerable<string> inputs, params AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = type, Name = $"{_prefix}{_next}" };
        node.Input.AddRange(inputs);
        node.Attribute.AddRange(attributes);
        node.Output.Add($"{_prefix}{_next++}_out");
        _graph.Node.Add(node);
        return node.Output[0];
    }

    /// <summary>Every consumer reads float32, whatever the model computes in; ONNX Runtime drops the cast where it does nothing.</summary>
    public string Float(string x) => Op("Cast", [x], Int("to", (long)TensorProto.Types.DataType.Float));

    public string Transpose(string x, IReadOnlyList<int> perm)
        => perm.Select((p, i) => p == i).All(same => same) ? x : Op("Transpose", [x], Ints("perm", perm.Select(p => (long)p)));

    public string Flatten(string x, int axis) => Op("Flatten", [x], Int("axis", axis));

    public string Reshape(string x, params long[] target) => Op("Reshape", [x, Constant(target, target.Length)]);

    public string ReduceSum(string x, bool keep, params long[] axes) => _opset >= 13
        ? Op("ReduceSum", [x, Constant(axes, axes.Length)], Int("keepdims", keep ? 1 : 0))
        : Op("ReduceSum", [x], Ints("axes", axes), Int("keepdims", keep ? 1 : 0));

    /// <summary>Rounding may leave a little more than a function is defined for.</summary>
    public string Clip(string x, float least, float most) => _opset >= 11
        ? Op("Clip", [x, Constant(new[] { least }), Constant(new[] { most })])
        : Op("Clip", [x], Float("min", least), Float("max", most));

    /// <summary>The largest elements of every row of a matrix, in falling order.</summary>
    public string Largest(string rows, long count)
    {
        string values = _opset >= 10
            ? Op("TopK", [rows, Constant(new[] { count }, 1)], Int("axis", 1))
            : Op("TopK", [rows], Int("axis", 1), Int("k", count));
        // ONNX has the positions as a second output, which is not optional.
        _graph.Node[^1].Output.Add($"{_prefix}{_next++}_out");
        return values;
    }

    /// <summary>0, 1, … up to a scalar.</summary>
    public string Range(string count) => Op("Range", [Constant(new[] { 0L }), count, Constant(new[] { 1L })]);

    /// <summary>A constant; as a node, since initializers of old files would have to be inputs too.</summary>
    public string Constant<T>(T[] values, params long[] dims) where T : unmanaged
    {
        var tensor = new TensorProto
        {
            DataType = (int)(typeof(T) == typeof(float) ? TensorProto.Types.DataType.Float : TensorProto.Types.DataType.Int64),
            RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())),
        };
        tensor.Dims.AddRange(dims);
        return Op("Constant", [], new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor });
    }

    /// <summary>A float32 graph input.</summary>
    public string Input(string name, params long[] dims) => Input(name, TensorProto.Types.DataType.Float, dims);

    /// <summary>A graph input that is a list of integers.</summary>
    public string Integers(string name) => Input(name, TensorProto.Types.DataType.Int64, [-1]);

    private string Input(string name, TensorProto.Types.DataType type, long[] dims)
    {
        var shape = new TensorShapeProto();
        shape.Dim.AddRange(dims.Select(d => d < 0 ? new TensorShapeProto.Types.Dimension() : new() { DimValue = d }));
        _graph.Input.Add(new ValueInfoProto
        {
            Name = _prefix + name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = shape } },
        });
        return _prefix + name;
    }

    public string Gather(string x, string indices, int axis) => Op("Gather", [x, indices], Int("axis", axis));

    /// <summary>Zeros around a tensor.</summary>
    /// <param name="pads">Before the first element of each axis, then behind the last.</param>
    public string Pad(string x, long[] pads) => pads.All(p => p == 0) ? x
        : _opset >= 11 ? Op("Pad", [x, Constant(pads, pads.Length)]) : Op("Pad", [x], Ints(_opset >= 2 ? "pads" : "paddings", pads));

    /// <summary>Makes a tensor an output of the graph; ONNX Runtime infers its type.</summary>
    public void Output(string name) => _graph.Output.Add(new ValueInfoProto { Name = name });

    /// <summary>
    /// The model that was written, with what its outputs need alone: ONNX Runtime computes all nodes of a graph, asked for or not.
    /// </summary>
    public OnnxModel Derive(OnnxModel source)
    {
        var needed = _graph.Needed();
        var gone = _graph.Initializer.Select(t => t.Name).Where(n => !needed.Contains(n)).ToHashSet(StringComparer.Ordinal);
        _graph.Node.Keep(n => n.Output.Any(needed.Contains));
        _graph.Initializer.Keep(t => !gone.Contains(t.Name));
        // Old files list initializers among the inputs: without its initializer such an input would have to be given.
        _graph.Input.Keep(i => !gone.Contains(i.Name));
        return source.Derive(_model);
    }

    public static AttributeProto Int(string name, long value)
        => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    public static AttributeProto Float(string name, float value)
        => new() { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = value };

    public static AttributeProto Ints(string name, IEnumerable<long> values)
    {
        var attribute = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints };
        attribute.Ints.AddRange(values);
        return attribute;
    }
}
