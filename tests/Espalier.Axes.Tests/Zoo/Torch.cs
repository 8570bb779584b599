using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>What PyTorch's exporters write for one call of the framework.</summary>
internal static class Torch
{
    /// <summary><c>x.size(axis)</c>: Shape, then Gather of a scalar.</summary>
    public static string Dim(this GraphBuilder g, string x, int axis)
        => g.Node("Gather", [g.Node("Shape", x), g.Longs(g.Fresh("axis"), [axis], [])], ("axis", 0));

    /// <summary>A list of sizes; those that are scalars of the graph are joined with Unsqueeze and Concat.</summary>
    public static string SizeList(this GraphBuilder g, params object[] sizes) => sizes.All(s => s is int)
        ? g.Longs([.. sizes.Select(s => (long)(int)s)])
        : g.Concat(0, [.. sizes.Select(s => s is int n ? g.Longs(n) : g.Unsqueeze((string)s, 0))]);

    /// <summary><c>x.view(…)</c> with integers and scalars of the graph.</summary>
    public static string View(this GraphBuilder g, string x, params object[] sizes) => g.Node("Reshape", [x, g.SizeList(sizes)]);

    /// <summary>A scalar int64 constant with a name of its own.</summary>
    public static string Int(this GraphBuilder g, long value) => g.Longs(g.Fresh("int"), [value], []);

    /// <summary>A scalar float constant with a name of its own.</summary>
    public static string Number(this GraphBuilder g, float value) => g.Scalar(g.Fresh("number"), value);

    /// <summary>
    /// A convolution of any rank with weight and bias named after <paramref name="name"/>; pads keep the size at odd kernels and stride 1.
    /// </summary>
    public static string Convolution(this GraphBuilder g, string x, string name, int inputs, int outputs, int[] kernel,
        int[]? stride = null, int[]? pad = null,
        int group = 1, int dilation = 1, bool bias = true)
    {
        var operands = new List<string> { x, g.Weight($"{name}.weight", [outputs, inputs / group, .. kernel.Select(k => (long)k)]) };
        if (bias) operands.Add(g.Weight($"{name}.bias", outputs));
        pad ??= [.. kernel.Select(k => k / 2 * dilation)];
        return g.Node("Conv", [.. operands], ("dilations", kernel.Select(_ => dilation).ToArray()), ("group", group),
            ("kernel_shape", kernel),
            ("pads", pad.Concat(pad).ToArray()), ("strides", stride ?? [.. kernel.Select(_ => 1)]));
    }

    /// <summary><c>x·sigmoid(x)</c>.</summary>
    public static string Silu(this GraphBuilder g, string x) => g.Mul(x, g.Sigmoid(x));

    /// <summary>GELU by Erf.</summary>
    public static string Gelu(this GraphBuilder g, string x)
        => g.Mul(g.Mul(x, g.Add(g.Node("Erf", g.Node("Div", [x, g.Number(1.41421356f)])), g.Number(1))), g.Number(0.5f));

    /// <summary>GELU by tanh, as GPT-2 has it.</summary>
    public static string NewGelu(this GraphBuilder g, string x)
    {
        var inner = g.Mul(g.Add(x, g.Mul(g.Node("Pow", [x, g.Number(3)]), g.Number(0.044715f))), g.Number(0.79788456f));
        return g.Mul(g.Mul(x, g.Number(0.5f)), g.Add(g.Node("Tanh", inner), g.Number(1)));
    }

    /// <summary>Layer normalisation as the exporters wrote it before operator set 17.</summary>
    public static string PlainLayerNorm(this GraphBuilder g, string x, string name, int width)
    {
        var centred = g.Node("Sub", [x, g.Node("ReduceMean", x, ("axes", new[] { -1 }))]);
        var variance = g.Node("ReduceMean", g.Node("Pow", [centred, g.Number(2)]), ("axes", new[] { -1 }));
        var scaled = g.Node("Div", [centred, g.Node("Sqrt", g.Add(variance, g.Number(1e-5f)))]);
        return g.Add(g.Mul(scaled, g.Positive($"{name}.weight", width)), g.Weight($"{name}.bias", width));
    }

    /// <summary>Root-mean-square normalisation of Llama and T5: Pow, ReduceMean, Add, Sqrt, Div, Mul, Mul.</summary>
    public static string RmsNorm(this GraphBuilder g, string x, string name, int width)
    {
        var mean = g.Node("ReduceMean", g.Node("Pow", [x, g.Number(2)]), ("axes", new[] { -1 }), ("keepdims", 1));
        var rate = g.Node("Div", [g.Number(1), g.Node("Sqrt", g.Add(mean, g.Number(1e-6f)))]);
        return g.Mul(g.Positive($"{name}.weight", width), g.Mul(x, rate));
    }

    /// <summary>Group normalisation as the exporters write it: one instance per group, then scale and shift per channel.</summary>
    public static string GroupNorm(this GraphBuilder g, string x, string name, int channels, int groups)
    {
        var flat = g.Reshape(x, 0, groups, -1);
        var y = g.Node("InstanceNormalization",
            [flat, g.Floats(g.Fresh("ones"), [.. Enumerable.Repeat(1f, groups)], groups),
                g.Floats(g.Fresh("zeros"), new float[groups], groups)],
            ("epsilon", 1e-5f));
        y = g.Node("Reshape", [y, g.Node("Shape", x)]);
        return g.Add(g.Mul(y, g.Positive($"{name}.weight", channels, 1, 1)), g.Weight($"{name}.bias", channels, 1, 1));
    }

    /// <summary>MaxPool of two spatial axes.</summary>
    public static string MaxPool(this GraphBuilder g, string x, int kernel, int stride, int pad = 0, bool ceil = false)
        => g.Node("MaxPool", x,
        ("ceil_mode", ceil ? 1 : 0), ("kernel_shape", new[] { kernel, kernel }), ("pads", new[] { pad, pad, pad, pad }),
        ("strides", new[] { stride, stride }));

    /// <summary>AveragePool of two spatial axes.</summary>
    public static string AvgPool(this GraphBuilder g, string x, int kernel, int stride, int pad = 0) => g.Node("AveragePool", x,
        ("count_include_pad", 1), ("kernel_shape", new[] { kernel, kernel }), ("pads", new[] { pad, pad, pad, pad }),
        ("strides", new[] { stride, stride }));

    /// <summary><c>F.interpolate(x, size=…)</c>: batch and channels from the tensor's own Shape, the rest given.</summary>
    public static string Interpolate(this GraphBuilder g, string x, string size, string mode = "linear")
    {
        var lead = g.Slice(g.Node("Shape", x), 0, 0, 2);
        return g.Node("Resize", [x, "", "", g.Concat(0, lead, size)],
            ("coordinate_transformation_mode", mode == "linear" ? "pytorch_half_pixel" : "asymmetric"), ("mode", mode),
            ("nearest_mode", "floor"));
    }

    /// <summary>Height and width of a tensor, as a vector.</summary>
    public static string Spatial(this GraphBuilder g, string x) => g.Slice(g.Node("Shape", x), 0, 2, 4);

    /// <summary><c>torch.roll</c> along one axis: two slices, swapped.</summary>
    public static string Roll(this GraphBuilder g, string x, int axis, int shift)
        => g.Concat(axis, g.Slice(x, axis, -shift, long.MaxValue), g.Slice(x, axis, 0, -shift));

    /// <summary>Gather of one index, which drops the axis.</summary>
    public static string Select(this GraphBuilder g, string x, int axis, long index) => g.Node("Gather", [x, g.Int(index)], ("axis", axis));

    /// <summary><c>expand(sizes)</c> with the exporter's test for −1: Where(Equal(sizes, −1), ones, sizes).</summary>
    public static string ExpandTo(this GraphBuilder g, string x, params object[] sizes)
    {
        var wanted = g.SizeList(sizes);
        var ones = g.Node("ConstantOfShape", g.Longs(sizes.Length),
            ("value", GraphBuilder.Tensor("", TensorProto.Types.DataType.Int64, [1], BitConverter.GetBytes(1L))));
        var same = g.Node("Equal", [wanted, g.Mul(ones, g.Int(-1))]);
        return g.Node("Expand", [x, g.Node("Where", [same, ones, wanted])]);
    }

    /// <summary>Weights of the one-layer perceptrons of transformers: up, activation, down.</summary>
    public static string FeedForward(this GraphBuilder g, string x, string name, int width, int hidden,
        Func<string, string>? activation = null)
        => g.Linear((activation ?? g.Gelu)(g.Linear(x, $"{name}.fc1", width, hidden)), $"{name}.fc2", hidden, width);
}
