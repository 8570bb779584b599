using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Operators that index, sample, order or transform positions, and statistics.
internal static partial class OperatorCases
{
    private static void Positions(List<OperatorCase> cases)
    {
        foreach (var (op, opset) in InEveryVersion("AveragePool", "MaxPool", "LpPool"))
            cases.Of(op, opset,
                g => g.End(g.Node(op, g.Image(), ("kernel_shape", new[] { 3, 3 }), ("strides", new[] { 2, 2 }),
                    ("pads", new[] { 1, 1, 1, 1 })), zero: true)).PassesChannels();
        foreach (var (op, opset) in InEveryVersion("GlobalAveragePool", "GlobalMaxPool").Append(("GlobalLpPool", 21)))
            cases.Of(op, opset, g => g.End(g.Node(op, g.Image()), zero: true)).PassesChannels();
        cases.Of("MaxPool", 12, g =>
        {
            var y = g.Nodes("MaxPool", 2, [g.Image()], ("kernel_shape", new[] { 2, 2 }));
            g.End(y[0]);
            g.Output(g.Rename(y[1], "where"), DataType.Int64);
        }, "with indices").Frozen("a.weight", 0, "positions become data");
        foreach (bool shape in (bool[])[false, true])
            cases.Of("MaxUnpool", 21, g =>
            {
                var where = g.Longs("where", [.. Enumerable.Range(0, 2 * Channels * 9).Select(k => (long)k * 4)], [2, Channels, 3, 3]);
                var y = g.Conv(g.Input("x", 2, 3, 3, 3), "a", 3, Channels, k: 1);
                string[] operands = shape ? [y, where, g.Longs(2, Channels, 7, 7)] : [y, where];
                g.End(g.Node("MaxUnpool", operands, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 })));
            }, shape ? "with a shape" : "").Frozen("a.weight", 0, "MaxUnpool");
        var boxes = new float[] { 0, 0, 4, 4, 1, 1, 5, 3, 0.5f, 0, 5, 5 };
        foreach (int opset in (int[])[10, 16])
            cases.Of("RoiAlign", opset,
                g => g.End(g.Node("RoiAlign", [g.Image(), g.Floats("rois", boxes, 3, 4), g.Longs(0, 1, 1)], ("output_height", 2),
                    ("output_width", 3)), zero: true)).PassesChannels();
        cases.Of("MaxRoiPool", 21,
            g => g.End(g.Node("MaxRoiPool", [g.Image(), g.Floats("rois", [0, 0, 0, 4, 4, 1, 1, 1, 5, 3], 2, 5)],
                ("pooled_shape", new[] { 2, 2 })), zero: true)).PassesChannels();
        foreach (string op in (string[])["GridSample", "com.microsoft::GridSample"])
            cases.Of(op, op[0] == 'G'
                ? 20
                : 17, g => g.End(g.Node(op, [g.Image(), g.Node("Tanh", g.Weight("grid", 2, 4, 5, 2))]), zero: true)).PassesChannels();
        cases.Of("GridSample", 16,
            g => g.End(g.Node("GridSample", [g.Image(), g.Node("Tanh", g.Weight("grid", 2, 4, 5, 2))], ("mode", "bicubic"),
                ("padding_mode", "border")), zero: true)).PassesChannels();
        cases.Of("AffineGrid", 20, g =>
        {
            var x = g.Image();
            var theta = g.Node("AffineGrid",
                [g.Reshape(g.Linear(g.Node("GlobalAveragePool", x) is var p ? g.Reshape(p, 0, -1) : "", "t", Channels, 6), -1, 2, 3),
                    g.Longs(2, Channels, 4, 5)]);
            g.End(g.Node("GridSample", [x, theta]));
        }).Group("a.weight", 0, Channels, ("t.weight", 0), ("b.weight", 1)).Frozen("t.weight", 1, "coordinates");
        cases.Of("com.microsoft::CropAndResize", 17,
            g => g.End(g.Node("com.microsoft::CropAndResize",
                [g.Image(), g.Floats("rois", [0, 0, 0.5f, 0.8f, 0.1f, 0.2f, 1, 1], 2, 4), g.Ints([0, 1], 2), g.Ints([3, 4], 2)]),
                zero: true)).PassesChannels();
        cases.Of("com.microsoft::NhwcMaxPool", 17, g =>
        {
            var x = g.Cast(g.Relu(g.Mul(g.Transpose(g.Image(), 0, 2, 3, 1), g.Scalar("scale", 30))), DataType.Uint8);
            g.End(g.Transpose(g.Cast(g.Node("com.microsoft::NhwcMaxPool", x, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 })),
                DataType.Float), 0, 3, 1, 2), zero: true);
        }).PassesChannels();
        cases.Of("com.microsoft::UnfoldTensor", 17,
            g => g.EndRows(g.Transpose(g.Node("com.microsoft::UnfoldTensor", g.Tokens(), ("dim", 1), ("size", 3), ("step", 2)), 0, 1, 3, 2),
                zero: true)).Passes();

        // indices
        foreach (var (op, opset) in InEveryVersion("Gather"))
            cases.Of(op, opset,
                g => g.EndRows(g.Node("Gather", [g.Tokens(), g.Longs("at", [3, 0, 0], [3])], ("axis", 1)), zero: true)).Passes();
        cases.Of("Gather", 7, g => g.EndRows(g.Node("Gather", [g.Tokens(), g.Longs("at", [3], [])], ("axis", 1)), zero: true),
            "one").Passes();
        cases.Of("Gather", 13, g => g.End(g.Node("Gather", [g.Image(), g.Longs(0, 4, 1, 5, 2, 6, 3, 7)], ("axis", 1)), zero: true),
            "shuffle").Group("a.weight", 0, 2, ("b.weight", 1)).Group("a.weight", 0, 4, ("b.weight", 1));
        cases.Of("Gather", 13,
            g => g.EndRows(g.Node("Gather", [g.Rows(100), g.Longs("at", [.. Enumerable.Range(0, 100).Select(k => (k + 70L) % 100)])],
                ("axis", 1)), zero: true, width: 100), "roll")
            .Group("a.weight", 1, 70, ("b.weight", 0)).Group("a.weight", 1, 30, ("b.weight", 0));
        cases.Of("Gather", 13,
            g => g.EndRows(g.Node("Gather", [g.Rows(), g.Ints([8, 9, 10, -1, 0, 1, 2, 3], 8)], ("axis", 1)), zero: true, width: 8), "parts")
                .Group("a.weight", 1, 4, ("b.weight", 0));
        cases.Of("Gather", 13,
            g => g.EndRows(g.Node("Gather", [g.Rows(), g.Longs(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)], ("axis", 1)), zero: true),
            "in order").Passes();
        cases.Of("Gather", 13, g => g.EndRows(g.Node("Gather", [g.Rows(), g.Longs(7, 3, 11, 0, 5, 1)], ("axis", 1)), width: 6), "no order")
            .Frozen("a.weight", 1, "one by one");
        cases.Of("GatherElements", 13, g =>
        {
            var index = g.Longs("index", [.. Enumerable.Range(0, 2 * 3 * Width).Select(k => (long)((k * 7) % Length))], [2, 3, Width]);
            g.EndRows(g.Node("GatherElements", [g.Tokens(), index], ("axis", 1)), zero: true);
        }).Passes().Group("a.weight", 1, Width, ("index", 2));
        cases.Of("GatherElements", 11, g =>
        {
            var index = g.Longs("index", [.. Enumerable.Range(0, 2 * 3 * 5).Select(k => (long)((k * 7) % Length))], [2, 3, 5]);
            g.EndRows(g.Node("GatherElements", [g.Tokens(), index], ("axis", 1)), width: 5);
        }, "of a beginning").Frozen("a.weight", 1, "only its beginning");
        foreach (var (op, opset, batch) in ((string, int, int)[])[("GatherND", 13, 1), ("GatherND", 12, 1), ("GatherND", 11, 0),
            ("com.microsoft::GatherND", 17, 0)])
            cases.Of(op, opset,
                g => g.EndRows(batch == 1
                    ? g.Node(op, [g.Tokens(), g.Longs("at", [0, 3, 2, 4], [2, 2, 1])], ("batch_dims", 1))
                    : g.Node(op, [g.Tokens(), g.Longs("at", [0, 3, 1, 2], [2, 2])]), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("ScatterElements").Append(("Scatter", 9)))
            cases.Of(op, opset, g =>
            {
                var x = g.Tokens();
                var index = g.Longs("index", [.. Enumerable.Range(0, 2 * 2 * Width).Select(k => (long)(k / Width % 2 * 3))], [2, 2, Width]);
                g.EndRows(g.Node(op, [x, index, g.Linear(g.Slice7(x), "c", Width, Width)], ("axis", 1)), zero: true);
            }).Group("c.weight", 1, Width, ("a.weight", 1), ("index", 2), ("b.weight", 0));
        cases.Of("ScatterND", 18,
            g => g.EndRows(g.Node("ScatterND",
                [g.Tokens(), g.Longs("at", [0, 3, 1, 2], [2, 2]), g.Linear(g.Input("z", 2, 6), "c", 6, Width)], ("reduction", "add")),
                zero: true)).Passes().Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of("TensorScatter", 24,
            g => g.EndRows(g.Node("TensorScatter", [g.Tokens(), g.Linear(g.Input("z", 2, 2, 6), "c", 6, Width), g.Longs(1, 3)],
                ("axis", 1)), zero: true)).Passes().Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of("OneHot", 11, g =>
        {
            var index = g.Node("ArgMax", g.Linear(g.Relu(g.Tokens()), "c", Width, 9), ("axis", 2), ("keepdims", 0));
            g.EndRows(g.Node("OneHot", [index, g.Whole(9), g.Floats("values", [0, 1], 2)]), width: 9);
        }).Group("a.weight", 1, Width, ("c.weight", 0)).Frozen("b.weight", 0, "values of the indices");
        cases.Of("Compress", 11,
            g => g.EndRows(g.Node("Compress", [g.Tokens(), g.Bools([true, false, true, false, true], 5)], ("axis", 1)),
                zero: true)).Passes();
        cases.Of("Compress", 9, g => g.Output(g.Node("Compress", [g.Rows(), g.Bools([true, false, true], 3)])), "flat")
            .Frozen("a.weight", 1, "chosen by data");
        cases.Of("NonZero", 13, g => g.Output(g.Node("NonZero", g.Rows()), DataType.Int64)).Frozen("a.weight", 1, "positions become data");
        cases.Of("Unique", 11, g => g.Output(g.Node("Unique", g.Node("Round", g.Rows())))).Frozen("a.weight", 1, "compared");
        cases.Of("Unique", 11, g => g.Output(g.Node("Unique", g.Node("Round", g.Rows()), ("axis", 0))), "along an axis")
            .Frozen("a.weight", 1, "compared");
        cases.Of("com.microsoft::Unique", 17, g =>
        {
            var y = g.Nodes("com.microsoft::Unique", 3, [g.Reshape(g.Node("Round", g.Rows()), -1)]);
            g.Output(y[0]).Output(y[1], DataType.Int64).Output(y[2], DataType.Int64);
        }).Frozen("a.weight", 1, "Unique");
        cases.Of("ReverseSequence", 10,
            g => g.EndRows(g.Node("ReverseSequence", [g.Tokens(), g.Longs(2, 5)], ("batch_axis", 0), ("time_axis", 1)),
                zero: true)).Passes();
        cases.Of("CumSum", 14, g => g.EndRows(g.Node("CumSum", [g.Tokens(), g.Whole(1)], ("exclusive", 1)), zero: true)).Passes();
        cases.Of("CumProd", 26, g => g.EndRows(g.Node("CumProd", [g.Tokens(), g.Whole(1)]), zero: true)).Passes();
        cases.Of("CumProd", 26, g => g.EndRows(g.Node("CumProd", [g.Tokens(), g.Whole(1)], ("exclusive", 1))), "exclusive").Passes();
        cases.Of("TopK", 11, g => g.EndRows(g.Nodes("TopK", 2, [g.Tokens(), g.Longs(3)], ("axis", 1))[0])).Passes();
        cases.Of("TopK", 7, g => g.EndRows(g.Nodes("TopK", 2, [g.Tokens()], ("axis", 1), ("k", 3))[0])).Passes();
        foreach (string op in (string[])["ArgMax", "ArgMin"])
            foreach (int opset in OperatorListTests.Versions(op))
                cases.Of(op, opset, g => g.Output(g.Node(op, g.Linear(g.Relu(g.Tokens()), "c", Width, 9), ("axis", 2)), DataType.Int64))
                    .Group("a.weight", 1, Width, ("c.weight", 0)).Frozen("c.weight", 1, op);
        cases.Of("NonMaxSuppression", 11, g =>
        {
            var x = g.Input("x", 1, 6, 6);
            var corners = g.Linear(g.Relu(g.Linear(x, "a", 6, Width)), "b", Width, 4);
            var scores = g.Transpose(g.Linear(x, "c", 6, 3), 0, 2, 1);
            g.Output(g.Node("NonMaxSuppression", [corners, scores, g.Longs(2), g.Floats("iou", [0.5f], 1)]), DataType.Int64);
        }).Passes().Frozen("b.weight", 1, "NonMaxSuppression").Frozen("c.weight", 1, "NonMaxSuppression");

        // transforms
        cases.Of("DFT", 17,
            g => g.EndRows(g.Transpose(g.Node("DFT", g.Unsqueeze(g.Tokens(), 3), ("axis", 1)), 0, 1, 3, 2), zero: true)).Passes();
        cases.Of("DFT", 20,
            g => g.EndRows(g.Transpose(g.Node("DFT", [g.Unsqueeze(g.Transpose(g.Tokens(), 0, 2, 1), 3), "", g.Whole(-2)], ("onesided", 1)),
                0, 2, 3, 1), zero: true)).Passes();
        cases.Of("STFT", 17, g =>
        {
            var x = g.Transpose(g.Linear(g.Input("x", 16, 6), "a", 6, Width), 1, 0);
            var y = g.Node("STFT", [g.Unsqueeze(x, 2), g.Whole(4), g.Positive("window", 8)]);
            g.EndRows(g.Transpose(y, 1, 2, 3, 0), zero: true);
        }).Passes();
        cases.Of("Col2Im", 18, g =>
        {
            var x = g.Transpose(g.Linear(g.Input("x", 2, 4, 6), "a", 6, Channels * 4), 0, 2, 1);
            g.End(g.Node("Col2Im", [x, g.Longs(4, 4), g.Longs(2, 2)], ("strides", new[] { 2, 2 })), zero: true);
        }).Group("a.weight", 1, Channels, ("b.weight", 1));
        cases.Of("Det", 22,
            g => g.EndRows(g.Node("Det", g.Transpose(g.Linear(g.Input("x", 2, 3, 3, 6), "a", 6, Width), 0, 3, 1, 2)), zero: true)).Passes();
        cases.Of("com.microsoft::Inverse", 17,
            g => g.EndRows(g.Transpose(g.Node("com.microsoft::Inverse",
                g.Transpose(g.Linear(g.Input("x", 2, 3, 3, 6), "a", 6, Width), 0, 3, 1, 2)), 0, 2, 3, 1))).Inexact("a.weight", 1,
                Width, "infinite");
    }

    // Two positions of the sequence, in a form that every operator set has.
    private static string Slice7(this GraphBuilder g, string x)
        => g.Opset < 10 ? g.Node("Slice", x, ("starts", new[] { 1 }), ("ends", new[] { 3 }), ("axes", new[] { 1 })) : g.Slice(x, 1, 1, 3);

    private static void Statistics(List<OperatorCase> cases)
    {
        cases.Of("BatchNormalization", 15, g => g.End(g.BatchNorm(g.Image(), "bn", Channels), zero: true)).PassesChannels()
            .Group("a.weight", 0, Channels, ("bn.scale", 0), ("bn.shift", 0), ("bn.mean", 0), ("bn.var", 0));
        cases.Of("BatchNormalization", 7, g => g.End(g.Node("BatchNormalization",
            [g.Image(), g.Positive("s", Channels, 6, 6), g.Weight("t", Channels, 6, 6), g.Weight("m", Channels, 6, 6),
                g.Positive("v", Channels, 6, 6)], ("spatial", 0)), zero: true), "not spatial").PassesChannels().Group("a.weight", 0,
                Channels, ("s", 0), ("v", 0));
        foreach (int opset in (int[])[9, 14])
            cases.Of("BatchNormalization", opset, g => g.End(g.BatchNorm(g.Image(), "bn", Channels), zero: true)).PassesChannels();
        foreach (var (op, opset) in InEveryVersion("InstanceNormalization"))
            cases.Of(op, opset,
                g => g.End(g.Node("InstanceNormalization", [g.Image(), g.Positive("s", Channels), g.Weight("t", Channels)]), zero: true))
                    .PassesChannels().Group("a.weight", 0, Channels, ("s", 0), ("t", 0));
        cases.Of("GroupNormalization", 21,
            g => g.End(g.Node("GroupNormalization", [g.Image(), g.Positive("s", Channels), g.Weight("t", Channels)],
                ("num_groups", 4)), zero: true))
            .Group("a.weight", 0, 4, ("s", 0), ("b.weight", 1)).Inexact("a.weight", 0, 2, "statistic");
        cases.Of("GroupNormalization", 18,
            g => g.End(g.Node("GroupNormalization", [g.Image(), g.Positive("s", 4), g.Weight("t", 4)], ("num_groups", 4)), zero: true))
            .Group("a.weight", 0, 4, ("s", 0), ("b.weight", 1)).Inexact("a.weight", 0, 2, "statistic");
        foreach (var (op, opset) in InEveryVersion("LRN"))
            cases.Of(op, opset, g => g.End(g.Node("LRN", g.Image(), ("size", 3)))).Inexact("a.weight", 0, Channels, "statistic");
        cases.Of("LayerNormalization", 17, g => g.EndRows(g.Linear(g.Relu(g.LayerNorm(g.Rows(), "n", Width)), "c", Width, Width)))
            .Inexact("a.weight", 1, Width, "statistic").Group("c.weight", 1, Width, ("b.weight", 0));
        cases.Of("RMSNormalization", 23,
            g => g.EndRows(g.Node("RMSNormalization", [g.Rows(), g.Positive("n", Width)], ("axis", -1)), zero: true)).Passes();
        cases.Of("SimplifiedLayerNormalization", 17,
            g => g.EndRows(g.Node("SimplifiedLayerNormalization", [g.Rows(), g.Positive("n", Width)], ("axis", -1)), zero: true)).Passes();
        cases.Of("MeanVarianceNormalization", 13, g => g.End(g.Node("MeanVarianceNormalization", g.Image())))
            .Inexact("a.weight", 0, Channels, "infinite");
        cases.Of("MeanVarianceNormalization", 13, g => g.End(g.Node("MeanVarianceNormalization", g.Image(), ("axes", new[] { 1, 2, 3 }))),
            "over channels").Inexact("a.weight", 0, Channels, "statistic");
        cases.Of("LpNormalization", 22, g => g.EndRows(g.Node("LpNormalization", g.Rows(), ("axis", 1), ("p", 2)), zero: true)).Passes();
        cases.Of("LpNormalization", 22, g => g.EndRows(g.Node("LpNormalization", g.Tokens(), ("axis", 1), ("p", 2)), zero: true),
            "of other axes").Passes();
        cases.Of("ReduceLogSum", 18, g => g.EndRows(g.Node("ReduceLogSum", [g.Node("Abs", g.Tokens()), g.Longs(1)], ("keepdims", 0))),
            "of zeros").Inexact("a.weight", 1, Width, "infinite");
        cases.Of("LpNormalization", 7, g => g.EndRows(g.Node("LpNormalization", g.Tokens(), ("axis", 1), ("p", 1)), zero: true),
            "of other axes").Passes();
        foreach (var (op, opset) in InEveryVersion("Softmax", "LogSoftmax", "Hardmax"))
        {
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Rows(), ("axis", 1)))).Inexact("a.weight", 1, Width, "normalised");
            if (opset == 13) cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Tokens(), ("axis", 1))), "of other axes").Passes();
        }
        cases.Of("Softmax", 7, g => g.EndRows(g.Node("Softmax", g.Tokens(), ("axis", 1))), "coerced")
            .Inexact("a.weight", 1, Width, "normalised");
        cases.Of("com.microsoft::BiasSoftmax", 17,
            g => g.EndRows(g.Node("com.microsoft::BiasSoftmax", [g.Tokens(), g.Weight("mask", 1, Length, Width)], ("axis", 2),
                ("is_inner_broadcast", 0)))).Inexact("a.weight", 1, Width, "normalised").NoKernel();
        foreach (string op in (string[])["ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceMean"])
        {
            cases.Of(op, 18, g => g.EndRows(g.Node(op, [g.Tokens(), g.Longs(1)], ("keepdims", 0)), zero: true)).Passes();
            foreach (int opset in (int[])[7, 11])
                cases.Of(op, opset, g => g.Output(g.Linear(g.Node(op, g.Tokens(), ("axes", new[] { 2 })), "c", 1, 2)), "over units")
                    .Group("a.weight", 1, Width);
        }
        foreach (string op in (string[])["ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum", "ReduceLogSumExp"])
        {
            cases.Of(op, 20,
                g => g.EndRows(
                    g.Node(op, [op == "ReduceLogSum" ? g.Node("Exp", g.Tokens()) : g.Tokens(), g.Longs(1)], ("keepdims", 0)))).Passes();
            foreach (int opset in (int[])[7, 11])
                cases.Of(op, opset, g => g.Output(g.Linear(g.Node(op, g.Tokens(), ("axes", new[] { 2 })), "c", 1, 2)), "over units")
                    .Inexact("a.weight", 1, Width, "statistic");
        }
        foreach (string op in (string[])["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
            foreach (string reduction in (string[])["none", "mean"])
                cases.Of(op, 13, g =>
                {
                    var scores = g.Linear(g.Relu(g.Rows()), "b", Width, 4);
                    if (op[0] == 'N') scores = g.Node("LogSoftmax", scores, ("axis", 1));
                    g.Output(g.Node(op, [scores, g.Longs(1, 3)], ("reduction", reduction)));
                }, reduction).Passes().Frozen("b.weight", 1, op);
    }
}
