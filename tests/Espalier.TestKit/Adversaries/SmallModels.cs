using Espalier.Onnx;
using Google.Protobuf;
using static Espalier.Onnx.AttributeProto.Types;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.TestKit.Adversaries;

/// <summary>Small models as messages, which may say what no builder would. Names are parted by spaces; <c>_</c> is the empty one.</summary>
internal static class SmallModels
{
    /// <summary>The models that the tests change: each is taken by ONNX Runtime.</summary>
    public static IReadOnlyDictionary<string, Func<ModelProto>> All { get; } = new Dictionary<string, Func<ModelProto>>
    {
        ["dense"] = Dense,
        ["images"] = Images,
        ["old images"] = OldImages,
        ["branches"] = Branches,
        ["loop"] = Loops,
        ["scan"] = Scans,
        ["function"] = Function,
        ["recurrent"] = Recurrent,
        ["fused"] = Fused,
    };

    public static NodeProto Node(string op, string inputs, string outputs, params AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = op.Split(':')[^1] };
        if (op.Contains(':', StringComparison.Ordinal))
        {
            node.Domain = op.Split(':')[0];
        }
        node.Input.AddRange(Words(inputs).Select(w => w == "_" ? "" : w));
        node.Output.AddRange(Words(outputs).Select(w => w == "_" ? "" : w));
        node.Attribute.AddRange(attributes);
        return node;
    }

    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = AttributeType.Int, I = value };
    public static AttributeProto Float(string name, float value) => new() { Name = name, Type = AttributeType.Float, F = value };
    public static AttributeProto Ints(string name, params long[] values)
        => new() { Name = name, Type = AttributeType.Ints, Ints = { values } };
    public static AttributeProto Text(string name, string value)
        => new() { Name = name, Type = AttributeType.String, S = ByteString.CopyFromUtf8(value) };
    public static AttributeProto Tensor(string name, TensorProto value) => new() { Name = name, Type = AttributeType.Tensor, T = value };
    public static AttributeProto Graph(string name, GraphProto value) => new() { Name = name, Type = AttributeType.Graph, G = value };

    public static TensorProto Weight(string name, params long[] dims)
    {
        var count = dims.Aggregate(1L, (a, b) => a * b);
        return new()
        {
            Name = name,
            DataType = (int)DataType.Float,
            Dims = { dims },
            FloatData = { Enumerable.Range(0, (int)count).Select(i => (i % 7 * 0.1f) - 0.2f) }
        };
    }

    public static TensorProto Longs(string name, params long[] values)
        => new() { Name = name, DataType = (int)DataType.Int64, Dims = { values.Length }, Int64Data = { values } };

    /// <summary>A value with its shape.</summary>
    public static ValueInfoProto Value(string name, params long[] dims)
    {
        var shape = new TensorShapeProto { Dim = { dims.Select(d => new TensorShapeProto.Types.Dimension { DimValue = d }) } };
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)DataType.Float, Shape = shape } } };
    }

    /// <summary>A value of which only the type is stated.</summary>
    public static ValueInfoProto Value(string name, DataType type)
        => new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)type } } };

    private static ValueInfoProto Scalar(string name, DataType type)
        => new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)type, Shape = new() } } };

    public static GraphProto Body(string inputs, string outputs, params NodeProto[] nodes) => new()
    {
        Name = "body",
        Input = { Words(inputs).Select(n => new ValueInfoProto { Name = n }) },
        Output = { Words(outputs).Select(n => Value(n, DataType.Float)) },
        Node = { nodes },
    };

    private static ModelProto Model(int set, ValueInfoProto[] inputs, string outputs, TensorProto[] weights, params NodeProto[] nodes)
        => new()
        {
            IrVersion = 8,
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = set } },
            Graph = new()
            {
                Name = "main",
                Input = { inputs },
                Output = { Words(outputs).Select(n => Value(n, DataType.Float)) },
                Initializer = { weights },
                Node = { nodes }
            },
        };

    public static ModelProto Dense() => Model(17, [Value("x", 2, 8)], "y", [Weight("w1", 8, 16), Weight("b1", 16), Weight("w2", 16, 4)],
        Node("Gemm", "x w1 b1", "a"), Node("Relu", "a", "r"), Node("Softmax", "r", "s", Int("axis", 1)),
            Node("Gemm", "s w2", "y", Float("alpha", 0.5f)));

    private static ModelProto Images() => Model(17, [Value("x", 1, 3, 8, 8)], "y",
        [Weight("w1", 4, 3, 3, 3), Weight("b1", 4), Weight("scale", 4), Weight("shift", 4), Weight("mean", 4), Weight("w2", 4, 5),
            Longs("to", 1, 4), Longs("parts", 2, 2)],
        Node("Conv", "x w1 b1", "c", Ints("pads", 1, 1, 1, 1)), Node("Constant", "", "variance", Tensor("value", Ones(4))),
        Node("BatchNormalization", "c scale shift mean variance", "n"), Node("Clip", "n", "l"), Node("GlobalAveragePool", "l", "g"),
            Node("Reshape", "g to", "f"),
        Node("Split", "f parts", "f1 f2", Int("axis", 1)), Node("Concat", "f2 f1", "h", Int("axis", 1)), Node("MatMul", "h w2", "y"));

    private static ModelProto OldImages()
        => Model(9, [Value("x", 1, 3, 8, 8)], "y", [Weight("w1", 4, 3, 3, 3), Weight("w2", 4, 4, 3, 3), Weight("slope", 4, 1, 1)],
        Node("Conv", "x w1", "c"), Node("PRelu", "c slope", "p"),
            Node("Slice", "p", "q", Ints("starts", 0, 0), Ints("ends", 5, 5), Ints("axes", 2, 3)),
        Node("ConvTranspose", "q w2", "t"), Node("Pad", "t", "u", Ints("pads", 0, 0, 1, 1, 0, 0, 1, 1)),
            Node("Squeeze", "u", "y", Ints("axes", 0)));

    public static ModelProto Branches() => Model(17, [Value("x", 2, 8), Scalar("c", DataType.Bool)], "y", [Weight("w", 8, 8)],
        Node("MatMul", "x w", "a"), Node("Relu", "a", "r"),
        Node("If", "c", "z", Graph("then_branch", Body("", "t", Node("Sigmoid", "r", "p"), Node("Add", "p a", "t"))),
            Graph("else_branch", Body("", "e", Node("Add", "x r", "e")))),
        Node("Neg", "z", "y"));

    private static ModelProto Loops()
    {
        var body = Body("i c s", "d t u", Node("Identity", "c", "d"), Node("MatMul", "s w", "t"), Node("Relu", "t", "u"));
        (body.Input[0], body.Input[1], body.Output[0]) = (Scalar("i", DataType.Int64), Scalar("c", DataType.Bool),
            Scalar("d", DataType.Bool));
        return Model(17, [Value("x", 2, 4), Scalar("n", DataType.Int64), Scalar("k", DataType.Bool)], "y v", [Weight("w", 4, 4)],
            Node("Loop", "n k x", "f v", Graph("body", body)), Node("Neg", "f", "y"));
    }

    private static ModelProto Scans() => Model(17, [Value("x", 3, 4), Value("h", 4)], "y", [Weight("w", 4, 4)],
        Node("Scan", "h x", "f q", Int("num_scan_inputs", 1),
            Graph("body", Body("s e", "t u", Node("Add", "s e", "t"), Node("MatMul", "t w", "u")))), Node("Neg", "q", "y"));

    public static ModelProto Function()
    {
        var model = Model(17, [Value("x", 2, 8)], "y", [Weight("w1", 8, 16), Weight("w2", 16, 4)],
            Node("own:Layer", "x w1", "a", Int("axis", 1)), Node("own:Layer", "a w2", "y", Int("axis", 1)));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        var body = new FunctionProto
        {
            Name = "Layer",
            Domain = "own",
            Input = { "v", "w" },
            Output = { "o" },
            Attribute = { "axis" },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } }
        };
        body.Node.Add(Node("MatMul", "v w", "p"));
        body.Node.Add(Node("Softmax", "p", "q", new AttributeProto { Name = "axis", Type = AttributeType.Int, RefAttrName = "axis" }));
        body.Node.Add(Node("Relu", "q", "o"));
        model.Functions.Add(body);
        return model;
    }

    private static ModelProto Recurrent() => Model(14, [Value("x", 5, 2, 3)], "y",
        [Weight("w", 1, 16, 3), Weight("r", 1, 16, 4), Weight("b", 1, 32), Weight("gw", 1, 6, 4), Weight("gr", 1, 6, 2),
            Weight("scale", 2), Weight("shift", 2)],
        Node("LSTM", "x w r b", "l _ _", Int("hidden_size", 4)), Node("Constant", "", "axes", Tensor("value", Longs("", 1))),
            Node("Squeeze", "l axes", "s"),
        Node("GRU", "s gw gr", "g h", Int("hidden_size", 2)), Node("Squeeze", "h", "k"), Node("Mul", "k scale", "m"),
            Node("Add", "m shift", "y"));

    private static ModelProto Fused()
    {
        var model = Model(17, [Value("x", 1, 4, 8)], "y", [Weight("g", 8), Weight("w", 8, 24), Weight("b", 24)],
            Node("com.microsoft:SkipLayerNormalization", "x x g", "n"),
                Node("com.microsoft:Attention", "n w b", "a", Int("num_heads", 2)), Node("com.microsoft:Gelu", "a", "y"));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return model;
    }

    private static TensorProto Ones(int count)
        => new() { DataType = (int)DataType.Float, Dims = { count }, FloatData = { Enumerable.Repeat(1f, count) } };

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
