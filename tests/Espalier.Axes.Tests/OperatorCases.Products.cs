using Espalier.Axes.Groups;
using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Products, convolutions, recurrences and attention of the standard domain.
internal static partial class OperatorCases
{
    private static void Products(List<OperatorCase> cases)
    {
        cases.Of("MatMul", 13, g => g.EndRows(g.Node("MatMul", [g.Tokens(), g.Weight("w", Width, Width)]), zero: true))
            .Group("a.weight", 1, Width, ("w", 0)).Group("w", 1, Width, ("b.weight", 0));
        cases.Of("MatMul", 13, g => g.Output(g.MatMul(g.Rows(), g.Weight("w", Width))), "by a vector")
            .Group("a.weight", 1, Width, ("w", 0));
        cases.Of("MatMul", 13, g => g.EndRows(g.MatMul(g.Weight("w", Width, 6), g.Input("x", 6)), zero: true), "of a weight with a vector")
            .Group("w", 0, Width, ("b.weight", 0));
        cases.Of("MatMul", 13,
            g => g.EndRows(
                g.MatMul(g.Weight("w", 6), g.MatMul(g.Weight("l", 6, 2), g.Linear(g.Input("x", 2, 6), "a", 6, Width)))), "of a vector")
            .Group("w", 0, 6, ("l", 0)).Passes();
        cases.Of("MatMul", 13,
            g => g.Output(g.MatMul(g.MatMul(g.Weight("l", 2), g.Linear(g.Input("x", 2, 6), "a", 6, Width)), g.Weight("w", Width))),
            "of two vectors").Group("a.weight", 1, Width, ("w", 0));
        foreach (var (a, b) in ((int, int)[])[(0, 0), (0, 1), (1, 0), (1, 1)])
            foreach (string op in (string[])["Gemm", "com.microsoft::FusedGemm"])
                cases.Of(op, 13, g =>
                {
                    var x = g.Rows();
                    if (a == 1) x = g.Transpose(x, 1, 0);
                    var w = b == 0 ? g.Weight("w", Width, Width) : g.Weight("w", Width, Width);
                    g.EndRows(op == "Gemm" ? g.Node(op, [x, w, g.Weight("c", Width)], ("transA", a), ("transB", b))
                        : g.Node(op, [x, w, g.Weight("c", Width)], ("transA", a), ("transB", b), ("activation", "Relu")), zero: true);
                }, $"{a}{b}").Group("a.weight", 1, Width, ("w", b)).Group("w", 1 - b, Width, ("c", 0), ("b.weight", 0));
        cases.Of("com.microsoft::FusedGemm", 13,
            g => g.EndRows(g.Node("com.microsoft::FusedGemm", [g.Rows(), g.Weight("w", Width, Width)], ("activation", "Sigmoid"))),
            "sigmoid").Group("w", 1, Width, ("b.weight", 0));
        foreach (var (op, opset) in InEveryVersion("MatMul"))
            cases.Of(op, opset, g => g.EndRows(g.Node("MatMul", [g.Rows(), g.Weight("w", Width, Width)]), zero: true), "of rows")
                .Group("a.weight", 1, Width, ("w", 0));
        foreach (var (op, opset) in InEveryVersion("Gemm"))
            cases.Of(op, opset, g => g.EndRows(g.Gemm(g.Rows(), "w", Width, Width), zero: true), "of rows")
                .Group("a.weight", 1, Width, ("w.weight", 1));
        foreach (var (opset, group) in ((int, int)[])[(7, 1), (11, 2), (22, 1)])
            cases.Of("Conv", opset, g => g.End(g.Conv(g.Image(), "c", Channels, Channels, new(Group: group)), zero: true),
                $"{group} groups")
                .Group("a.weight", 0, group == 1 ? Channels : Channels / group, ("c.weight", 1))
                .Group("c.weight", 0, group == 1 ? Channels : Channels / group, ("c.bias", 0), ("b.weight", 1));
        foreach (var (op, opset) in InEveryVersion("ConvTranspose"))
            cases.Of(op, opset,
                g => g.End(g.Node("ConvTranspose", [g.Image(), g.Weight("c", Channels, Channels, 2, 2), g.Weight("c.bias", Channels)],
                    ("strides", new[] { 2, 2 })), zero: true))
            .Group("a.weight", 0, Channels, ("c", 0)).Group("c", 1, Channels, ("c.bias", 0), ("b.weight", 1));
        foreach (string form in (string[])["one", "groups", "offset groups"])
            cases.Of("DeformConv", 22, g =>
            {
                int group = form == "groups" ? 2 : 1, offsets = form == "offset groups" ? 2 : 1;
                var x = g.Image();
                var offset = g.Conv("x", "offset", 3, offsets * 18);
                var mask = g.Sigmoid(g.Conv("x", "mask", 3, offsets * 9));
                g.End(g.Node("DeformConv", [x, g.Weight("c", Channels, Channels / group, 3, 3), offset, g.Weight("c.bias", Channels), mask],
                    ("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }), ("group", group),
                    ("offset_group", offsets)), zero: true);
            }, form).Group("a.weight", 0, form == "one" ? Channels : Channels / 2, ("c", 1)).Group("c", 0, form == "groups"
                ? Channels / 2
                : Channels, ("c.bias", 0), ("b.weight", 1));
        cases[^1].Group("offset.weight", 0, 2, ("a.weight", 0), ("c", 1), ("mask.weight", 0));
        cases.Of("Einsum", 12,
            g => g.EndRows(g.Node("Einsum", [g.Tokens(), g.Weight("w", Width, 3, 4)], ("equation", "bsi,ihd->bshd")) is var y
                ? g.Reshape(y, 0, 0, 12)
                : "", zero: true))
            .Group("a.weight", 1, Width, ("w", 0)).Group("w", 1, 3, ("b.weight", 0)).Group("w", 2, 4, ("b.weight", 0));
        cases.Of("Einsum", 12,
            g => g.EndRows(g.Node("Einsum", [g.Tokens(), g.Weight("w", 7, Width)], ("equation", "...i,ji->...j")), zero: true, width: 7),
            "ellipsis").Group("a.weight", 1, Width, ("w", 1)).Group("w", 0, 7, ("b.weight", 0));
        cases.Of("Einsum", 12,
            g => g.EndRows(g.Node("Einsum", [g.Tokens(), g.Weight("w", 1, Width, 7)], ("equation", "...ij,...jk")), zero: true, width: 7),
            "implicit").Group("a.weight", 1, Width, ("w", 1)).Group("w", 2, 7, ("b.weight", 0));
        foreach (var (op, gates, opset) in ((string, int, int)[])[("LSTM", 4, 22), ("LSTM", 4, 14), ("LSTM", 4, 7), ("GRU", 3, 22),
            ("GRU", 3, 14), ("GRU", 3, 7), ("RNN", 1, 22), ("RNN", 1, 14), ("RNN", 1, 7)])
        {
            cases.Of(op, opset, g => Recurrent(g, op, gates, 0)).Group("w", 1, Width, ("r", 1), ("r", 2), ("bias", 1), ("b.weight", 0))
                .Group("a.weight", 1, Width, ("w", 2));
            if (opset >= 14)
                cases.Of(op, opset, g => Recurrent(g, op, gates, 1), "batch first")
                    .Group("w", 1, Width, ("r", 1), ("r", 2), ("bias", 1), ("b.weight", 0)).NoKernel();
        }
    }

    /// <summary>What is not zero at a removed unit although an operand is: another one is not, and a sum over the units shows it.</summary>
    private static void NeverZero(List<OperatorCase> cases)
    {
        const string Form = "with a part that is never zero", Reason = "ReduceSum";
        cases.Of("BatchNormalization", 15, g => g.End(g.Node("BatchNormalization", [g.Image(), g.Positive("s", Channels),
            g.Sigmoid(g.Weight("t", Channels)), g.Weight("m", Channels), g.Positive("v", Channels)]), zero: true), Form)
            .Inexact("a.weight", 0, Channels, Reason);
        cases.Of("DeformConv", 22, g => g.End(g.Node("DeformConv",
            [g.Image(), g.Weight("c", Channels, Channels, 3, 3), g.Conv("x", "offset", 3, 18), g.Sigmoid(g.Weight("bias", Channels))],
            ("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 })), zero: true), Form).Inexact("c", 0, Channels, Reason);
        cases.Of("LSTM", 22, g => g.EndRows(g.Squeeze(g.Nodes("LSTM", 2,
            [g.Tokens(), g.Weight("w", 1, 4 * Width, Width), g.Weight("r", 1, 4 * Width, Width), g.Sigmoid(g.Weight("bias", 1, 8 * Width))],
            ("hidden_size", Width))[0], 1), zero: true), Form).Inexact("w", 1, Width, Reason);
        // Positions along which a pool looks, where a product makes them.
        cases.Of("MaxPool", 12, g => g.Output(g.Node("MaxPool", [g.Tokens()], ("kernel_shape", new[] { 2 }))), "along units")
            .Frozen("a.weight", 1, "MaxPool");
        cases.Of("GlobalAveragePool", 22, g => g.Output(g.Node("GlobalAveragePool", [g.Tokens()])), "along units")
            .Frozen("a.weight", 1, "GlobalAveragePool");
        // Rows that a weight makes, where other operators find samples.
        static string Made(GraphBuilder g) => g.MatMul(g.Weight("rows", 5, 6), g.Input("x", 6, 4));
        cases.Of("Det", 22, g => g.Output(g.Node("Det", g.MatMul(Made(g), g.Weight("columns", 4, 5)))), "of units")
            .Frozen("rows", 0, "Det");
        cases.Of("SoftmaxCrossEntropyLoss", 13,
            g => g.Output(g.Node("SoftmaxCrossEntropyLoss", [Made(g), g.Longs(0, 1, 3, 2, 1)])), "of units")
            .Inexact("rows", 0, 5, "statistic");
        cases.Of("Multinomial", 21,
            g => g.Output(g.MatMul(g.Transpose(g.Cast(g.Node("Multinomial", Made(g), ("sample_size", 3), ("seed", 1f)),
            DataType.Float), 1, 0), g.Weight("b", 5, 2))), "of units").Inexact("rows", 0, 5, "random");
        cases.Of("Trilu", 14, g => g.EndRows(g.Node("Trilu", [g.Tokens()]))).Frozen("a.weight", 1, "Trilu");
        cases.Of("DepthToSpace", 13,
            g => g.Output(g.Gemm(g.Flatten(g.Node("DepthToSpace", g.Image(4 * Channels), ("blocksize", 2), ("mode", "CRD"))),
            "fc", Channels * 144, 5)), "CRD whose positions are read one by one").Group("a.weight", 0, Channels, ("fc.weight", 1));
        foreach (var (part, flat) in ((string, bool)[])[("values", false), ("keys", false), ("values", true)])
            cases.Of("Attention", 24, g =>
            {
                const int heads = 2, dim = 4, value = 5;
                var x = g.Input("x", 2, Length, 6);
                string Project(string name, int size)
                    => g.Linear(x, name, 6, heads * size) is var y && flat ? y : g.SplitHeads(y, heads, size);
                string Part(string tensor, bool never) => never ? g.Sigmoid(tensor) : tensor;
                var y = g.Nodes("Attention", 3, [Project("q", dim), Part(Project("k", dim), part == "keys"), Project("v", value), "",
                    g.Weight("past.k", 2, heads, 3, dim), Part(g.Weight("past.v", 2, heads, 3, value), part == "values")],
                    flat ? [("q_num_heads", heads), ("kv_num_heads", heads)] : []);
                g.Output(g.Sum(part == "keys" ? y[1] : flat ? g.Reshape(y[0], 2, Length, heads, value) : y[0], 3));
            }, $"{(flat ? "flat " : "")}{part} {Form}").Inexact(part == "keys"
                ? "k.weight"
                : "v.weight", 1, part == "keys" ? 4 : 5, Reason);
    }

    private static void Recurrent(GraphBuilder g, string op, int gates, int layout)
    {
        var x = g.Tokens();
        var y = g.Nodes(op, 2,
            [x, g.Weight("w", 1, gates * Width, Width), g.Weight("r", 1, gates * Width, Width), g.Weight("bias", 1, 2 * gates * Width)],
            layout == 1 ? [("hidden_size", Width), ("layout", 1)] : [("hidden_size", Width)]);
        g.EndRows(g.Opset < 13
            ? g.Node("Squeeze", y[0], ("axes", new[] { layout == 0 ? 1 : 2 }))
            : g.Squeeze(y[0], layout == 0 ? 1 : 2), zero: true);
    }

    private static void StandardAttention(List<OperatorCase> cases)
    {
        const int kv = 2, r = 3, dim = 4, value = 5;
        foreach (string form in (string[])["3-D", "3-D grouped", "4-D", "4-D grouped", "3-D scale", "4-D cache", "3-D scores"])
        {
            bool flat = form.StartsWith("3-D", StringComparison.Ordinal), grouped = !form.EndsWith("-D", StringComparison.Ordinal)
                && form.EndsWith("grouped", StringComparison.Ordinal);
            int q = grouped ? kv * r : kv;
            var added = cases.Of("Attention", form == "3-D" ? 23 : form == "4-D grouped" ? 25 : 24, g =>
            {
                var x = g.Input("x", 2, Length, 6);
                string Project(string name, int heads, int size)
                {
                    var y = g.Linear(x, name, 6, heads * size);
                    return flat ? y : g.SplitHeads(y, heads, size);
                }
                var operands = new List<string> { Project("q", q, dim), Project("k", kv, dim), Project("v", kv, value),
                    g.Weight("mask", Length, form == "4-D cache" ? Length + 3 : Length) };
                if (form == "4-D cache") operands.AddRange([g.Weight("past.k", 2, kv, 3, dim), g.Weight("past.v", 2, kv, 3, value)]);
                var attributes = new List<(string, object)>();
                if (flat) attributes.AddRange([("q_num_heads", q), ("kv_num_heads", kv)]);
                if (form == "3-D scale") attributes.AddRange([("scale", 0.3f), ("is_causal", 1)]);
                var y = g.Nodes("Attention", form == "3-D scores" ? 4 : form == "4-D cache" ? 3 : 1, [.. operands], [.. attributes]);
                g.Output(g.Linear(flat ? y[0] : g.MergeHeads(y[0], q * value), "o", q * value, 3));
                // What the caches and the scores hold at removed heads, and what not.
                if (form == "4-D cache") g.Output(g.Sum(g.MatMul(y[2], g.Weight("read", value, 2)), 1));
                if (form == "3-D scores") g.Output(g.Node("Einsum", [y[3], g.Weight("read", q)], ("equation", "bhst,h->bst")));
            }, form);
            if (grouped)
                added.Kind(Axis.KeyValueGroups, "k.weight", 1, kv, ("q.weight", 1), ("v.weight", 1), ("o.weight", 0))
                    .Kind(Axis.Heads, "q.weight", 1, r, ("o.weight", 0)).Partners();
            else added.Kind(Axis.Heads, "q.weight", 1, kv, ("k.weight", 1), ("v.weight", 1), ("o.weight", 0));
            added.Kind(Axis.HeadDims, "q.weight", 1, dim, ("k.weight", 1))
                .Kind(Axis.ValueDims, "v.weight", 1, value, ("o.weight", 0));
            if (form == "4-D cache") added.Group("k.weight", 1, kv, ("past.k", 1), ("past.v", 1)).Group("k.weight", 1, dim, ("past.k", 3));
            if (form == "3-D scores") added.Group("q.weight", 1, kv, ("read", 0));
        }
        foreach (bool interleaved in (bool[])[false, true])
            foreach (string form in (string[])["4-D", "3-D", "partial", "positions"])
                cases.Of("RotaryEmbedding", 23, g => Rotary(g, "RotaryEmbedding", interleaved, form), form
                    + (interleaved ? " interleaved" : ""))
                    .Kind(Axis.Heads, "q.weight", 1, 3, ("k.weight", 1), ("v.weight", 1), ("o.weight", 0))
                    .Kind(Axis.HeadDims, "q.weight", 1, form == "partial"
                        ? 2
                        : 4, ("cos", form == "positions" ? 1 : 2), ("sin", form == "positions" ? 1 : 2));
        foreach (bool interleaved in (bool[])[false, true])
            foreach (string form in (string[])["4-D", "3-D", "partial"])
                cases.Of("com.microsoft::RotaryEmbedding", 23, g => Rotary(g, "com.microsoft::RotaryEmbedding", interleaved, form), form
                    + (interleaved ? " interleaved" : ""))
                    .Kind(Axis.Heads, "q.weight", 1, 3, ("k.weight", 1), ("v.weight", 1), ("o.weight", 0))
                    .Kind(Axis.HeadDims, "q.weight", 1, form == "partial" ? 2 : 4, ("cos", 1), ("sin", 1));
    }

    private static void Rotary(GraphBuilder g, string op, bool interleaved, string form)
    {
        const int heads = 3, dim = 8;
        bool standard = !op.Contains(':', StringComparison.Ordinal);
        int angles = form == "partial" ? 2 : 4;
        var x = g.Input("x", 2, Length, 6);
        bool table = !standard || form == "positions";
        var (cos, sin) = table
            ? (g.Weight("cos", 9, angles), g.Weight("sin", 9, angles))
            : (g.Weight("cos", 2, Length, angles), g.Weight("sin", 2, Length, angles));
        var positions = g.Longs("positions", [0, 1, 2, 3, 4, 2, 3, 4, 5, 6], [2, Length]);
        string Turn(string name)
        {
            var y = g.Linear(x, name, 6, heads * dim);
            bool flat = form is "3-D" or "partial";
            if (!flat) y = g.SplitHeads(y, heads, dim);
            var attributes = new List<(string, object)> { ("interleaved", interleaved ? 1 : 0) };
            if (flat && (standard || form == "partial")) attributes.Add(("num_heads", heads));
            if (form == "partial") attributes.Add(("rotary_embedding_dim", 2 * angles));
            y = g.Node(op, standard
                ? form == "positions" ? [y, cos, sin, positions] : [y, cos, sin]
                : [y, positions, cos, sin], [.. attributes]);
            return flat ? g.SplitHeads(y, heads, dim) : y;
        }
        var v = g.SplitHeads(g.Linear(x, "v", 6, heads * dim), heads, dim);
        g.Output(g.Linear(g.MergeHeads(g.Attend(Turn("q"), Turn("k"), v, 0.4f), heads * dim), "o", heads * dim, 3));
    }
}
