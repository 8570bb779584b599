using System.Globalization;
using System.Runtime.InteropServices;
using Espalier.Axes.Graph;
using Espalier.Onnx;
using Google.Protobuf;
using AttributeType = Espalier.Onnx.AttributeProto.Types.AttributeType;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Writing;

/// <summary>
/// A graph of plain ONNX operators that is written node by node. It is a model of its own, so that it has one operator set whatever the
/// forward model has: what it reads of that one are its inputs. A node that was written before is not written again.
/// </summary>
/// <param name="prefix">What the names of its tensors begin with.</param>
internal sealed class BackwardGraph(string prefix = "backward/")
{
    /// <summary>The operator set of what is written: the first with all operators that the rules use.</summary>
    public const int Opset = 21;

    private readonly Dictionary<string, string[]> _written = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorState> _reads = new(StringComparer.Ordinal);
    private int _next;

    public GraphProto Proto { get; } = new() { Name = "backward" };

    /// <summary>Tensors of the forward model that the graph reads, by name.</summary>
    public IReadOnlyDictionary<string, TensorState> Reads => _reads;

    /// <summary>A tensor of the forward model.</summary>
    public string Read(TensorState tensor)
    {
        _reads.TryAdd(tensor.Name, tensor);
        return tensor.Name;
    }

    /// <summary>An input that is no tensor of the forward model: the gradient of one of its outputs.</summary>
    public string Input(string name, TensorState like)
    {
        Proto.Input.Add(new ValueInfoProto { Name = prefix + name, Type = TypeOf(like) });
        return prefix + name;
    }

    public string Op(string type, string[] inputs, params AttributeProto[] attributes) => Ops(type, 1, inputs, attributes)[0];

    /// <summary>A node with several results.</summary>
    public string[] Ops(string type, int results, string[] inputs, params AttributeProto[] attributes)
    {
        string key = $"{type} {string.Join(' ', inputs)} {string.Join(' ', attributes.Select(a => a.ToString()))} {results}";
        if (_written.TryGetValue(key, out var known)) return known;
        var node = new NodeProto { OpType = type, Name = prefix + _next.ToString(CultureInfo.InvariantCulture) };
        node.Input.AddRange(inputs);
        node.Attribute.AddRange(attributes);
        for (int k = 0; k < results; k++) node.Output.Add($"{prefix}{_next++}_{type}");
        Proto.Node.Add(node);
        return _written[key] = [.. node.Output];
    }

    /// <summary>A scalar of a floating type.</summary>
    public string Number(double value, int type)
    {
        string number = Constant(new TensorProto { DataType = (int)DataType.Double, RawData = Bytes([value]) });
        return type == (int)DataType.Double ? number : type == (int)DataType.Float
            ? Constant(new TensorProto { DataType = (int)DataType.Float, RawData = Bytes([(float)value]) })
            : Cast(number, type);
    }

    /// <summary>A list of integers.</summary>
    public string Integers(params long[] values)
        => Constant(new TensorProto { DataType = (int)DataType.Int64, Dims = { values.Length }, RawData = Bytes(values) });

    public string Integer(long value) => Constant(new TensorProto { DataType = (int)DataType.Int64, RawData = Bytes([value]) });

    public string Cast(string x, int type) => Op("Cast", [x], Int("to", type));

    public string Shape(string x) => Op("Shape", [x]);

    public string Transpose(string x, IReadOnlyList<int> order)
        => order.Index().All(o => o.Index == o.Item) ? x : Op("Transpose", [x], Ints("perm", [.. order.Select(o => (long)o)]));

    public string Reshape(string x, params long[] shape) => Op("Reshape", [x, Integers(shape)]);

    public string Sum(string x, IReadOnlyList<long> axes, bool keep)
        => axes.Count == 0 ? x : Op("ReduceSum", [x, Integers([.. axes])], Int("keepdims", keep ? 1 : 0));

    public string Unsqueeze(string x, IReadOnlyList<long> axes) => axes.Count == 0 ? x : Op("Unsqueeze", [x, Integers([.. axes])]);

    public string Slice(string x, long[] starts, long[] ends, long[] axes, long[] steps)
        => Op("Slice", [x, Integers(starts), Integers(ends), Integers(axes), Integers(steps)]);

    /// <summary>Zeros around a tensor: before the first element of each axis, then behind the last.</summary>
    public string Pad(string x, params long[] pads) => pads.All(p => p == 0) ? x : Op("Pad", [x, Integers(pads)]);

    /// <summary>A tensor of zeros.</summary>
    public string Zeros(string shape, int type)
        => Op("ConstantOfShape", [shape], Tensor("value", new TensorProto { DataType = type, Dims = { 1 }, RawData = Zero(type) }));

    public void Output(string name, string value)
    {
        // An output has a name of its own, also where two are the same value or one is an input.
        var node = new NodeProto { OpType = "Identity", Name = prefix + name };
        node.Input.Add(value);
        node.Output.Add(name);
        Proto.Node.Add(node);
        Proto.Output.Add(new ValueInfoProto { Name = name });
    }

    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = AttributeType.Int, I = value };

    public static AttributeProto Ints(string name, params long[] values)
        => new() { Name = name, Type = AttributeType.Ints, Ints = { values } };

    public static AttributeProto Text(string name, string value)
        => new() { Name = name, Type = AttributeType.String, S = ByteString.CopyFromUtf8(value) };

    public static AttributeProto Real(string name, float value) => new() { Name = name, Type = AttributeType.Float, F = value };

    /// <summary>Element type and what is known of the shape.</summary>
    public static TypeProto TypeOf(TensorState tensor)
    {
        var type = new TypeProto.Types.Tensor { ElemType = tensor.ElementType };
        if (tensor.Terms is not { } terms) return new TypeProto { TensorType = type };
        type.Shape = new TensorShapeProto();
        foreach (var term in terms)
            type.Shape.Dim.Add(term.Size is { } size ? new TensorShapeProto.Types.Dimension { DimValue = size } : new());
        return new TypeProto { TensorType = type };
    }

    private static AttributeProto Tensor(string name, TensorProto value) => new() { Name = name, Type = AttributeType.Tensor, T = value };

    private string Constant(TensorProto value) => Op("Constant", [], Tensor("value", value));

    private static ByteString Zero(int type) => ByteString.CopyFrom(new byte[(DataType)type switch
    {
        DataType.Double => 8,
        DataType.Float => 4,
        _ => 2,
    }]);

    private static ByteString Bytes<T>(T[] values) where T : unmanaged => ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan()));
}
