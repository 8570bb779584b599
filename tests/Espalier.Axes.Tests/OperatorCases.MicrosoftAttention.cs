using Espalier.Axes.Groups;
using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// com.microsoft: attention.
internal static partial class OperatorCases
{
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
