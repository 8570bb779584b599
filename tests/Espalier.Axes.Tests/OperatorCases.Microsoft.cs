using Espalier.Axes.Groups;
using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// com.microsoft: what ONNX Runtime's optimiser writes.
internal static partial class OperatorCases
{
    private const string Ms = "com.microsoft::";

    private static void Microsoft(List<OperatorCase> cases)
    {
        // activations with a bias
        cases.Of(Ms + "FastGelu", 17, g => g.EndRows(g.Node(Ms + "FastGelu", [g.Rows(), g.Weight("c", Width)]), zero: true), "bias")
            .Passes().Group("a.weight", 1, Width, ("c", 0));
        cases.Of(Ms + "BiasGelu", 17, g => g.EndRows(g.Node(Ms + "BiasGelu", [g.Rows(), g.Weight("c", Width)]), zero: true)).Passes()
            .Group("a.weight", 1, Width, ("c", 0));
        cases.Of(Ms + "BiasGelu", 17, g => g.EndRows(g.Node(Ms + "BiasGelu", [g.Rows(), g.Sigmoid(g.Weight("c", Width))]), zero: true),
            "of a bias that is not zero").Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of(Ms + "BiasSplitGelu", 17,
            g => g.EndRows(g.Node(Ms + "BiasSplitGelu", [g.Tokens(2 * Width), g.Weight("c", 2 * Width)]), zero: true)).Group("a.weight", 1,
            Width, ("c", 0), ("b.weight", 0)).NoKernel();
        cases.Of(Ms + "BiasAdd", 17,
            g => g.EndRows(g.Node(Ms + "BiasAdd", [g.Tokens(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("c", 0), ("d.weight", 1)).NoKernel();
        cases.Of(Ms + "GatedAdd", 17,
            g => g.EndRows(g.Node(Ms + "GatedAdd", [g.Tokens(), g.Linear("x", "c", 6, Width), g.Linear("x", "d", 6, 1)]), zero: true))
                .Passes().Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of(Ms + "BiasDropout", 17,
            g => g.EndRows(g.Node(Ms + "BiasDropout", [g.Rows(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("c", 0), ("d.weight", 1)).NoKernel();
        cases.Of(Ms + "BitmaskBiasDropout", 17,
            g => g.EndRows(g.Node(Ms + "BitmaskBiasDropout", [g.Rows(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true))
                .Passes().NoKernel();
        cases.Of(Ms + "BitmaskDropout", 17, g => g.EndRows(g.Node(Ms + "BitmaskDropout", g.Rows()), zero: true)).Passes().NoKernel();
        cases.Of(Ms + "BitmaskDropout", 17, g =>
        {
            var y = g.Nodes(Ms + "BitmaskDropout", 2, [g.Rows()]);
            g.EndRows(y[0]);
            g.Output(g.Rename(y[1], "bits"), DataType.Uint32);
        }, "with its mask").Frozen("a.weight", 1, "result 1 is read").NoKernel();
        cases.Of(Ms + "ComplexMul", 17,
            g => g.EndRows(g.Transpose(g.Node(Ms + "ComplexMul", [Complex(g, g.Tokens()), Complex(g, g.Linear("x", "c", 6, Width))]), 0, 1,
                3, 2), zero: true)).NoKernel();
        cases.Of(Ms + "ComplexMulConj", 17,
            g => g.EndRows(g.Transpose(g.Node(Ms + "ComplexMulConj", [Complex(g, g.Tokens()), Complex(g, g.Linear("x", "c", 6, Width))]), 0,
                1, 3, 2), zero: true)).NoKernel();
        foreach (var c in cases.TakeLast(2)) c.Passes().Group("a.weight", 1, Width, ("c.weight", 1));

        // products
        foreach (string op in (string[])["FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"])
            for (int k = 0; k < 16; k++)
            {
                var (ta, tb, ba, bb) = (k & 1, (k >> 1) & 1, (k >> 2) & 1, (k >> 3) & 1);
                if (op == "TransposeMatMul" && ba + bb > 0) continue;
                var added = cases.Of(Ms + op, 17, g =>
                {
                    // [batch, m, k] and [batch, k, n], each written in the order that the attributes undo.
                    var x = g.Linear(g.Input("x", 3, 4, 6), "a", 6, Width);
                    var w = g.Weight("w", [.. (long[])[3, Width, 5] is var d ? Order(tb, bb).Select(i => d[i]) : []]);
                    (string, object)[] attributes = op == "TransposeMatMul"
                        ? [("transA", ta), ("transB", tb)]
                        : [("transA", ta), ("transB", tb), ("transBatchA", ba), ("transBatchB", bb)];
                    if (op == "FusedMatMulActivation") attributes = [.. attributes, ("activation", "Relu")];
                    g.EndRows(g.Node(Ms + op, [g.Transpose(x, Order(ta, ba)), w], attributes), zero: true, width: 5);
                }, $"{ta}{tb}{ba}{bb}").Group("a.weight", 1, Width, ("w", Array.IndexOf(Order(tb, bb), 1))).Group("w",
                Array.IndexOf(Order(tb, bb), 2), 5, ("b.weight", 0));
                if (op == "FusedMatMulActivation") added.NoKernel();
            }
        cases.Of(Ms + "FusedMatMulActivation", 17,
            g => g.EndRows(g.Node(Ms + "FusedMatMulActivation", [g.Tokens(), g.Weight("w", Width, Width)], ("activation", "Softmax"),
                ("activation_axis", -1))), "softmax").Frozen("w", 1, "Softmax").NoKernel();
        cases.Of(Ms + "GemmFastGelu", 17,
            g => g.EndRows(g.Node(Ms + "GemmFastGelu", [g.Tokens(), g.Weight("w", Width, Width), g.Weight("c", Width)]), zero: true))
                .Group("a.weight", 1, Width, ("w", 0)).Group("w", 1, Width, ("c", 0), ("b.weight", 0)).NoKernel();
        foreach (var (activation, zero) in ((string, bool)[])[("Relu", true), ("Sigmoid", false), ("Clip", true)])
            cases.Of(Ms + "FusedConv", 17, g =>
            {
                var x = g.Image();
                (string, object)[] parameters = activation == "Clip" ? [("activation_params", new[] { -0.5f, 0.5f })] : [];
                g.End(g.Node(Ms + "FusedConv",
                    [x, g.Weight("c", Channels, Channels, 3, 3), g.Weight("c.bias", Channels), g.Conv("x", "z", 3, Channels, k: 1)],
                    [("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }), ("activation", activation), .. parameters]), zero);
            }, activation).Group("a.weight", 0, Channels, ("c", 1)).Group("c", 0, Channels, ("c.bias", 0), ("z.weight", 0),
            ("b.weight", 1));
        cases.Of(Ms + "FusedConv", 17, g =>
        {
            string[] product = [g.Image(), g.Weight("c", Channels, Channels, 1, 1), g.Weight("c.bias", Channels)];
            string summand = g.Sigmoid(g.Conv("x", "z", 3, Channels, k: 1));
            g.End(g.Node(Ms + "FusedConv", [.. product, summand], ("activation", "Relu")), zero: true);
        }, "of a summand that is not zero").Inexact("c", 0, Channels, "ReduceSum").Group("a.weight", 0, Channels, ("c", 1));
        cases.Of(Ms + "NhwcFusedConv", 17, g =>
        {
            var x = g.Transpose(g.Image(), 0, 2, 3, 1);
            var y = g.Node(Ms + "NhwcFusedConv", [x, g.Weight("c", Channels, Channels, 3, 3), g.Weight("c.bias", Channels)],
                ("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }), ("activation", "Relu"));
            g.End(g.Transpose(y, 0, 3, 1, 2), zero: true);
        }).Group("a.weight", 0, Channels, ("c", 1)).Group("c", 0, Channels, ("c.bias", 0), ("b.weight", 1)).NoKernel();
        cases.Of(Ms + "ConvTransposeWithDynamicPads", 17, g =>
        {
            var y = g.Node(Ms + "ConvTransposeWithDynamicPads",
                [g.Image(), g.Weight("c", Channels, Channels, 2, 2), g.Longs(0, 0, 1, 1), g.Weight("c.bias", Channels)],
                ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }));
            g.End(y, zero: true);
        }).Group("a.weight", 0, Channels, ("c", 0)).Group("c", 1, Channels, ("c.bias", 0), ("b.weight", 1));
        cases.Of(Ms + "CausalConvWithState", 17, g =>
        {
            var x = g.Transpose(g.Tokens(), 0, 2, 1);
            var y = g.Nodes(Ms + "CausalConvWithState", 2,
                [x, g.Weight("c", Width, 1, 3), g.Weight("c.bias", Width), g.Weight("past", 2, Width, 2)], ("activation", "silu"));
            g.EndRows(g.Transpose(y[0], 0, 2, 1), zero: true);
            g.Output(g.Sum(y[1], 1));
        }).Passes().Group("a.weight", 1, Width, ("c", 0), ("past", 1));
        cases.Of(Ms + "CDist", 17,
            g => g.Output(g.Node(Ms + "CDist", [g.Rows(), g.Linear(g.Input("z", 3, 6), "c", 6, Width)], ("metric", "sqeuclidean"))))
                .Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of(Ms + "CDist", 17, g =>
        {
            var other = g.Linear(g.Input("z", 3, 6), "c", 6, Width);
            g.Output(g.Node(Ms + "CDist", [g.Sigmoid(g.Rows()), other], ("metric", "sqeuclidean")));
        }, "of rows that are not zero").Inexact("a.weight", 1, Width, "CDist");
        cases.Of(Ms + "MoE", 17, g =>
        {
            var x = g.Linear(g.Input("x", 5, 6), "a", 6, 8);
            string router = g.Linear(x, "router", 8, 4, bias: false), bias = g.Sigmoid(g.Weight("fc2.bias", 4, 8));
            string[] experts = [g.Weight("fc1", 4, 6, 8), g.Weight("fc1.bias", 4, 6), g.Weight("fc2", 4, 8, 6), bias];
            g.EndRows(g.Node(Ms + "MoE", [x, router, .. experts], ("k", 2)), zero: true, width: 8);
        }, "with a bias that is not zero").Inexact("a.weight", 1, 8, "ReduceSum").Group("fc1", 1, 6, ("fc1.bias", 1), ("fc2", 2));
        foreach (string activation in (string[])["relu", "gelu", "silu", "identity", "swiglu 0", "swiglu 1", "swiglu 2"])
        {
            var added = cases.Of(Ms + "MoE", 17, g =>
            {
                const int experts = 4, hidden = 6, width = 8;
                var x = g.Linear(g.Input("x", 5, 6), "a", 6, width);
                int fusion = activation is "swiglu 1" or "swiglu 2" ? 2 : 1;
                var router = g.Linear(x, "router", width, experts, bias: false);
                var operands = new List<string> { x, router, g.Weight("fc1", experts, fusion * hidden, width),
                    g.Weight("fc1.bias", experts, fusion * hidden), g.Weight("fc2", experts, width, hidden),
                    g.Weight("fc2.bias", experts, width) };
                if (activation == "swiglu 0")
                    operands.AddRange([g.Weight("fc3", experts, hidden, width), g.Weight("fc3.bias", experts, hidden)]);
                (string, object)[] attributes = [("k", 2), ("activation_type", activation.Split(' ')[0])];
                if (activation.Contains(' ', StringComparison.Ordinal))
                    attributes = [.. attributes, ("swiglu_fusion", activation[^1] - '0'), ("activation_alpha", 1.702f),
                        ("activation_beta", 1f)];
                g.EndRows(g.Node(Ms + "MoE", [.. operands], attributes), zero: true, width: 8);
            }, activation).Group("fc1", 1, 6, ("fc1.bias", 1), ("fc2", 2)).Inexact("router.weight", 1, 4, "largest");
            // The processor has only the interleaved form.
            if (activation is "swiglu 0" or "swiglu 2") added.NoKernel();
        }

        // normalisations
        cases.Of(Ms + "SkipLayerNormalization", 17, g =>
        {
            var y = g.Nodes(Ms + "SkipLayerNormalization", 4,
                [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Weight("n.bias", Width), g.Weight("d", Width)]);
            g.EndRows(g.Linear(g.Relu(g.Linear(y[0], "e", Width, 10)), "f", 10, Width));
            g.Output(g.Sum(y[3], -1));
        }).Inexact("a.weight", 1, Width, "statistic").Group("e.weight", 1, 10, ("f.weight", 0)).Group("f.weight", 1, Width,
        ("b.weight", 0));
        // Heads that lie in front of the normalised axis: the bias is added to those that went too.
        cases.Of(Ms + "SkipLayerNormalization", 17, g =>
        {
            g.Input("x", Length, 6);
            string Heads(string name) => g.Reshape(g.Linear("x", name, 6, 3 * Channels), Length, 3, Channels);
            string[] operands = [Heads("a"), Heads("c"), g.Positive("n", Channels), g.Weight("n.bias", Channels), g.Weight("d", Channels)];
            g.EndRows(g.Sum(g.Nodes(Ms + "SkipLayerNormalization", 4, operands)[3], 1), width: Channels);
        }, "with a bias over heads").Inexact("a.weight", 1, 3, "ReduceSum");
        cases.Of(Ms + "SkipSimplifiedLayerNormalization", 17, g =>
        {
            string[] operands = [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Sigmoid(g.Weight("d", Width))];
            g.EndRows(g.Node(Ms + "SkipSimplifiedLayerNormalization", operands), zero: true);
        }, "with a bias that is not zero").Inexact("a.weight", 1, Width, "SkipSimplifiedLayerNormalization");
        cases.Of(Ms + "SkipSimplifiedLayerNormalization", 17, g =>
        {
            var y = g.Nodes(Ms + "SkipSimplifiedLayerNormalization", 4,
                [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Weight("d", Width)]);
            g.EndRows(y[0], zero: true);
            g.Output(g.Sum(y[3], -1));
        }).Passes().Group("a.weight", 1, Width, ("c.weight", 1), ("n", 0), ("d", 0));
        cases.Of(Ms + "EmbedLayerNormalization", 17, g =>
        {
            g.Input("ids", DataType.Int32, 2, Length);
            var y = g.Nodes(Ms + "EmbedLayerNormalization", 3,
                ["ids", "", g.Weight("words", 9, Width), g.Weight("places", Length, Width), "", g.Positive("n", Width),
                    g.Weight("n.bias", Width)]);
            g.EndRows(g.Linear(g.Relu(g.Linear(y[0], "a", Width, 10)), "c", 10, Width));
            g.Output(g.Sum(y[2], -1));
        }).Inexact("words", 1, Width, "statistic").Frozen("words", 0, "positions along").Group("a.weight", 1, 10, ("c.weight", 0));
        foreach (string op in (string[])["GroupNorm", "SkipGroupNorm"])
            foreach (int last in (int[])[1, 0])
                cases.Of(Ms + op, 17, g =>
                {
                    var (x, skip) = (g.Image(32), g.Conv("x", "skip", 3, 32, k: 1));
                    if (last == 1) (x, skip) = (g.Transpose(x, 0, 2, 3, 1), g.Transpose(skip, 0, 2, 3, 1));
                    string[] operands = op == "GroupNorm"
                        ? [x, g.Positive("n", 32), g.Weight("n.bias", 32)]
                        : [x, g.Positive("n", 32), g.Weight("n.bias", 32), skip];
                    var y = g.Node(Ms + op, operands, ("groups", 4), ("activation", 1), ("channels_last", last));
                    g.End(last == 1 ? g.Transpose(y, 0, 3, 1, 2) : y, zero: true, channels: 32);
                }, last == 1
                    ? "channels last"
                    : "channels first").Group("a.weight", 0, 4, ("n", 0), ("b.weight", 1)).Inexact("a.weight", 0, 8,
                        "statistic").NoKernel();
        foreach (int last in (int[])[1, 0])
            cases.Of(Ms + "SkipGroupNorm", 17, g =>
            {
                string[] images = [g.Image(32), g.Conv("x", "skip", 3, 32, k: 1)];
                if (last == 1) images = [.. images.Select(i => g.Transpose(i, 0, 2, 3, 1))];
                string[] operands = [images[0], g.Positive("n", 32), g.Sigmoid(g.Weight("n.bias", 32)), images[1]];
                var y = g.Node(Ms + "SkipGroupNorm", operands, ("groups", 4), ("activation", 0), ("channels_last", last));
                g.End(last == 1 ? g.Transpose(y, 0, 3, 1, 2) : y, zero: true, channels: 32);
            }, $"channels {(last == 1 ? "last" : "first")} with a bias that is not zero").Inexact("a.weight", 0, 4, "ReduceSum").NoKernel();
        cases.Of(Ms + "GatedRMSNorm", 17,
            g => g.EndRows(g.Node(Ms + "GatedRMSNorm", [g.Tokens(), g.Positive("n", 4), g.Linear("x", "gate", 6, Width)]), zero: true))
                .Group("a.weight", 1, 3, ("gate.weight", 1), ("b.weight", 0)).Inexact("n", 0, 4, "statistic");

        // tokens and positions
        cases.Of(Ms + "TorchEmbedding", 17, g =>
        {
            g.Input("ids", DataType.Int64, 2, Length);
            g.EndRows(g.Node(Ms + "TorchEmbedding", [g.Weight("table", 9, Width), "ids"]), zero: true);
        }).Group("table", 1, Width, ("b.weight", 0)).Frozen("table", 0, "positions along").NoKernel();
        cases.Of(Ms + "RemovePadding", 17, g =>
        {
            var y = g.Nodes(Ms + "RemovePadding", 4, [g.Tokens(), g.Ints([3, 5], 2)]);
            g.EndRows(g.Node(Ms + "RestorePadding", [y[0], y[1]]), zero: true);
        }).Passes().NoKernel();
        cases.Of(Ms + "NGramRepeatBlock", 17, g =>
        {
            g.Input("ids", DataType.Int64, 2, 6);
            g.Output(g.Node(Ms + "NGramRepeatBlock", ["ids", g.Linear(g.Relu(g.Linear(g.Input("x", 2, 6), "a", 6, Width)), "b", Width, 9)],
                ("ngram_size", 2)));
        }).Passes().Frozen("b.weight", 1, "NGramRepeatBlock");
        cases.Of(Ms + "DynamicTimeWarping", 17, g => g.Output(g.Node(Ms + "DynamicTimeWarping", g.Rows()), DataType.Int32))
            .Frozen("a.weight", 1, "DynamicTimeWarping");
        cases.Of(Ms + "DynamicTimeWarping", 17,
            g => g.Output(g.Node(Ms + "DynamicTimeWarping", g.Linear(g.Input("x", 1, 4, 6), "a", 6, Width)), DataType.Int32), "3-D")
                .Frozen("a.weight", 1, "DynamicTimeWarping");
        cases.Of(Ms + "GemmaRotaryEmbedding", 17, g =>
        {
            var x = g.Input("x", DataType.Float16, 2, Length, 6);
            string Project(string name) => g.SplitHeads(g.Node("MatMul", [x, g.Cast(g.Weight(name, 6, Width), DataType.Float16)]), 3, 4);
            var emb = g.Weight("emb", 2, Length, 4);
            var y = g.Nodes(Ms + "GemmaRotaryEmbedding", 2, [emb, Project("q"), Project("qr"), Project("k"), Project("kr")]);
            g.EndRows(g.Cast(g.MergeHeads(y[0], Width), DataType.Float), zero: true);
            g.Output(g.Linear(g.Cast(g.MergeHeads(y[1], Width), DataType.Float), "c", Width, 3));
        }).Group("q", 1, 3, ("qr", 1), ("k", 1), ("kr", 1), ("b.weight", 0)).Group("q", 1, 4, ("emb", 2)).NoKernel();
    }

    private static string Complex(GraphBuilder g, string x) => g.Transpose(g.Reshape(g.Concat(2, x, x), 0, 0, 2, Width), 0, 1, 3, 2);

    /// <summary>Order of the axes batch, row, column (0, 1, 2) in an operand that is transposed.</summary>
    private static int[] Order(int transposed, int batch) => (transposed, batch) switch
    {
        (0, 0) => [0, 1, 2],
        (1, 0) => [0, 2, 1],
        (0, 1) => [1, 0, 2],
        _ => [2, 0, 1],
    };

    private static void MicrosoftAttention(List<OperatorCase> cases)
    {
        const int heads = 3, dim = 8, width = heads * dim;
        (string, int)[] all = [("k.weight", 1), ("v.weight", 1), ("o.weight", 0)];

        foreach (string form in (string[])["", "mask", "cache", "sizes", "sizes scale", "sizes cache"])
        {
            int value = form is "sizes" or "sizes scale" ? 5 : dim;
            var added = cases.Of(Ms + "Attention", 17, g =>
            {
                var x = g.Linear(g.Input("x", 2, Length, 6), "a", 6, Width);
                int total = (2 * width) + (heads * value);
                var operands = new List<string> { x, g.Weight("qkv", Width, total), g.Weight("qkv.bias", total) };
                if (form == "mask")
                    operands.AddRange([g.Ints([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 2, Length), "",
                        g.Weight("scores", 2, heads, Length, Length)]);
                bool cache = form.EndsWith("cache", StringComparison.Ordinal);
                if (cache) operands.AddRange(["", g.Weight("past", 2, 2, heads, 3, dim)]);
                var attributes = new List<(string, object)> { ("num_heads", heads) };
                if (form.StartsWith("sizes", StringComparison.Ordinal))
                    attributes.Add(("qkv_hidden_sizes", new[] { width, width, heads * value }));
                if (form == "sizes scale") attributes.Add(("scale", 0.3f));
                var y = g.Nodes(Ms + "Attention", cache ? 2 : 1, [.. operands], [.. attributes]);
                g.Output(g.Linear(y[0], "o", heads * value, 3));
                if (cache) g.Output(g.Sum(y[1], 2));
            }, form).Kind(Axis.Heads, "qkv", 1, heads, ("qkv.bias", 0), ("o.weight", 0)).Group("a.weight", 1, Width, ("qkv", 0));
            if (form == "mask") added.Group("qkv", 1, heads, ("scores", 1));
            if (form.EndsWith("cache", StringComparison.Ordinal)) added.Group("qkv", 1, heads, ("past", 2));
            if (value == 5) added.Kind(Axis.ValueDims, "qkv", 1, 5, ("o.weight", 0)).Kind(Axis.HeadDims, "qkv", 1, dim);
        }
        cases.Of(Ms + "Attention", 17, g =>
        {
            var x = g.Input("x", 2, Length, 6);
            g.Input("past", 2, 2, heads, 3, dim);
            var y = g.Nodes(Ms + "Attention", 2, [x, g.Weight("qkv", 6, 3 * width), g.Weight("qkv.bias", 3 * width), "", "past"],
                ("num_heads", heads));
            g.Output(g.Linear(y[0], "o", width, 3));
            g.Output(g.Rename(y[1], "present"), 2, 2, heads, Length + 3, dim);
        }, "cache at the interface").Frozen("o.weight", 0, "past");

        foreach (string form in (string[])["", "bias", "cache", "cross", "packed kv", "packed qkv"])
        {
            int value = form is "" or "bias" ? 5 : dim;
            var added = cases.Of(Ms + "MultiHeadAttention", 17, g =>
            {
                var x = g.Input("x", 2, Length, 6);
                string Project(string name, int size) => g.Linear(x, name, 6, heads * size, bias: form != "bias");
                string[] operands = form switch
                {
                    "packed qkv" => [g.Reshape(g.Linear(x, "q", 6, 3 * width), 0, 0, heads, 3, dim)],
                    "packed kv" => [Project("q", dim), g.Reshape(g.Linear(x, "k", 6, 2 * width), 0, 0, heads, 2, dim)],
                    "cross" => [Project("q", dim), g.SplitHeads(Project("k", dim), heads, dim),
                        g.SplitHeads(Project("v", dim), heads, dim)],
                    "bias" => [Project("q", dim), Project("k", dim), Project("v", value), g.Weight("bias", (2 * width) + (heads * value)),
                        g.Ints([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 2, Length), g.Weight("scores", 1, heads, Length, Length)],
                    "cache" => [Project("q", dim), Project("k", dim), Project("v", dim), "", "", "", g.Weight("past.k", 2, heads, 4, dim),
                        g.Weight("past.v", 2, heads, 4, dim)],
                    _ => [Project("q", dim), Project("k", dim), Project("v", value)],
                };
                var y = g.Nodes(Ms + "MultiHeadAttention", form == "cache" ? 3 : 1, operands, ("num_heads", heads));
                g.Output(g.Linear(y[0], "o", heads * value, 3));
                if (form == "cache") g.Output(g.Sum(y[1], 1)).Output(g.Sum(y[2], 1));
            }, form);
            if (form == "packed qkv") added.Kind(Axis.Heads, "q.weight", 1, heads, ("o.weight", 0)).NoKernel();
            else if (form == "packed kv") added.Kind(Axis.Heads, "q.weight", 1, heads, ("k.weight", 1), ("o.weight", 0)).NoKernel();
            else added.Kind(Axis.Heads, "q.weight", 1, heads, all);
            if (form == "bias") added.Group("q.weight", 1, heads, ("bias", 0), ("scores", 1));
            if (form == "cache") added.Group("q.weight", 1, heads, ("past.k", 1), ("past.v", 1));
            if (value == 5)
                added.Kind(Axis.ValueDims, "v.weight", 1, 5, ("o.weight", 0))
                    .Kind(Axis.HeadDims, "q.weight", 1, dim, ("k.weight", 1));
        }

        cases.Of(Ms + "MultiHeadAttention", 17, g =>
        {
            var x = g.Input("x", 2, Length, 6);
            string Project(string name) => g.Linear(x, name, 6, width);
            var y = g.Nodes(Ms + "MultiHeadAttention", 3, [Project("q"), g.Sigmoid(Project("k")), Project("v")], ("num_heads", heads));
            g.Output(g.Linear(y[0], "o", width, 3)).Output(g.Sum(y[1], 1));
        }, "keys that are not zero").Inexact("k.weight", 1, heads, "ReduceSum");

        const int kv = 2, r = 2, size = 16;
        foreach (string form in (string[])["", "packed", "rotary", "packed rotary", "cache", "bias sink"])
        {
            bool packed = form.StartsWith("packed", StringComparison.Ordinal), rotary = form.EndsWith("rotary", StringComparison.Ordinal);
            var added = cases.Of(Ms + "GroupQueryAttention", 17, g =>
            {
                var x = g.Input("x", 1, Length, 6);
                int past = form == "cache" ? 3 : 0, total = Length + past;
                var operands = packed ? new List<string> { g.Linear(x, "qkv", 6, ((kv * r) + (2 * kv)) * size), "", "" }
                    : [g.Linear(x, "q", 6, kv * r * size), g.Linear(x, "k", 6, kv * size), g.Linear(x, "v", 6, kv * size)];
                if (form == "cache") operands.AddRange([g.Weight("past.k", 1, kv, past, size), g.Weight("past.v", 1, kv, past, size)]);
                else operands.AddRange(["", ""]);
                operands.AddRange([g.Ints([total - 1], 1), g.Ints([total])]);
                if (rotary) operands.AddRange([g.Weight("cos", 16, size / 2), g.Weight("sin", 16, size / 2)]);
                if (form == "bias sink")
                    operands.AddRange(["", "", "", g.Weight("scores", 1, kv * r, Length, Length), g.Weight("sink", kv * r)]);
                var attributes = new List<(string, object)> { ("num_heads", kv * r), ("kv_num_heads", kv) };
                if (rotary) attributes.Add(("do_rotary", 1));
                var y = g.Nodes(Ms + "GroupQueryAttention", 3, [.. operands], [.. attributes]);
                g.Output(g.Linear(y[0], "o", kv * r * size, 3));
                if (form == "cache") g.Output(g.Sum(y[1], 1)).Output(g.Sum(y[2], 1));
            }, form);
            if (packed) added.Kind(Axis.KeyValueGroups, "qkv.weight", 1, kv, ("qkv.bias", 0), ("o.weight", 0))
                .Kind(Axis.Heads, "qkv.weight", 1, r, ("o.weight", 0)).Partners();
            else added.Kind(Axis.KeyValueGroups, "k.weight", 1, kv, ("q.weight", 1), ("v.weight", 1), ("o.weight", 0))
                .Kind(Axis.Heads, "q.weight", 1, r, ("o.weight", 0)).Partners();
            if (form == "cache") added.Group("k.weight", 1, kv, ("past.k", 1), ("past.v", 1));
            if (form == "bias sink")
                added.Group("k.weight", 1, kv, ("sink", 0), ("scores", 1)).Group("q.weight", 1, r, ("sink", 0), ("scores", 1));
        }

        foreach (string form in (string[])["", "cross"])
            cases.Of(Ms + "DecoderMaskedMultiHeadAttention", 17, g =>
            {
                var x = g.Input("x", 2, 1, 6);
                string Project(string name) => g.Linear(x, name, 6, width);
                string[] operands = form switch
                {
                    "cross" => [Project("q"), g.SplitHeads(g.Linear(g.Input("z", 2, Length, 6), "k", 6, width), heads, dim),
                        g.SplitHeads(g.Linear("z", "v", 6, width), heads, dim)],
                    _ => [Project("q"), Project("k"), Project("v"), "", "", g.Weight("past.k", 2, heads, 4, dim),
                        g.Weight("past.v", 2, heads, 4, dim), g.Ints([3], 1)],
                };
                var y = g.Nodes(Ms + "DecoderMaskedMultiHeadAttention", form == "cross"
                    ? 1
                    : 3, operands, form == "cross" ? [("num_heads", heads)] : [("num_heads", heads), ("past_present_share_buffer", 1)]);
                g.Output(g.Linear(y[0], "o", width, 3));
            }, form).Kind(Axis.Heads, "q.weight", 1, heads, all);
        cases.Of(Ms + "DecoderMaskedSelfAttention", 17, g =>
        {
            var x = g.Input("x", 2, 1, 6);
            var y = g.Nodes(Ms + "DecoderMaskedSelfAttention", 2,
                [x, g.Weight("qkv", 6, 3 * width), g.Weight("qkv.bias", 3 * width), "", g.Weight("past", 2, 2, heads, 4, dim), "",
                    g.Ints([3], 1)], ("num_heads", heads), ("past_present_share_buffer", 1));
            g.Output(g.Linear(y[0], "o", width, 3));
        }).Kind(Axis.Heads, "qkv", 1, heads, ("qkv.bias", 0), ("past", 2), ("o.weight", 0)).NoKernel();
        foreach (bool sizes in (bool[])[false, true])
            cases.Of(Ms + "PackedAttention", 17, g =>
            {
                var x = g.Input("x", 7, 6);
                (string, object)[] attributes = sizes
                    ? [("num_heads", heads), ("qkv_hidden_sizes", new[] { width, width, width })]
                    : [("num_heads", heads)];
                var y = g.Node(Ms + "PackedAttention",
                    [x, g.Weight("qkv", 6, 3 * width), g.Weight("qkv.bias", 3 * width), g.Ints([0, 1, 2, 3, 4, 5, 6, 7], 2, 4),
                        g.Ints([0, 3, 7], 3)], attributes);
                g.Output(g.Linear(y, "o", width, 3));
            }, sizes ? "sizes" : "").Kind(Axis.Heads, "qkv", 1, heads, ("qkv.bias", 0), ("o.weight", 0)).NoKernel();
        foreach (bool packed in (bool[])[false, true])
            cases.Of(Ms + "PackedMultiHeadAttention", 17, g =>
            {
                var x = g.Input("x", 7, 6);
                string[] qkv = packed
                    ? [g.Reshape(g.Linear(x, "q", 6, 3 * width), 0, heads, 3, dim), "", ""]
                    : [g.Linear(x, "q", 6, width), g.Linear(x, "k", 6, width), g.Linear(x, "v", 6, width)];
                var y = g.Node(Ms + "PackedMultiHeadAttention", [.. qkv, "", g.Ints([0, 1, 2, 3, 4, 5, 6, 7], 2, 4), g.Ints([0, 3, 7], 3)],
                    ("num_heads", heads));
                g.Output(g.Linear(y, "o", width, 3));
            }, packed ? "packed" : "").Kind(Axis.Heads, "q.weight", 1, heads, packed ? [("o.weight", 0)] : all).NoKernel();
        foreach (string rule in (string[])["linear", "gated", "delta", "gated_delta", "gated_delta grouped"])
        {
            int shared = rule.EndsWith("grouped", StringComparison.Ordinal) ? 2 : 1;
            var added = cases.Of(Ms + "LinearAttention", 17, g =>
            {
                var x = g.Input("x", 1, Length, 6);
                var operands = new List<string> { g.Linear(x, "q", 6, kv * shared * dim), g.Node("Tanh", g.Linear(x, "k", 6, kv * dim)),
                    g.Linear(x, "v", 6, kv * 5), g.Weight("past", 1, kv, dim, 5) };
                if (rule != "linear")
                    operands.Add(rule == "delta"
                        ? ""
                        : g.Node("Neg", g.Node("Exp", g.Linear(x, "decay", 6, rule == "gated" ? kv * dim : kv))));
                if (rule.Contains("delta", StringComparison.Ordinal)) operands.Add(g.Sigmoid(g.Linear(x, "beta", 6, kv)));
                var y = g.Nodes(Ms + "LinearAttention", 2, [.. operands], ("q_num_heads", kv * shared), ("kv_num_heads", kv),
                    ("update_rule", rule.Split(' ')[0]));
                g.Output(g.Linear(y[0], "o", kv * shared * 5, 3)).Output(g.Sum(g.MatMul(y[1], g.Weight("read", 5, 2)), 1));
            }, rule);
            if (shared > 1)
                added.Kind(Axis.KeyValueGroups, "k.weight", 1, kv, ("q.weight", 1), ("v.weight", 1), ("past", 1), ("o.weight", 0))
                    .Kind(Axis.Heads, "q.weight", 1, shared, ("o.weight", 0)).Partners();
            else added.Kind(Axis.Heads, "q.weight", 1, kv, [.. all, ("past", 1)]);
            added.Kind(Axis.ValueDims, "v.weight", 1, 5, ("o.weight", 0), ("past", 3));
        }
        cases.Of(Ms + "LinearAttentionGate", 17, g =>
        {
            var x = g.Input("x", 2, Length, 6);
            var y = g.Nodes(Ms + "LinearAttentionGate", 2,
                [g.Linear(x, "a", 6, Width), g.Weight("shift", Width), g.Weight("rate", Width), g.Linear(x, "c", 6, Width)]);
            g.EndRows(y[0], zero: true);
            g.Output(g.Linear(y[1], "d", Width, 3));
        }).Passes().Group("a.weight", 1, Width, ("shift", 0), ("rate", 0), ("c.weight", 1), ("d.weight", 0));
        foreach (bool flat in (bool[])[false, true])
            cases.Of(Ms + "MRotaryEmbedding", 17, g =>
            {
                var x = g.Linear(g.Input("x", 2, Length, 6), "q", 6, width);
                if (!flat) x = g.SplitHeads(x, heads, dim);
                var positions = g.Longs("positions", [.. Enumerable.Range(0, 30).Select(k => k % 7L)], [3, 2, Length]);
                (string, object)[] attributes = flat
                    ? [("mrope_section", new[] { 2, 1, 1 }), ("num_heads", heads), ("rotary_embedding_dim", dim)]
                    : [("mrope_section", new[] { 2, 1, 1 })];
                var y = g.Node(Ms + "MRotaryEmbedding",
                    [x, positions, g.Weight("cos", 9, dim / 2), g.Weight("sin", 9, dim / 2)], attributes);
                g.Output(g.Linear(flat ? y : g.MergeHeads(y, width), "o", width, 3));
            }, flat ? "3-D" : "4-D").Group("q.weight", 1, heads, ("o.weight", 0));
        cases.Of(Ms + "RelativePositionBias", 17, g =>
        {
            var x = g.Input("x", 2, Length, 6);
            string Project(string name) => g.SplitHeads(g.Linear(x, name, 6, width), heads, dim);
            var bias = g.Node(Ms + "RelativePositionBias", [g.Weight("table", 32, heads), g.Whole(Length), g.Whole(Length)],
                ("max_distance", 128), ("is_bidirectional", 1));
            var a = g.MatMul(g.Softmax(g.Add(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), bias)), Project("v"));
            g.Output(g.Linear(g.MergeHeads(a, width), "o", width, 3));
        }).Kind(Axis.Heads, "q.weight", 1, heads, [.. all, ("table", 1)]).NoKernel();
        cases.Of(Ms + "GatedRelativePositionBias", 17, g =>
        {
            var q = g.Linear(g.Input("x", 2, Length, 6), "q", 6, width, bias: false);
            var y = g.Node(Ms + "GatedRelativePositionBias",
                [q, g.Weight("bias", width), g.Weight("places", 1, heads, Length, Length), g.Weight("w", dim, 8), g.Weight("w.bias", 8),
                    g.Weight("eco", 1, heads, 1, 1)], ("num_heads", heads));
            g.Output(g.Node("Einsum", [y, g.Weight("read", heads)], ("equation", "bhst,h->bst")));
        }).Kind(Axis.Heads, "q.weight", 1, heads, ("bias", 0), ("places", 1), ("eco", 1), ("read", 0)).NoKernel();
    }
}
