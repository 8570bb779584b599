using Espalier.Onnx;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>
/// Forms of operators whose gradients differ, although nothing of their axes does, so that no case of an operator has them.
/// </summary>
internal static class GradientForms
{
    /// <summary>Every form: how it is called, and the graph.</summary>
    public static IReadOnlyList<(string Name, int Opset, Action<GraphBuilder> Build)> All { get; } =
    [
        .. Resizes(), .. Samples(), .. Statistics(), .. Positions(), .. Transforms(), .. Recurrences(), .. Attentions(), .. Losses(),
        .. Others(),
    ];

    /// <summary>The models of all forms.</summary>
    public static IEnumerable<Func<OnnxModel>> Models => All.Select(f => (Func<OnnxModel>)(() =>
    {
        var graph = new GraphBuilder(seed: 7, f.Opset);
        f.Build(graph);
        return graph.Build();
    }));

    /// <summary>Parts of the names of forms that have no gradient, and why.</summary>
    private static readonly (string Part, string Reason)[] Refused =
    [
        ("reflection", "its padding is reflection"), ("of a region", "it cuts out a region"), ("of the largest", "the largest sample"),
        ("mean is read", "its result 1 is used"), ("peepholes", "peepholes"), ("lengths", "lengths of their own"),
        (" Elu", "its activation Elu"), ("softcap", "it caps its scores"), ("of another length", "another number of elements"),
        ("scores are read", "behind the mask"),
    ];

    /// <summary>Why a form has no gradient; null where it has one.</summary>
    public static string? ReasonOf(string name) => Refused.FirstOrDefault(r => name.Contains(r.Part, StringComparison.Ordinal)).Reason;

    // A constant that no gradient is wanted of.
    private static string Fixed(this GraphBuilder g, float[] values, params long[] dims) => g.Node("Constant", Array.Empty<string>(),
        ("value", GraphBuilder.Tensor("", DataType.Float, dims, [.. values.SelectMany(BitConverter.GetBytes)])));

    private static string Image(GraphBuilder g) => g.Weight("x", 2, 3, 5, 7);

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Resizes()
    {
        foreach (string coordinates in (string[])["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
            "half_pixel_symmetric"])
            foreach (string mode in (string[])["linear", "cubic", "nearest round_prefer_floor", "nearest round_prefer_ceil",
                "nearest floor", "nearest ceil", "cubic exclude"])
                foreach (float scale in (float[])[0.6f, 1.7f, 2, 3])
                    yield return ($"Resize {coordinates} {mode} {scale:0.0}", 19, g => g.Output(g.Node("Resize",
                        [Image(g), "", g.Fixed([1, 1, scale, 2], 4)], Attributes(coordinates, mode))));
        foreach (string mode in (string[])["linear", "cubic", "nearest floor"])
            yield return ($"Resize {mode} to sizes", 13, g => g.Output(g.Node("Resize", [Image(g), "", "", g.Longs(2, 3, 8, 4)],
                Attributes("half_pixel", mode))));
        foreach (string mode in (string[])["linear", "nearest"])
            foreach (var (op, opset, scale) in ((string, int, float)[])[("Upsample", 9, 2), ("Upsample", 9, 1.5f), ("Resize", 10, 0.5f),
                ("Resize", 10, 1.5f)])
                yield return ($"{op} {opset} {mode} {scale:0.0}", opset, g => g.Output(g.Node(op,
                    [Image(g), g.Fixed([1, 1, scale, scale], 4)], ("mode", mode))));
        foreach (string mode in (string[])["linear", "cubic", "cubic exclude"])
            yield return ($"Resize antialias {mode}", 18, g => g.Output(g.Node("Resize",
                [Image(g), "", g.Fixed([1, 1, 0.6f, 0.4f], 4)], [.. Attributes("half_pixel", mode), ("antialias", 1)])));
        yield return ("Resize of a region", 13, g => g.Output(g.Node("Resize",
            [Image(g), g.Fixed([0, 0, 0.2f, 0.2f, 1, 1, 0.8f, 0.9f], 8), g.Fixed([1, 1, 2, 2], 4)],
            Attributes("tf_crop_and_resize", "linear"))));
        yield return ("Resize of a dynamic image to sizes", 13, g => g.Output(g.Node("Resize",
            [g.Relu(g.Input("x", 1, 3, "h", "w")), "", "", g.Longs(1, 3, 9, 8)], ("mode", "linear"))));
        yield return ("Resize of a dynamic image by parts", 13, g => g.Output(g.Node("Resize",
            [g.Relu(g.Input("x", 1, 3, "h", "w")), "", g.Fixed([1, 1, 2.5f, 1.5f], 4)], ("mode", "linear"))));
        yield return ("Resize of a dynamic image", 13, g => g.Output(g.Node("Resize",
            [g.Relu(g.Input("x", 1, 3, "h", "w")), "", g.Fixed([1, 1, 2, 2], 4)], ("mode", "nearest"))));
        yield return ("Resize of axes", 18, g => g.Output(g.Node("Resize", [Image(g), "", g.Fixed([2, 1.5f], 2)],
            ("axes", new[] { 3, 2 }), ("mode", "linear"))));
    }

    private static (string, object)[] Attributes(string coordinates, string mode)
    {
        string[] parts = mode.Split(' ');
        var attributes = new List<(string, object)> { ("coordinate_transformation_mode", coordinates), ("mode", parts[0]) };
        if (parts is ["nearest", var rounding]) attributes.Add(("nearest_mode", rounding));
        if (parts is ["cubic", _]) attributes.AddRange([("exclude_outside", 1), ("cubic_coeff_a", -0.5f)]);
        return [.. attributes];
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Samples()
    {
        foreach (string padding in (string[])["zeros", "border", "reflection"])
            foreach (int corners in (int[])[0, 1])
                yield return ($"GridSample {padding} {corners}", 20, g => g.Output(g.Node("GridSample",
                    [Image(g), g.Mul(g.Weight("grid", 2, 4, 3, 2), g.Scalar("wide", 3))],
                    ("padding_mode", padding), ("align_corners", corners))));
        foreach (int corners in (int[])[0, 1])
            yield return ($"AffineGrid {corners}", 20, g => g.Output(g.Node("AffineGrid",
                [g.Weight("theta", 2, 2, 3), g.Longs(2, 3, 4, 5)], ("align_corners", corners))));
        float[] boxes = [0, 0, 4, 4, -3, 1, 9, 3, 1.5f, 0, 2, 5, 3, 2, 3, 2];
        foreach (int ratio in (int[])[0, 1, 3])
            foreach (string mode in (string[])["half_pixel", "output_half_pixel"])
                yield return ($"RoiAlign {ratio} {mode}", 16, g => g.Output(g.Node("RoiAlign",
                    [Image(g), g.Fixed(boxes, 4, 4), g.Longs(0, 1, 1, 0)], ("output_height", 2), ("output_width", 3),
                    ("sampling_ratio", ratio), ("spatial_scale", 0.8f), ("coordinate_transformation_mode", mode))));
        yield return ("RoiAlign of the largest", 16, g => g.Output(g.Node("RoiAlign",
            [Image(g), g.Fixed(boxes, 4, 4), g.Longs(0, 1, 1, 0)], ("mode", "max"))));
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Statistics()
    {
        foreach (int p in (int[])[1, 2, 3])
        {
            yield return ($"LpPool {p}", 18, g => g.Output(g.Node("LpPool", Image(g), ("p", p), ("kernel_shape", new[] { 2, 3 }),
                ("strides", new[] { 2, 2 }), ("ceil_mode", 1))));
            yield return ($"LpPool {p} with dilations", 18, g => g.Output(g.Node("LpPool", Image(g), ("p", p),
                ("kernel_shape", new[] { 2, 3 }), ("dilations", new[] { 2, 1 }), ("pads", new[] { 1, 0, 0, 1 }))));
            yield return ($"GlobalLpPool {p}", 18, g => g.Output(g.Node("GlobalLpPool", Image(g), ("p", p))));
        }
        foreach (int size in (int[])[1, 3, 5])
            yield return ($"LRN {size}", 13, g => g.Output(g.Node("LRN", g.Weight("x", 2, 6, 3, 2), ("size", size), ("alpha", 0.9f),
                ("beta", 0.6f), ("bias", 1.3f))));
        foreach (var (opset, count) in ((int, int)[])[(18, 2), (21, 6)])
            yield return ($"GroupNormalization {opset} of rows", opset, g => g.Output(g.Node("GroupNormalization",
                [g.Weight("x", 2, 6, 5), g.Weight("s", count), g.Weight("t", count)], ("num_groups", 2), ("epsilon", 0.01f))));
        foreach (int keep in (int[])[0, 1])
            foreach (bool zeros in (bool[])[false, true])
                yield return ($"ReduceProd {keep}{(zeros ? " of zeros" : "")}", 18, g => g.Output(g.Node("ReduceProd",
                    [g.Floats("x", zeros ? [5, 0, 3, 0, 2, 0, 4, 1, 0] : [2, 3, 4, 5, 0, 3, 1, -2, 0.5f], 3, 3), g.Longs(1)],
                    ("keepdims", keep))));
        yield return ("LayerNormalization whose mean is read", 17, g =>
        {
            var y = g.Nodes("LayerNormalization", 2, [g.Weight("x", 4, 6), g.Positive("s", 6)]);
            g.Output(y[0]).Output(y[1]);
        }
        );
        yield return ("BatchNormalization in training of an image", 15, g => g.Output(g.Nodes("BatchNormalization", 3, [Image(g),
            g.Positive("s", 3), g.Weight("t", 3), g.Weight("m", 3), g.Positive("v", 3)], ("training_mode", 1))[0]));
        yield return ("BatchNormalization in training whose mean is read", 15, g =>
        {
            var y = g.Nodes("BatchNormalization", 3, [Image(g), g.Positive("s", 3), g.Weight("t", 3), g.Weight("m", 3), g.Positive("v", 3)],
                ("training_mode", 1));
            g.Output(y[0]).Output(y[1]);
        }
        );
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Positions()
    {
        foreach (string mode in (string[])["reflect", "edge", "wrap"])
            yield return ($"Pad {mode}", 19, g => g.Output(g.Node("Pad",
                [Image(g), g.Longs(2, 1, 3, 0), "", g.Longs(3, -2)], ("mode", mode))));
        yield return ("CenterCropPad odd", 18, g => g.Output(g.Node("CenterCropPad",
            [Image(g), g.Longs(8, 4)], ("axes", new[] { -2, 3 }))));
        yield return ("GatherND 2", 13, g => g.Output(g.Node("GatherND",
            [g.Weight("x", 2, 3, 4, 5), g.Longs("at", [0, 3, 2, 2, -1, 1, 0, 0, 3, 3, 1, 2], [2, 3, 2, 1])], ("batch_dims", 2))));
        yield return ("ReverseSequence in time", 10, g => g.Output(g.Node("ReverseSequence", [g.Weight("x", 5, 3, 2), g.Longs(2, 5, 1)])));
        foreach (string mode in (string[])["linear", "circular"])
            yield return ($"TensorScatter {mode} along units", 24, g => g.Output(g.Node("TensorScatter",
                [g.Weight("x", 2, 3, 4), g.Weight("u", 2, 3, 2), g.Longs(mode == "linear" ? [0, 2] : [3, 1])],
                ("axis", -1), ("mode", mode))));
        yield return ("OneHot in front", 11, g => g.Output(g.Node("OneHot", [g.Longs(2, 0, 5), g.Longs("depth", [4], []),
            g.Floats("values", [0.5f, 3], 2)], ("axis", 0))));
        yield return ("Col2Im", 18, g => g.Output(g.Node("Col2Im", [g.Weight("x", 2, 3 * 6, 20), g.Longs(5, 6), g.Longs(2, 3)],
            ("dilations", new[] { 2, 1 }), ("pads", new[] { 1, 0, 0, 1 }))));
        yield return ("Einsum that repeats", 12, g => g.Output(g.Node("Einsum", [g.Weight("x", 1, 4, 3), g.Weight("y", 2, 1, 3, 5)],
            ("equation", "...i,...ij->...j"))));
        foreach (int axis in (int[])[0, 1, 2])
            yield return ($"DequantizeLinear {axis}", 13, g =>
            {
                string x = g.Initializer(GraphBuilder.Tensor("q", DataType.Int8, [2, 3, 4],
                    [.. Enumerable.Range(0, 24).Select(k => (byte)(k * 9))]));
                int size = axis + 2;
                string zero = g.Initializer(GraphBuilder.Tensor("zero", DataType.Int8, [size],
                    [.. Enumerable.Range(3, size).Select(k => (byte)k)]));
                g.Output(g.Node("DequantizeLinear", [x, g.Positive("scale", size), zero], ("axis", axis)));
            }
            );
    }

    /// <summary>What a zero has is little beside what the others have, so that zeros have forms of their own.</summary>
    private static IEnumerable<(string, int, Action<GraphBuilder>)> Transforms()
    {
        foreach (int exclusive in (int[])[0, 1])
            foreach (int reverse in (int[])[0, 1])
                foreach (bool zeros in (bool[])[false, true])
                    yield return ($"CumProd {exclusive} {reverse}{(zeros ? " of zeros" : "")}", 26, g => g.Output(g.Node("CumProd",
                        [g.Floats("x", zeros ? [0, 2, 3, -1, 0, 0, 1, 0, 3, 0, 0, 0.5f, 2, 1, 0]
                            : [2, 3, 4, 5, 0, 3, -2, 2, 0, 1, -2, 0, 0.5f, 3, 1], 3, 5), g.Longs("axis", [1], [])],
                        ("exclusive", exclusive), ("reverse", reverse))));
        foreach (int n in (int[])[1, 2, 3])
            yield return ($"Det {n}", 22, g => g.Output(g.Node("Det", g.Weight("x", 2, n, n))));
        foreach (var (parts, inverse, side) in ((int, int, int)[])[(1, 0, 0), (1, 0, 1), (2, 0, 0), (2, 1, 0), (1, 1, 0)])
            foreach (int size in (int[])[5, 8])
                yield return ($"DFT {parts} {inverse} {side} {size}", 20, g => g.Output(g.Node("DFT",
                    [g.Weight("x", 2, size, 3, parts), "", g.Longs("axis", [1], [])], ("inverse", inverse), ("onesided", side))));
        yield return ("DFT of another length", 20, g => g.Output(g.Node("DFT",
            [g.Weight("x", 2, 6, 1), g.Longs("length", [8], []), g.Longs("axis", [1], [])])));
        foreach (int side in (int[])[0, 1])
        {
            yield return ($"STFT {side}", 17, g => g.Output(g.Node("STFT", [g.Weight("x", 2, 16, 1), g.Longs("step", [3], []),
                g.Positive("window", 6)], ("onesided", side))));
            yield return ($"STFT {side} of a length", 17, g => g.Output(g.Node("STFT", [g.Weight("x", 2, 16, 1),
                g.Longs("step", [4], []), "", g.Longs("length", [8], [])], ("onesided", side))));
        }
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Recurrences()
    {
        foreach (var (op, gates) in ((string, int)[])[("LSTM", 4), ("GRU", 3), ("RNN", 1)])
            foreach (string form in (string[])["forward", "reverse", "bidirectional", "bidirectional Relu", "reverse reset",
                "forward peepholes", "forward lengths", "forward states only", "forward without bias", "forward Elu"])
            {
                if (form.EndsWith("peepholes", StringComparison.Ordinal) && op != "LSTM") continue;
                yield return ($"{op} {form}", 22, g => Recurrent(g, op, gates, form));
            }
    }

    private static void Recurrent(GraphBuilder g, string op, int gates, string form)
    {
        string[] parts = form.Split(' ', 2);
        string special = parts.Length > 1 ? parts[1] : "";
        int directions = parts[0] == "bidirectional" ? 2 : 1;
        const int size = 3;
        var attributes = new List<(string, object)> { ("hidden_size", size), ("direction", parts[0]) };
        if (special == "reset" && op == "GRU") attributes.Add(("linear_before_reset", 1));
        string[] functions = special is "Relu" or "Elu" ? ["Sigmoid", special, "Tanh", "Relu", "Tanh", "Sigmoid"] : [];
        int each = gates switch { 4 => 3, 3 => 2, _ => 1 };
        if (functions.Length > 0)
            attributes.Add(("activations", each == 1 ? functions[1..(1 + directions)] : functions[..(each * directions)]));
        var operands = new List<string> { g.Weight("x", 4, 2, 5), g.Weight("w", directions, gates * size, 5),
            g.Weight("r", directions, gates * size, size), special == "without bias" ? "" : g.Weight("b", directions, 2 * gates * size),
            special == "lengths" ? g.Initializer(GraphBuilder.Tensor("lengths", DataType.Int32, [2], [3, 0, 0, 0, 4, 0, 0, 0])) : "",
            g.Weight("h", directions, 2, size) };
        if (op == "LSTM") operands.Add(g.Weight("c", directions, 2, size));
        if (special == "peepholes") operands.Add(g.Weight("p", directions, 3 * size));
        var y = g.Nodes(op, op == "LSTM" ? 3 : 2, [.. operands], [.. attributes]);
        foreach (string result in special == "states only" ? y[1..] : y) g.Output(result);
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Attentions()
    {
        foreach (string mask in (string[])["", "booleans", "of samples", "of heads", "of keys", "of all"])
            foreach (string form in (string[])["", "causal", "cache", "grouped", "grouped cache", "softcap"])
                yield return ($"Attention {form} {mask}", 24, g => Attention(g, form, mask));
        foreach (int mode in (int[])[1, 2, 3])
            yield return ($"Attention whose scores are read {mode}", 24, g =>
            {
                string[] parts = [g.Weight("q", 2, 2, 4, 3), g.Weight("k", 2, 2, 4, 3), g.Weight("v", 2, 2, 4, 5)];
                var y = g.Nodes("Attention", 4, parts, ("qk_matmul_output_mode", mode));
                g.Output(y[0]).Output(y[3]);
            }
            );
    }

    private static void Attention(GraphBuilder g, string form, string mask)
    {
        bool isGrouped = form.StartsWith("grouped", StringComparison.Ordinal), isCached = form.EndsWith("cache", StringComparison.Ordinal);
        int heads = isGrouped ? 4 : 2, keys = 4 + (isCached ? 3 : 0);
        string shown = mask switch
        {
            "" => "",
            "booleans" => g.Initializer(GraphBuilder.Tensor("mask", DataType.Bool, [4, keys],
                [.. Enumerable.Range(0, 4 * keys).Select(k => (byte)(k % 3 == 2 ? 0 : 1))])),
            "of samples" => g.Weight("mask", 2, 1, 4, keys),
            "of heads" => g.Weight("mask", heads, 4, keys),
            "of keys" => g.Weight("mask", 1, 1, 4, keys),
            _ => g.Weight("mask", 2, heads, 4, keys),
        };
        var operands = new List<string> { g.Weight("q", 2, heads, 4, 3), g.Weight("k", 2, 2, 4, 3), g.Weight("v", 2, 2, 4, 5), shown };
        if (isCached) operands.AddRange([g.Weight("past.k", 2, 2, 3, 3), g.Weight("past.v", 2, 2, 3, 5)]);
        var y = g.Nodes("Attention", isCached ? 3 : 1, [.. operands], form == "causal" ? [("is_causal", 1)]
            : form == "softcap" ? [("softcap", 2f)] : []);
        foreach (string result in y) g.Output(result);
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Losses()
    {
        foreach (string op in (string[])["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
            foreach (string reduction in (string[])["none", "mean", "sum"])
                foreach (string form in (string[])["", "weights", "ignored", "positions"])
                    yield return ($"{op} {reduction} {form}", 13, g =>
                    {
                        bool isWide = form == "positions";
                        string x = isWide ? g.Weight("x", 3, 4, 2) : g.Weight("x", 3, 4);
                        string target = isWide ? g.Longs("at", [1, 3, 0, 2, 2, 1], [3, 2]) : g.Longs(1, form == "ignored" ? -1 : 3, 0);
                        string[] operands = form is "" or "ignored" ? [x, target] : [x, target, g.Fixed([0.5f, 2, 0.3f, 1.5f], 4)];
                        var attributes = new List<(string, object)> { ("reduction", reduction) };
                        if (form == "ignored") attributes.Add(("ignore_index", -1));
                        var y = g.Nodes(op, op[0] == 'S' ? 2 : 1, operands, [.. attributes]);
                        foreach (string result in y) g.Output(result);
                    }
                    );
    }

    private static IEnumerable<(string, int, Action<GraphBuilder>)> Others()
    {
        yield return ("LpNormalization 1", 22, g => g.Output(g.Node("LpNormalization", g.Weight("x", 3, 4), ("p", 1), ("axis", 0))));
        yield return ("MeanVarianceNormalization", 13, g => g.Output(g.Node("MeanVarianceNormalization", Image(g),
            ("axes", new[] { -1, 0 }))));
        yield return ("Compress flat", 11, g => g.Output(g.Node("Compress", [g.Weight("x", 3, 4),
            g.Initializer(GraphBuilder.Tensor("which", DataType.Bool, [6], [1, 0, 0, 1, 0, 1]))])));
    }
}
