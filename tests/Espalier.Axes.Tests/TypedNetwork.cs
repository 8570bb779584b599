using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>What stands between a weight of some type and the layer that reads it.</summary>
public enum WeightForm
{
    /// <summary>Nothing: the whole network is of the type of its weights, inputs and outputs too.</summary>
    Native,
    /// <summary>Nothing, but inputs and outputs are cast from and to float32, as converters write it that keep the interface.</summary>
    Inner,
    /// <summary>Cast to float32, as of weights that were only stored in fewer bits.</summary>
    Cast,
    /// <summary>DequantizeLinear with a float32 scale per output and a zero point of the weight's type.</summary>
    Dequantized,
}

/// <summary>Where the elements of a weight are.</summary>
public enum Held
{
    /// <summary>An initializer with <c>raw_data</c>.</summary>
    Raw,
    /// <summary>An initializer with the typed field of its type: <c>int32_data</c> for all below 32 bits, <c>double_data</c>.</summary>
    Field,
    /// <summary>A Constant node with <c>raw_data</c>.</summary>
    ConstantRaw,
    /// <summary>A Constant node with the typed field.</summary>
    ConstantField,
}

/// <summary>Small networks whose weights are all of one floating-point type.</summary>
internal sealed class TypedNetwork(DataType type, WeightForm form, Held held)
{
    // From operator set 22 on convolutions and pools are defined for bfloat16.
    private readonly GraphBuilder _g = new(3, opset: 22);

    /// <summary>
    /// Convolution with bias, scale and shift of channels as of a batch normalisation, depthwise convolution, pooling, Gemm.
    /// </summary>
    public GraphBuilder Convolutions()
    {
        var y = Conv(Input("batch", 3, 8, 8), "a", 3, 8, 3, 1);
        y = _g.Relu(_g.Add(_g.Mul(y, Vector("scale", 8, 1, 1)), Vector("shift", 8, 1, 1)));
        y = Conv(Conv(y, "b", 8, 8, 3, 8), "c", 8, 6, 1, 1);
        y = _g.Flatten(_g.GlobalPool(_g.Relu(y)));
        return End(_g.Node("Gemm", [y, Weight("head.weight", 0, 4, 6), Vector("head.bias", 4)], ("transB", 1)));
    }

    /// <summary>MatMul with Add, then Gemm.</summary>
    public GraphBuilder Perceptron()
    {
        var y = _g.Relu(Linear(Input("batch", 6), "up", 6, 16));
        y = _g.Node("Tanh", _g.Node("Gemm", [y, Weight("mid.weight", 0, 12, 16), Vector("mid.bias", 12)], ("transB", 1)));
        return End(Linear(y, "down", 12, 5));
    }

    /// <summary>Attention with four heads, and a residual.</summary>
    public GraphBuilder Attention()
    {
        const int heads = 4, dim = 6, width = heads * dim;
        var x = Input("batch", 5, width);
        string Project(string name) => _g.SplitHeads(Linear(x, name, width, width), heads, dim);
        var (q, k, v) = (Project("q"), Project("k"), Project("v"));
        var scores = _g.Mul(_g.MatMul(q, _g.Transpose(k, 0, 1, 3, 2)), Vector("root"));
        var y = Linear(_g.MergeHeads(_g.MatMul(_g.Softmax(scores), v), width), "o", width, width);
        return End(_g.Add(x, y));
    }

    /// <summary>A mean and a root mean square over 14 units: what is left of them is no fraction that a few bits hold.</summary>
    public GraphBuilder Means()
    {
        var y = _g.Relu(Linear(Input("batch", 5, 6), "up", 6, 14));
        y = _g.Mul(y, _g.Node("ReduceMean", [y, _g.Longs(-1)], ("keepdims", 1)));
        y = _g.Node("SimplifiedLayerNormalization", [y, Vector("norm", 14)], ("axis", -1), ("epsilon", 1e-3f));
        return End(Linear(y, "down", 14, 5));
    }

    private string Input(params object[] dims) => form switch
    {
        WeightForm.Native => _g.Input("x", type, dims),
        WeightForm.Inner => _g.Cast(_g.Input("x", dims), type),
        _ => _g.Input("x", dims),
    };

    private GraphBuilder End(string y) => form switch
    {
        WeightForm.Native => _g.Output(y, type),
        WeightForm.Inner => _g.Output(_g.Cast(y, DataType.Float)),
        _ => _g.Output(y),
    };

    private string Conv(string x, string name, int inputs, int outputs, int k, int group)
        => _g.Node("Conv", [x, Weight($"{name}.weight", 0, outputs, inputs / group, k, k), Vector($"{name}.bias", outputs)],
        ("kernel_shape", new[] { k, k }), ("pads", new[] { k / 2, k / 2, k / 2, k / 2 }), ("group", group));

    private string Linear(string x, string name, int inputs, int outputs)
        => _g.Add(_g.MatMul(x, Weight($"{name}.weight", 1, inputs, outputs)), Vector($"{name}.bias", outputs));

    /// <summary>A weight as its layer reads it.</summary>
    private string Weight(string name, int channels, params long[] dims)
    {
        double fan = dims.Aggregate(1L, (a, b) => a * b) / dims[channels];
        var stored = Tensor(name, Numbers(dims, 1 / Math.Sqrt(fan)), dims);
        if (form != WeightForm.Dequantized) return stored;
        int n = (int)dims[channels];
        var zero = _g.Initializer(GraphBuilder.Tensor($"{name}.zero", type, [n], new byte[DataTypes.Bytes(type, n)]));
        return _g.Node("DequantizeLinear", [stored, _g.Scales($"{name}.scale", 1, n), zero], ("axis", channels));
    }

    /// <summary>A vector of one entry per channel; quantisers leave these in float32.</summary>
    private string Vector(string name, params long[] dims)
        => form == WeightForm.Dequantized ? _g.Positive(name, dims) : Tensor(name, Numbers(dims, 0.5), dims);

    private float[] Numbers(long[] dims, double scale)
        => [.. Enumerable.Range(0, (int)dims.Aggregate(1L, (a, b) => a * b)).Select(_ => (float)(_g.Normal() * scale))];

    private string Tensor(string name, float[] values, params long[] dims)
    {
        using var raw = new MemoryStream();
        TensorContent.FromFloats(type, values).CopyTo(raw);
        var tensor = held is Held.Raw or Held.ConstantRaw
            ? GraphBuilder.Tensor(name, type, dims, raw.ToArray())
            : InField(name, dims, raw.ToArray());
        if (held is Held.Raw or Held.Field) _g.Initializer(tensor);
        else _g.Rename(_g.Node("Constant", (string[])[], ("value", tensor)), name);
        return form == WeightForm.Cast ? _g.Cast(name, DataType.Float) : name;
    }

    /// <summary>The bits of each element as onnx.proto puts them into the typed field.</summary>
    private TensorProto InField(string name, long[] dims, byte[] raw)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)type, Dims = { dims } };
        int bytes = DataTypes.Bits(type) / 8;
        for (int at = 0; at < raw.Length; at += bytes)
        {
            if (type == DataType.Double) tensor.DoubleData.Add(BitConverter.ToDouble(raw, at));
            else tensor.Int32Data.Add(bytes == 2 ? BitConverter.ToUInt16(raw, at) : raw[at]);
        }
        return tensor;
    }
}
