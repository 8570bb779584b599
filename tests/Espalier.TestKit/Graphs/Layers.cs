namespace Espalier.TestKit.Graphs;

/// <summary>Layers as exporters write them.</summary>
internal static class Layers
{
    /// <summary>
    /// Conv with weight <c>name.weight</c> [outputs, inputs/group, k, k] and, where the kernel has one, bias <c>name.bias</c>; keeps
    /// height and width at stride 1.
    /// </summary>
    public static string Conv(this GraphBuilder g, string x, string name, int inputs, int outputs, Kernel? k = null)
    {
        var kernel = k ?? new();
        var operands = new List<string> { x, g.Weight($"{name}.weight", outputs, inputs / kernel.Group, kernel.Size, kernel.Size) };
        if (kernel.Bias) operands.Add(g.Weight($"{name}.bias", outputs));
        return g.Node("Conv", [.. operands], kernel.Attributes);
    }

    /// <summary>BatchNormalization in inference, all four parameters named after <paramref name="name"/>.</summary>
    public static string BatchNorm(this GraphBuilder g, string x, string name, int channels) => g.Node("BatchNormalization",
        [x, g.Positive($"{name}.scale", channels), g.Weight($"{name}.shift", channels), g.Weight($"{name}.mean", channels),
            g.Positive($"{name}.var", channels)]);

    /// <summary>MatMul with weight <c>name.weight</c> [inputs, outputs], then Add of <c>name.bias</c>.</summary>
    public static string Linear(this GraphBuilder g, string x, string name, int inputs, int outputs, bool bias = true)
    {
        var y = g.Node("MatMul", [x, g.Weight($"{name}.weight", inputs, outputs)]);
        return bias ? g.Node("Add", [y, g.Weight($"{name}.bias", outputs)]) : y;
    }

    /// <summary>Gemm with weight <c>name.weight</c> ([outputs, inputs] when transposed) and bias <c>name.bias</c>.</summary>
    public static string Gemm(this GraphBuilder g, string x, string name, int inputs, int outputs, bool transposed = true)
        => g.Node("Gemm",
            [x, transposed
                ? g.Weight($"{name}.weight", outputs, inputs)
                : g.Weight($"{name}.weight", inputs, outputs), g.Weight($"{name}.bias", outputs)],
            ("transB", transposed ? 1 : 0));

    /// <summary>Relu.</summary>
    public static string Relu(this GraphBuilder g, string x) => g.Node("Relu", x);
    /// <summary>Sigmoid.</summary>
    public static string Sigmoid(this GraphBuilder g, string x) => g.Node("Sigmoid", x);
    /// <summary>Add.</summary>
    public static string Add(this GraphBuilder g, string a, string b) => g.Node("Add", [a, b]);
    /// <summary>Mul.</summary>
    public static string Mul(this GraphBuilder g, string a, string b) => g.Node("Mul", [a, b]);
    /// <summary>MatMul of two activations.</summary>
    public static string MatMul(this GraphBuilder g, string a, string b) => g.Node("MatMul", [a, b]);
    /// <summary>Softmax.</summary>
    public static string Softmax(this GraphBuilder g, string x, int axis = -1) => g.Node("Softmax", x, ("axis", axis));
    /// <summary>Concat.</summary>
    public static string Concat(this GraphBuilder g, int axis, params string[] parts) => g.Node("Concat", parts, ("axis", axis));
    /// <summary>Transpose.</summary>
    public static string Transpose(this GraphBuilder g, string x, params int[] perm) => g.Node("Transpose", x, ("perm", perm));
    /// <summary>Reshape to a literal shape.</summary>
    public static string Reshape(this GraphBuilder g, string x, params long[] shape) => g.Node("Reshape", [x, g.Longs(shape)]);
    /// <summary>Flatten at axis 1.</summary>
    public static string Flatten(this GraphBuilder g, string x) => g.Node("Flatten", x, ("axis", 1));
    /// <summary>GlobalAveragePool.</summary>
    public static string GlobalPool(this GraphBuilder g, string x) => g.Node("GlobalAveragePool", x);
    /// <summary>Slice along one axis.</summary>
    public static string Slice(this GraphBuilder g, string x, int axis, long start, long end, long step = 1)
        => g.Node("Slice", [x, g.Longs(start), g.Longs(end), g.Longs(axis), g.Longs(step)]);
    /// <summary>Split with the sizes given.</summary>
    public static string[] Split(this GraphBuilder g, string x, int axis, params long[] sizes)
        => g.Nodes("Split", sizes.Length, [x, g.Longs(sizes)], ("axis", axis));
    /// <summary>Unsqueeze (opset 13 and later).</summary>
    public static string Unsqueeze(this GraphBuilder g, string x, params long[] axes) => g.Node("Unsqueeze", [x, g.Longs(axes)]);
    /// <summary>Squeeze (opset 13 and later).</summary>
    public static string Squeeze(this GraphBuilder g, string x, params long[] axes) => g.Node("Squeeze", [x, g.Longs(axes)]);
    /// <summary>LayerNormalization over the last axis with <c>name.weight</c> and <c>name.bias</c>.</summary>
    public static string LayerNorm(this GraphBuilder g, string x, string name, int width)
        => g.Node("LayerNormalization", [x, g.Positive($"{name}.weight", width), g.Weight($"{name}.bias", width)], ("axis", -1),
            ("epsilon", 1e-5f));

    /// <summary>[batch, sequence, heads·dim] to [batch, heads, sequence, dim].</summary>
    public static string SplitHeads(this GraphBuilder g, string x, int heads, int dim, bool inferred = false)
        => g.Transpose(g.Reshape(x, 0, 0, inferred ? -1 : heads, dim), 0, 2, 1, 3);

    /// <summary>[batch, heads, sequence, dim] to [batch, sequence, heads·dim].</summary>
    public static string MergeHeads(this GraphBuilder g, string x, long width) => g.Reshape(g.Transpose(x, 0, 2, 1, 3), 0, 0, width);

    /// <summary>softmax(q·kᵀ·scale)·v over [batch, heads, sequence, dim].</summary>
    public static string Attend(this GraphBuilder g, string q, string k, string v, float scale)
    {
        var scores = g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar(g.Fresh("scale"), scale));
        return g.MatMul(g.Softmax(scores), v);
    }
}
