using Espalier.Onnx;
using Google.Protobuf;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Graphs;

/// <summary>Where the builder puts weights.</summary>
public enum WeightStorage
{
    /// <summary>Initializers of the graph.</summary>
    Initializer,
    /// <summary>Outputs of Constant nodes.</summary>
    ConstantNode,
    /// <summary>Initializers that are listed as graph inputs too, as files before IR version 4 must.</summary>
    GraphInput,
    /// <summary>The same in a file of a later version: a caller may give another value.</summary>
    Overridable,
}

/// <summary>
/// Builds ONNX graphs in memory: values are names, weights are seeded normal numbers, so that the same calls give the same model.
/// Layers that take several nodes are in <see cref="Layers"/>.
/// </summary>
internal sealed class GraphBuilder
{
    private readonly GraphProto _graph;
    private readonly Random _random;
    private readonly GraphBuilder _root;
    private readonly WeightStorage _storage;
    private readonly SortedDictionary<string, int> _domains = new(StringComparer.Ordinal);
    private int _next;

    /// <summary>Starts a graph.</summary>
    /// <param name="seed">Seed of all weights.</param>
    /// <param name="opset">Version of the default operator set.</param>
    /// <param name="storage">Where weights go.</param>
    public GraphBuilder(int seed = 1, int opset = 17, WeightStorage storage = WeightStorage.Initializer)
    {
        (_graph, _random, _storage, Opset, _root) = (new GraphProto { Name = "test" }, new Random(seed), storage, opset, this);
    }

    private GraphBuilder(GraphBuilder outer)
    {
        (_graph, _random, _storage, Opset, _root) = (new GraphProto { Name = "body" }, outer._random, WeightStorage.Initializer,
            outer.Opset, outer._root);
    }

    /// <summary>Version of the default operator set.</summary>
    public int Opset { get; }

    /// <summary>A graph input; a dimension is an integer, or a name where it is dynamic.</summary>
    public string Input(string name, params object[] dims) => Input(name, DataType.Float, dims);

    /// <summary>A graph input of the given element type.</summary>
    public string Input(string name, DataType type, params object[] dims)
    {
        _graph.Input.Add(Info(name, type, dims));
        return name;
    }

    /// <summary>A graph input that is a map from integers to numbers.</summary>
    public string MapInput(string name)
    {
        _graph.Input.Add(new ValueInfoProto { Name = name, Type = MapOf(DataType.Int64) });
        return name;
    }

    /// <summary>A graph output that is a sequence of maps from integers, or from strings, to numbers.</summary>
    public GraphBuilder MapsOutput(string name, DataType key)
    {
        var type = new TypeProto { SequenceType = new TypeProto.Types.Sequence { ElemType = MapOf(key) } };
        _graph.Output.Add(new ValueInfoProto { Name = name, Type = type });
        return this;
    }

    private static TypeProto MapOf(DataType key)
    {
        var number = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = new TensorShapeProto() };
        return new() { MapType = new TypeProto.Types.Map { KeyType = (int)key, ValueType = new TypeProto { TensorType = number } } };
    }

    /// <summary>Version of a domain other than the default one, which is 1 if nothing is said.</summary>
    public GraphBuilder Import(string domain, int version)
    {
        _root._domains[domain] = version;
        return this;
    }

    /// <summary>A graph output; without dimensions only its type is stated.</summary>
    public GraphBuilder Output(string name, params object[] dims) => Output(name, DataType.Float, dims);

    /// <summary>A graph output of the given element type.</summary>
    public GraphBuilder Output(string name, DataType type, params object[] dims)
    {
        _graph.Output.Add(Info(name, type, dims.Length == 0 ? null : dims));
        return this;
    }

    /// <summary>A weight of normal numbers, scaled so that a product with it keeps the size of its input.</summary>
    public string Weight(string name, params long[] dims)
    {
        long fan = dims.Length switch
        {
            0 or 1 => 4,
            2 => dims[0],
            _ => dims.Skip(1).Aggregate(1L, (a, b) => a * b),
        };
        double scale = 1 / Math.Sqrt(Math.Max(1, fan));
        return Floats(name, Fill(dims, () => (float)(Normal() * scale)), dims);
    }

    /// <summary>A weight of numbers in 0.5..1.5: variances, scales, gates.</summary>
    public string Positive(string name, params long[] dims)
        => Floats(name, Fill(dims, () => 0.5f + (float)_root._random.NextDouble()), dims);

    /// <summary>A float32 constant in the builder's storage.</summary>
    public string Floats(string name, float[] values, params long[] dims)
    {
        var tensor = Tensor(name, DataType.Float, dims, MemoryBytes(values));
        return Add(tensor, _storage);
    }

    /// <summary>A float32 scalar.</summary>
    public string Scalar(string name, float value) => Floats(name, [value]);

    /// <summary>A one-dimensional int64 constant.</summary>
    public string Longs(string name, params long[] values)
        => Add(Tensor(name, DataType.Int64, [values.Length], MemoryBytes(values)), _storage is WeightStorage.GraphInput
            or WeightStorage.Overridable ? WeightStorage.Initializer : _storage);

    /// <summary>An int64 constant of any shape.</summary>
    public string Longs(string name, long[] values, long[] dims)
        => Add(Tensor(name, DataType.Int64, dims, MemoryBytes(values)), _storage is WeightStorage.GraphInput or WeightStorage.Overridable
            ? WeightStorage.Initializer
            : _storage);

    /// <summary>A one-dimensional int64 constant with a name of its own.</summary>
    public string Longs(params long[] values) => Longs(Fresh("const"), values);

    /// <summary>Any tensor as an initializer.</summary>
    public string Initializer(TensorProto tensor) => Add(tensor, WeightStorage.Initializer);

    /// <summary>A node with one output of a fresh name.</summary>
    public string Node(string op, string[] inputs, params (string Name, object Value)[] attributes) => Nodes(op, 1, inputs, attributes)[0];

    /// <summary>A node with one input and one output of a fresh name.</summary>
    public string Node(string op, string input, params (string Name, object Value)[] attributes) => Nodes(op, 1, [input], attributes)[0];

    /// <summary>A node with several outputs. The operator may have its domain in front: <c>com.microsoft::Attention</c>.</summary>
    public string[] Nodes(string op, int outputs, string[] inputs, params (string Name, object Value)[] attributes)
    {
        var node = new NodeProto { Name = Fresh(op.Split("::")[^1].ToLowerInvariant()) };
        if (op.Split("::") is [var domain, var bare])
        {
            (node.Domain, node.OpType) = (domain, bare);
            _root._domains.TryAdd(domain, 1);
        }
        else node.OpType = op;
        node.Input.AddRange(inputs);
        for (int i = 0; i < outputs; i++) node.Output.Add(outputs == 1 ? $"{node.Name}_y" : $"{node.Name}_y{i}");
        foreach (var (name, value) in attributes) node.Attribute.Add(Attribute(name, value));
        _graph.Node.Add(node);
        return [.. node.Output];
    }

    /// <summary>Gives the tensor another name at its producer, e.g. for a graph output.</summary>
    public string Rename(string tensor, string name)
    {
        foreach (var node in _graph.Node)
        {
            for (int i = 0; i < node.Output.Count; i++) if (node.Output[i] == tensor) node.Output[i] = name;
            for (int i = 0; i < node.Input.Count; i++) if (node.Input[i] == tensor) node.Input[i] = name;
        }
        return name;
    }

    /// <summary>A graph for an attribute of If, Loop or Scan; it sees the outer names.</summary>
    public GraphProto Subgraph(Action<GraphBuilder> build)
    {
        var inner = new GraphBuilder(this);
        build(inner);
        return inner._graph;
    }

    /// <summary>The finished model.</summary>
    public OnnxModel Build()
    {
        var model = new ModelProto
        {
            IrVersion = _storage == WeightStorage.GraphInput
            ? 3
            : 8,
            ProducerName = "espalier-tests",
            Graph = _graph
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        foreach (var (domain, version) in _domains) model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        return OnnxModel.Wrap(model);
    }

    /// <summary>A name that is not used yet.</summary>
    public string Fresh(string stem) => $"{stem}_{_root._next++}";

    /// <summary>A standard normal number from the builder's seed.</summary>
    public double Normal()
    {
        double u = 1 - _root._random.NextDouble(), v = _root._random.NextDouble();
        return Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v);
    }

    private string Add(TensorProto tensor, WeightStorage storage)
    {
        if (storage == WeightStorage.ConstantNode)
        {
            var node = new NodeProto { OpType = "Constant", Name = "constant_" + tensor.Name };
            node.Output.Add(tensor.Name);
            var value = tensor.Clone();
            value.ClearName();
            node.Attribute.Add(new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = value });
            _graph.Node.Add(node);
            return tensor.Name;
        }
        _graph.Initializer.Add(tensor);
        if (storage is WeightStorage.GraphInput or WeightStorage.Overridable)
            _graph.Input.Add(Info(tensor.Name, (DataType)tensor.DataType, [.. tensor.Dims.Select(d => (object)d)]));
        return tensor.Name;
    }

    /// <summary>A tensor message with raw data.</summary>
    public static TensorProto Tensor(string name, DataType type, IEnumerable<long> dims, byte[] raw)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(raw) };
        tensor.Dims.AddRange(dims);
        return tensor;
    }

    private static byte[] MemoryBytes<T>(T[] values)
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.AsBytes<T>(values).ToArray();

    private static float[] Fill(long[] dims, Func<float> next)
    {
        var values = new float[dims.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++) values[i] = next();
        return values;
    }

    private static ValueInfoProto Info(string name, DataType type, object[]? dims)
    {
        var tensor = new TypeProto.Types.Tensor { ElemType = (int)type };
        if (dims is not null)
        {
            tensor.Shape = new TensorShapeProto();
            foreach (var dim in dims)
            {
                tensor.Shape.Dim.Add(dim switch
                {
                    string s => new TensorShapeProto.Types.Dimension { DimParam = s },
                    _ => new TensorShapeProto.Types.Dimension
                    { DimValue = Convert.ToInt64(dim, System.Globalization.CultureInfo.InvariantCulture) },
                });
            }
        }
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }

    private static AttributeProto Attribute(string name, object value)
    {
        var a = new AttributeProto { Name = name };
        switch (value)
        {
            case int or long:
                (a.Type, a.I) =
                    (AttributeProto.Types.AttributeType.Int, Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case float or double:
                (a.Type, a.F) =
                    (AttributeProto.Types.AttributeType.Float, Convert.ToSingle(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case string s:
                (a.Type, a.S) = (AttributeProto.Types.AttributeType.String, ByteString.CopyFromUtf8(s));
                break;
            case long[] ints:
                a.Type = AttributeProto.Types.AttributeType.Ints;
                a.Ints.AddRange(ints);
                break;
            case int[] ints:
                a.Type = AttributeProto.Types.AttributeType.Ints;
                a.Ints.AddRange(ints.Select(i => (long)i));
                break;
            case float[] floats:
                a.Type = AttributeProto.Types.AttributeType.Floats;
                a.Floats.AddRange(floats);
                break;
            case string[] strings:
                a.Type = AttributeProto.Types.AttributeType.Strings;
                a.Strings.AddRange(strings.Select(ByteString.CopyFromUtf8));
                break;
            case TensorProto t:
                (a.Type, a.T) = (AttributeProto.Types.AttributeType.Tensor, t);
                break;
            case GraphProto g:
                (a.Type, a.G) = (AttributeProto.Types.AttributeType.Graph, g);
                break;
            case DataType type:
                (a.Type, a.I) = (AttributeProto.Types.AttributeType.Int, (long)type);
                break;
            default:
                throw new ArgumentException($"attribute {name}: {value.GetType()}");
        }
        return a;
    }
}
