namespace Espalier.TestKit.Counting;

/// <summary>
/// Multiply-accumulates of one operator from the shapes of its run, by its specification (ONNX operators; ONNX Runtime,
/// docs/ContribOperators.md). Operators without a formula multiply element
/// by element at most and count nothing.
/// </summary>
internal static class MacFormulas
{
    private delegate double Formula(TracedNode node);

    private static readonly Dictionary<string, Formula> Formulas = new(StringComparer.Ordinal)
    {
        ["MatMul"] = MatMul,
        ["MatMulInteger"] = MatMul,
        ["MatMulInteger16"] = MatMul,
        ["QLinearMatMul"] = MatMul,
        ["MatMulIntegerToFloat"] = MatMul,
        ["DynamicQuantizeMatMul"] = MatMul,
        ["GemmFastGelu"] = MatMul,
        ["FusedMatMul"] = MatMul,
        ["FusedMatMulActivation"] = MatMul,
        ["TransposeMatMul"] = MatMul,
        ["Gemm"] = Gemm,
        ["FusedGemm"] = Gemm,
        ["QGemm"] = Gemm,
        ["CDist"] = n => Size(n.Outputs[0]) * In(n, 0)[^1],
        ["MatMulNBits"] = n => Size(n.Outputs[0]) * Int(n, "K", 0),
        ["MatMulBnb4"] = n => Size(n.Outputs[0]) * Int(n, "K", 0),
        ["Conv"] = n => Window(n, 1),
        ["FusedConv"] = n => Window(n, 1),
        ["NhwcFusedConv"] = n
            => Window(n, 1),
        ["ConvInteger"] = n => Window(n, 1),
        ["DeformConv"] = n => Window(n, 1),
        ["QLinearConv"] = n => Window(n, 3),
        ["CausalConvWithState"] = n
            => Window(n, 1),
        ["ConvTranspose"] = Spread,
        ["ConvTransposeWithDynamicPads"] = Spread,
        ["Einsum"] = Einsum,
        ["LSTM"] = Recurrent,
        ["GRU"] = Recurrent,
        ["RNN"] = Recurrent,
        ["DynamicQuantizeLSTM"] = Recurrent,
        ["Attention"] = n => n.Node.Domain == "com.microsoft" ? Projected(n, 4) : Separate(n),
        ["QAttention"] = n => Projected(n, 8),
        ["PackedAttention"] = n => Projected(n, -1),
        ["DecoderMaskedSelfAttention"] = n => Projected(n, 4),
        ["MultiHeadAttention"] = n => MultiHead(n, 6),
        ["DecoderMaskedMultiHeadAttention"] = n
            => MultiHead(n, 5),
        ["GroupQueryAttention"] = Grouped,
        ["LinearAttention"] = Linear,
        ["MoE"] = n => Experts(n, 2, 4, 6, 8),
        ["LinearRegressor"] = n => Rows(n) * Count(n, "coefficients"),
        ["LinearClassifier"] = n => Rows(n) * Count(n, "coefficients"),
        ["SVMRegressor"] = n => Vectors(n, Int(n, "n_supports", 0), 1),
        ["SVMClassifier"] = n =>
            Vectors(n, Sum(n, "vectors_per_class"), Math.Max(Count(n, "classlabels_ints"), Count(n, "classlabels_strings")) - 1),
        ["QMoE"] = n => Experts(n, 2, 5, 8, (int)Int(n, "expert_weight_bits", 4)),
    };

    /// <summary>Operators with a formula.</summary>
    public static IReadOnlyCollection<string> Operators => Formulas.Keys;

    /// <summary>What one node costs, every time that it counts.</summary>
    public static double Evaluate(TracedNode node)
        => Formulas.TryGetValue(node.Node.OpType, out var formula) ? node.Times * formula(node) : 0;

    private static long Int(TracedNode n, string name, long absent) => n.Node.Attribute.FirstOrDefault(a => a.Name == name)?.I ?? absent;

    private static long[] In(TracedNode n, int operand)
        => n.Inputs[operand] ?? throw new InvalidOperationException($"{n.Node.OpType} '{n.Node.Name}' ran without operand {operand}.");

    private static long[]? Optional(TracedNode n, int operand) => operand >= 0 && operand < n.Inputs.Count ? n.Inputs[operand] : null;

    private static double Size(long[]? shape)
        => shape?.Aggregate(1.0, (a, d) => a * d) ?? throw new InvalidOperationException("a result without a shape");

    private static double Rows(TracedNode n) => In(n, 0).Length == 1 ? 1 : In(n, 0)[0];

    private static int Count(TracedNode n, string list)
        => n.Node.Attribute.FirstOrDefault(a => a.Name == list) is { } a ? a.Floats.Count + a.Ints.Count + a.Strings.Count : 0;

    private static long Sum(TracedNode n, string list) => n.Node.Attribute.FirstOrDefault(a => a.Name == list)?.Ints.Sum() ?? 0;

    /// <summary>Rows against support vectors and their weights; without vectors the coefficients are those of linear models.</summary>
    private static double Vectors(TracedNode n, long vectors, long models)
        => Rows(n) * (vectors == 0 ? Count(n, "coefficients") : (vectors * In(n, 0)[^1]) + (vectors * models));

    /// <summary>Every element of the result sums as many products as the contracted axis is long.</summary>
    private static double MatMul(TracedNode n)
    {
        var a = In(n, 0);
        bool transposed = Int(n, "transA", 0) != 0 && a.Length > 1;
        return Size(n.Outputs[0]) * (!transposed ? a[^1] : Int(n, "transBatchA", 0) != 0 ? a[0] : a[^2]);
    }

    private static double Gemm(TracedNode n) => Size(n.Outputs[0]) * In(n, 0)[Int(n, "transA", 0) != 0 ? 0 : 1];

    /// <summary>A weight [outputs, inputs of a group, window…]: every element of the result sums over one output's part of it.</summary>
    private static double Window(TracedNode n, int weight) => Size(n.Outputs[0]) * Size(In(n, weight)[1..]);

    /// <summary>
    /// A weight [inputs, outputs of a group, window…]: every element of the operand goes out through one input's part of it.
    /// </summary>
    private static double Spread(TracedNode n) => Size(In(n, 0)) * Size(In(n, 1)[1..]);

    /// <summary>Every label runs over its size; axes under an ellipsis broadcast.</summary>
    private static double Einsum(TracedNode n)
    {
        string[] operands =
            n.Node.Attribute.First(a => a.Name == "equation").S.ToStringUtf8().Replace(" ",
                "", StringComparison.Ordinal).Split("->")[0].Split(',');
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        for (int k = 0; k < operands.Length; k++)
        {
            var shape = In(n, k);
            int dots = operands[k].IndexOf("...", StringComparison.Ordinal),
                rest = shape.Length - operands[k].Replace("...", "", StringComparison.Ordinal).Length;
            var labels = new List<string>();
            for (int c = 0; c < operands[k].Length; c++)
            {
                if (c == dots)
                {
                    for (int r = rest; r > 0; r--) labels.Add($"...{r}");
                    c += 2;
                }
                else labels.Add(operands[k][c].ToString());
            }
            for (int axis = 0; axis < shape.Length; axis++) sizes[labels[axis]] =
                Math.Max(shape[axis], sizes.GetValueOrDefault(labels[axis], 1));
        }
        return sizes.Values.Aggregate(1.0, (a, s) => a * s);
    }

    /// <summary>In every step of every row the weights of inputs and of states, of all gates and directions.</summary>
    private static double Recurrent(TracedNode n) => (double)In(n, 0)[0] * In(n, 0)[1] * (Size(In(n, 1)) + Size(In(n, 2)));

    /// <summary>ONNX Attention: scores and their product with the values, over past and present keys.</summary>
    private static double Separate(TracedNode n)
    {
        var (q, k, v) = (In(n, 0), In(n, 1), In(n, 2));
        long past = Optional(n, 4)?[2] ?? 0;
        long heads = q.Length == 4 ? q[1] : Int(n, "q_num_heads", 0), keyHeads = q.Length == 4 ? k[1] : Int(n, "kv_num_heads", 0);
        long dim = q[^1] / (q.Length == 4 ? 1 : heads), values = v[^1] / (q.Length == 4 ? 1 : keyHeads);
        return (double)q[0] * heads * q[^2] * (k[^2] + past) * (dim + values);
    }

    /// <summary>
    /// com.microsoft Attention and its kin: a packed projection of queries, keys and values, then scores and values. A token sees the
    /// sequence and the past; packed tokens have no rows of which that is known.
    /// </summary>
    private static double Projected(TracedNode n, int past)
    {
        var (x, w) = (In(n, 0), In(n, 1));
        double tokens = Size(x[..^1]), projection = tokens * Size(w);
        if (x.Length < 3) return projection;
        var sizes = n.Node.Attribute.FirstOrDefault(a => a.Name == "qkv_hidden_sizes")?.Ints;
        double queries = sizes is { Count: 3 } ? sizes[0] : w[1] / 3, values = sizes is { Count: 3 } ? sizes[2] : w[1] / 3;
        return projection + (tokens * (x[1] + (Optional(n, past)?[3] ?? 0)) * (queries + values));
    }

    /// <summary>
    /// com.microsoft MultiHeadAttention: separate, packed (b, s, h, 3, d) or with keys and values packed (b, t, h, 2, d).
    /// </summary>
    private static double MultiHead(TracedNode n, int past)
    {
        var q = In(n, 0);
        if (q.Length == 5) return (double)q[0] * q[1] * q[1] * 2 * q[2] * q[4];
        var (k, v) = (Optional(n, 1), Optional(n, 2));
        double length = k!.Length == 4 ? k[2] : k[1], width = v is null ? q[2] : v.Length == 4 ? v[1] * v[3] : v[2];
        return (double)q[0] * q[1] * (length + (Optional(n, past)?[2] ?? 0)) * (q[2] + width);
    }

    /// <summary>com.microsoft GroupQueryAttention: queries alone, or packed with keys and values.</summary>
    private static double Grouped(TracedNode n)
    {
        var q = In(n, 0);
        double heads = Int(n, "num_heads", 0), groups = Int(n, "kv_num_heads", 0);
        double width = Optional(n, 1) is null ? q[2] * heads / (heads + (2 * groups)) : q[2];
        return q[0] * q[1] * ((Optional(n, 1)?[1] ?? q[1]) + (Optional(n, 3)?[2] ?? 0)) * 2 * width;
    }

    /// <summary>
    /// com.microsoft LinearAttention: in every step each head of keys and values adds their outer product to its state, and each query
    /// reads it.
    /// </summary>
    private static double Linear(TracedNode n)
    {
        var (q, k, v) = (In(n, 0), In(n, 1), In(n, 2));
        double heads = Int(n, "q_num_heads", 0), groups = Int(n, "kv_num_heads", 0);
        return (double)q[0] * q[1] * (heads + groups) * (k[2] / groups) * (v[2] / groups);
    }

    /// <summary>Every row goes through the k experts that its router chooses; weights of fewer bits are packed into bytes.</summary>
    private static double Experts(TracedNode n, int first, int second, int third, int bits)
    {
        double experts = In(n, first)[0];
        double elements = Size(In(n, first)) + Size(In(n, second)) + (Optional(n, third) is { } gate ? Size(gate) : 0);
        return Size(In(n, 0)[..^1]) * Int(n, "k", 1) * elements / experts * (8 / bits);
    }
}
