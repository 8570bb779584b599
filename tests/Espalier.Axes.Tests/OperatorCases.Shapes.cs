using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Operators that rearrange, cut, join and make tensors.
internal static partial class OperatorCases
{
    private static void Shapes(List<OperatorCase> cases)
    {
        foreach (var (op, opset) in InEveryVersion("Transpose"))
            cases.Of(op, opset, g => g.EndRows(g.Transpose(g.Transpose(g.Rows(), 1, 0), 1, 0), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("Flatten"))
            cases.Of(op, opset, g => g.EndRows(g.Node("Flatten", g.Node("GlobalAveragePool", g.Image(Width)), ("axis", 1)), zero: true))
                .Group("a.weight", 0, Width, ("b.weight", 0));
        foreach (int opset in (int[])[13, 21, 23, 24, 25])
            cases.Of("Squeeze", opset, g => g.EndRows(g.Squeeze(g.Node("GlobalAveragePool", g.Image(Width)), 2, 3), zero: true))
                .Group("a.weight", 0, Width, ("b.weight", 0));
        foreach (int opset in (int[])[7, 11])
            cases.Of("Squeeze", opset,
                g => g.EndRows(g.Node("Squeeze", g.Node("GlobalAveragePool", g.Image(Width)), ("axes", new[] { 2, 3 })), zero: true))
                    .Group("a.weight", 0, Width, ("b.weight", 0));
        foreach (int opset in (int[])[13, 21, 23, 24, 25])
            cases.Of("Unsqueeze", opset, g => g.End(g.Unsqueeze(g.Rows(Channels), 2, 3), zero: true))
                .Group("a.weight", 1, Channels, ("b.weight", 1));
        foreach (int opset in (int[])[7, 11])
            cases.Of("Unsqueeze", opset, g => g.End(g.Node("Unsqueeze", g.Rows(Channels), ("axes", new[] { 2, 3 })), zero: true))
                .Group("a.weight", 1, Channels, ("b.weight", 1));
        foreach (var (op, opset) in InEveryVersion("Concat"))
            cases.Of(op, opset, g => g.EndRows(g.Concat(1, g.Rows(5), g.Linear("x", "c", 6, 7)), zero: true))
                .Group("a.weight", 1, 5, ("b.weight", 0)).Group("c.weight", 1, 7, ("b.weight", 0));
        cases.Of("Expand", 13, g => g.EndRows(g.Node("Expand", [g.Unsqueeze(g.Rows(), 1), g.Longs(2, 5, Width)]), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("Tile"))
            cases.Of(op, opset, g => g.EndRows(g.Node("Tile", [g.Rows(6), g.Longs(1, 2)]), zero: true))
                .Group("a.weight", 1, 6, ("b.weight", 0));
        foreach (var (op, opset) in InEveryVersion("Reshape"))
            cases.Of(op, opset, g => g.EndRows(g.Reshape(g.Reshape(g.Rows(), 2, 3, 4), 0, 12), zero: true))
                .Group("a.weight", 1, 3, ("b.weight", 0)).Group("a.weight", 1, 4, ("b.weight", 0));
        cases.Of("Split", 18,
            g => g.EndRows(g.Nodes("Split", 2, [g.Rows(24)], ("axis", 1), ("num_outputs", 2)) is [var a, var b]
                ? g.Mul(a, g.Sigmoid(b))
                : "", zero: true)).Group("a.weight", 1, Width, ("b.weight", 0));
        cases.Of("Split", 18, g =>
        {
            var parts = g.Nodes("Split", 2, [g.Rows(7)], ("axis", 1), ("num_outputs", 2));
            g.EndRows(parts[0], width: 4);
            g.Output(g.Linear(parts[1], "c", 3, 3));
        }, "with a remainder").Group("a.weight", 1, 4, ("b.weight", 0)).Group("a.weight", 1, 3, ("c.weight", 0));
        cases.Of("Split", 13, g => g.EndRows(g.Split(g.Rows(24), 1, 12, 12) is [var a, var b] ? g.Mul(a, g.Sigmoid(b)) : "", zero: true))
            .Group("a.weight", 1, Width, ("b.weight", 0));
        foreach (int opset in (int[])[7, 11])
            cases.Of("Split", opset,
                g => g.EndRows(g.Nodes("Split", 2, [g.Rows(24)], ("axis", 1), ("split", new[] { 12, 12 })) is [var a, var b]
                    ? g.Mul(a, g.Sigmoid(b))
                    : "", zero: true)).Group("a.weight", 1, Width, ("b.weight", 0));
        foreach (int opset in (int[])[10, 11, 13])
            cases.Of("Slice", opset, g => g.EndRows(g.Slice(g.Rows(16), 1, 2, 14), zero: true))
                .Group("a.weight", 1, Width, ("b.weight", 0));
        foreach (int opset in (int[])[7, 9])
            cases.Of("Slice", opset,
                g => g.EndRows(g.Node("Slice", g.Rows(16), ("starts", new[] { 2 }), ("ends", new[] { 14 }), ("axes", new[] { 1 })),
                    zero: true)).Group("a.weight", 1, Width, ("b.weight", 0));
        // Bounds that count from the end move with the four units behind them, which can go too.
        foreach (int opset in (int[])[9, 13])
            cases.Of("Slice", opset, g =>
            {
                string y = g.Rows(16);
                g.Output(g.Linear(y, "c", 16, 3));
                g.EndRows(opset < 10
                    ? g.Node("Slice", y, ("starts", new[] { -9 }), ("ends", new[] { -4 }), ("axes", new[] { 1 }))
                    : g.Slice(y, 1, -9, -4), width: 5);
            }, "from the end").Group("a.weight", 1, 7, ("c.weight", 0)).Group("a.weight", 1, 5, ("b.weight", 0), ("c.weight", 0))
                .Group("a.weight", 1, 4, ("c.weight", 0));
        foreach (int opset in (int[])[11, 13, 18, 19, 21, 23, 24, 25])
            cases.Of("Pad", opset,
                g => g.EndRows(g.Add(g.Node("Pad", [g.Rows(8), g.Longs(0, 1, 0, 3)]), g.Linear("x", "c", 6, Width)), zero: true))
                    .Group("a.weight", 1, 8, ("b.weight", 0), ("c.weight", 1))
            // Zeros that are filled in are units like others.
            .Group("c.weight", 1, 3, ("b.weight", 0));
        foreach (int opset in (int[])[7, 10])
            cases.Of("Pad", opset, g => g.EndRows(g.Node("Pad", g.Rows(8), ("pads", new[] { 0, 1, 0, 3 })), zero: true))
                .Group("a.weight", 1, 8, ("b.weight", 0));
        cases.Of("Pad", 18, g => g.End(g.Node("Pad", [g.Image(), g.Longs(1, 1, 2, 2), "", g.Longs(2, 3)], ("mode", "edge"))),
            "of positions").PassesChannels();
        cases.Of("com.microsoft::Pad", 17, g => g.EndRows(g.Node("com.microsoft::Pad", [g.Rows(8), g.Longs(0, 1, 0, 3)]), zero: true))
            .Group("a.weight", 1, 8, ("b.weight", 0));
        cases.Of("com.microsoft::ExpandDims", 17,
            g => g.End(g.Node("com.microsoft::ExpandDims",
                [g.Node("com.microsoft::ExpandDims", [g.Rows(Channels), g.Ints([2])]), g.Ints([-1])]), zero: true))
            .Group("a.weight", 1, Channels, ("b.weight", 1));
        cases.Of("DepthToSpace", 13,
            g => g.End(g.Node("DepthToSpace", g.Image(4 * Channels), ("blocksize", 2), ("mode", "DCR")), zero: true), "DCR")
                .Group("a.weight", 0, Channels, ("b.weight", 1));
        cases.Of("DepthToSpace", 13,
            g => g.End(g.Node("DepthToSpace", g.Image(4 * Channels), ("blocksize", 2), ("mode", "CRD")), zero: true), "CRD")
                .Group("a.weight", 0, Channels, ("b.weight", 1));
        cases.Of("DepthToSpace", 7, g => g.End(g.Node("DepthToSpace", g.Image(4 * Channels), ("blocksize", 2)), zero: true))
            .Group("a.weight", 0, Channels, ("b.weight", 1));
        foreach (var (op, opset) in InEveryVersion("SpaceToDepth"))
            cases.Of(op, opset, g => g.End(g.Node("SpaceToDepth", g.Image(2), ("blocksize", 2)), zero: true))
                .Group("a.weight", 0, 2, ("b.weight", 1));
        foreach (var (op, opset) in ((string, int)[])[("Resize", 10), ("Resize", 11), ("Resize", 13), ("Resize", 18), ("Resize", 19),
            ("Upsample", 7), ("Upsample", 9)])
            cases.Of(op, opset, g =>
            {
                var x = g.Image();
                float[] scales = [1, 1, 2, 2];
                g.End(op == "Upsample" && opset == 7
                    ? g.Node(op, x, ("scales", scales))
                    : opset < 11 ? g.Node(op, [x, g.Floats("scales", scales, 4)])
                    : opset is 11 or 13
                        ? g.Node(op, [x, opset == 11 ? g.Floats("roi", [], 0) : "", g.Floats("scales", scales, 4)], ("mode", "linear"))
                        : g.Node(op, [x, "", "", g.Longs(7, 9)], ("axes", new[] { 2, 3 }), ("mode", "cubic")), zero: true);
            }).PassesChannels();
        cases.Of("Resize", 19,
            g => g.End(g.Node("Resize", [g.Image(), "", "", g.Longs(2, Channels, 12, 9)], ("keep_aspect_ratio_policy", "not_larger"))),
            "that keeps the ratio").Frozen("a.weight", 0, "resampled");
        cases.Of("CenterCropPad", 18, g => g.End(g.Node("CenterCropPad", [g.Image(), g.Longs(4, 9)], ("axes", new[] { 2, 3 })), zero: true))
            .PassesChannels();
        cases.Of("CenterCropPad", 18, g => g.End(g.Node("CenterCropPad", [g.Image(), g.Longs(2, Channels, 4, 9)]), zero: true), "all axes")
            .PassesChannels();
        cases.Of("CenterCropPad", 18, g => g.End(g.Node("CenterCropPad", [g.Image(10), g.Longs(2, Channels, 4, 9)])), "channels")
            .Frozen("a.weight", 0, "cropped");
        cases.Of("Constant", 25, g =>
        {
            var node = g.Node("Constant", Array.Empty<string>(),
                ("value", GraphBuilder.Tensor("", DataType.Float, [Width],
                    [.. Enumerable.Range(1, Width).SelectMany(k => BitConverter.GetBytes(0.1f * k))])));
            g.EndRows(g.Mul(g.Rows(), g.Rename(node, "constant")), zero: true);
        }).Passes().Group("a.weight", 1, Width, ("constant", 0));
        foreach (var (op, opset) in InEveryVersion("ConstantOfShape")) cases.Of(op, opset, g =>
        {
            var ones = g.Node("ConstantOfShape", g.Longs(Width),
                ("value", GraphBuilder.Tensor("", DataType.Float, [1], BitConverter.GetBytes(1.5f))));
            g.EndRows(g.Mul(g.Rows(), g.Rename(ones, "ones")), zero: true);
        }).Passes().Group("a.weight", 1, Width, ("ones", 0));
        cases.Of("Range", 11,
            g => g.EndRows(g.Mul(g.Rows(), g.Node("Range", [g.Scalar("from", 0), g.Scalar("to", Width), g.Scalar("by", 1)]))))
                .Frozen("a.weight", 1, "counted");
        cases.Of("com.microsoft::Range", 17,
            g => g.EndRows(g.Mul(g.Rows(),
                g.Node("com.microsoft::Range", [g.Scalar("from", 0), g.Scalar("to", Width), g.Scalar("by", 1)]))))
                    .Frozen("a.weight", 1, "counted");
        cases.Of("Shape", 25, g =>
        {
            var x = g.Rows();
            g.EndRows(g.Node("Reshape", [g.Unsqueeze(g.Linear("x", "c", 6, Width), 1), g.Node("Shape", x)]) is var y
                ? g.Add(x, y)
                : "", zero: true);
        }).Passes().Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of("Size", 25, g =>
        {
            var x = g.Rows();
            g.EndRows(g.Reshape(g.Node("Reshape", [x, g.Unsqueeze(g.Node("Size", x), 0)]), 2, Width), zero: true);
        }).Passes();
        cases.Of("EyeLike", 22, g => g.EndRows(g.Add(g.Rows(), g.Node("EyeLike", g.Linear("x", "c", 6, Width), ("dtype", DataType.Float)))))
            .Frozen("a.weight", 1, "EyeLike").Frozen("c.weight", 1, "EyeLike");
        foreach (string op in (string[])["Trilu", "com.microsoft::Trilu"])
            cases.Of(op, 17,
                g => g.EndRows(g.Transpose(g.Node(op,
                    g.Transpose(g.Reshape(g.Linear(g.Input("x", 2, 4, 4, 6), "a", 6, Width), 2, 4, 4, Width), 0, 3, 1, 2)), 0, 2, 3, 1),
                    zero: true)).Passes();
        foreach (string op in (string[])["RandomNormalLike", "RandomUniformLike", "Bernoulli"])
            cases.Of(op, 21,
                g => g.EndRows(g.Add(g.Rows(),
                    g.Node(op, op == "Bernoulli" ? g.Sigmoid(g.Linear("x", "c", 6, Width)) : g.Linear("x", "c", 6, Width), ("seed", 1f)))))
                        .Inexact("a.weight", 1, Width, "random").Inexact("c.weight", 1, Width, "random");
        foreach (string op in (string[])["RandomNormal", "RandomUniform"])
            cases.Of(op, 21, g => g.EndRows(g.Add(g.Rows(), g.Node(op, Array.Empty<string>(), ("shape", new[] { Width }), ("seed", 1f)))))
                .Frozen("a.weight", 1, "random");
        cases.Of("Multinomial", 21, g =>
        {
            var y = g.Node("Multinomial", g.Rows(), ("sample_size", 4), ("seed", 1f), ("dtype", DataType.Int32));
            g.Output(g.Linear(g.Cast(y, DataType.Float), "b", 4, 3));
        }).Frozen("a.weight", 1, "Multinomial");
        foreach (string op in (string[])["HannWindow", "HammingWindow", "BlackmanWindow"])
            cases.Of(op, 17, g => g.EndRows(g.Mul(g.Rows(), g.Node(op, g.Whole(Width))))).Frozen("a.weight", 1, "window");
        cases.Of("MelWeightMatrix", 17,
            g => g.EndRows(g.MatMul(g.Rows(5),
                g.Node("MelWeightMatrix", [g.Whole(Width), g.Whole(8), g.Whole(8000), g.Scalar("low", 0), g.Scalar("high", 4000)]))))
                    .Frozen("a.weight", 1, "frequencies").Frozen("b.weight", 0, "bands");
    }
}
