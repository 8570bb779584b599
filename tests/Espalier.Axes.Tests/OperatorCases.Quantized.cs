using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Operators that compute on integers: QLinear*, *Integer and dynamic quantisation.
internal static partial class OperatorCases
{
    /// <summary>Scale and zero point of an activation.</summary>
    private readonly record struct Coded(float Scale, long Zero);

    private static readonly Coded Pixels = new(1 / 128f, 100), Middle = new(1 / 32f, 120), Other = new(1 / 24f, 117),
        Sum = new(1 / 16f, 110), Mean = new(1 / 64f, 128), Unit = new(1 / 256f, 0);

    private static string Zero(GraphBuilder g, long value, DataType type = DataType.Uint8) => g.Integers(g.Fresh("zero"), type, [value]);

    /// <summary>The two operands that say how a tensor is coded.</summary>
    private static string[] Code(GraphBuilder g, Coded code) => [g.Scalar(g.Fresh("scale"), code.Scale), Zero(g, code.Zero)];

    private static string Quantize(GraphBuilder g, string x, Coded to, string domain = "")
        => g.Node(domain + "QuantizeLinear", [x, .. Code(g, to)]);

    private static string Dequantize(GraphBuilder g, string x, Coded of, string domain = "")
        => g.Node(domain + "DequantizeLinear", [x, .. Code(g, of)]);

    private static string IntegerWeight(GraphBuilder g, string name, DataType type, bool zeros, params long[] dims)
        => g.RandomIntegers($"{name}.weight", type, 60, type == DataType.Uint8 ? 125 : zeros ? 3 : 0, dims);

    /// <summary>Zero points of a weight: <c>name.zero</c>, one for all or one per output.</summary>
    private static string Zeros(GraphBuilder g, string name, DataType type, bool perOutput, bool zeros, int n)
    {
        long centre = type == DataType.Uint8 ? 125 : 0;
        return perOutput
            ? g.Integers($"{name}.zero", type, [.. Enumerable.Range(0, n).Select(k => centre + (zeros ? k % 5 : 0))], n)
            : g.Integers($"{name}.zero", type, [centre + (zeros ? 3 : 0)]);
    }

    private static string Scales(GraphBuilder g, string name, bool perOutput, int n)
        => perOutput ? g.Scales($"{name}.scale", 1 / 256f, n) : g.Scalar($"{name}.scale", 1 / 256f);

    private static string QLinearConv(GraphBuilder g, string x, Coded of, string name, int inputs, int outputs, Coded to,
        bool perChannel = true, bool zeros = false, DataType type = DataType.Int8, int k = 3, int group = 1, int? channelsLast = null)
    {
        int p = k / 2;
        (string, object)[] form = channelsLast is { } last ? [("channels_last", last)] : [];
        return g.Node(channelsLast is null ? "QLinearConv" : Ms + "QLinearConv",
            [x, .. Code(g, of), IntegerWeight(g, name, type, zeros, outputs, inputs / group, k, k), Scales(g, name, perChannel, outputs),
                Zeros(g, name, type, perChannel, zeros, outputs),
                .. Code(g, to), g.RandomIntegers($"{name}.bias", DataType.Int32, 3000, 0, outputs)],
            [("kernel_shape", new[] { k, k }), ("pads", new[] { p, p, p, p }), ("group", group), .. form]);
    }

    private static string QLinearMatMul(GraphBuilder g, string x, Coded of, string name, int inputs, int outputs, Coded to,
        bool perColumn = false)
        => g.Node("QLinearMatMul",
            [x, .. Code(g, of), IntegerWeight(g, name, DataType.Int8, true, inputs, outputs), Scales(g, name, perColumn, outputs),
                Zeros(g, name, DataType.Int8, perColumn, true, outputs), .. Code(g, to)]);

    /// <summary>The activation's range is taken while it runs: a product in integers, then scaled.</summary>
    private static string Dynamic(GraphBuilder g, string x, string name, int inputs, int outputs, DataType type, bool perColumn)
    {
        var q = g.Nodes("DynamicQuantizeLinear", 3, [x]);
        var y = g.Cast(g.Node("MatMulInteger",
            [q[0], IntegerWeight(g, name, type, true, inputs, outputs), q[2], Zeros(g, name, type, perColumn, true, outputs)]),
            DataType.Float);
        return g.Add(g.Mul(y, g.Mul(q[1], Scales(g, name, perColumn, outputs))), g.Weight($"{name}.bias", outputs));
    }

    private static string PixelInput(GraphBuilder g) => Quantize(g, g.Input("x", "batch", 3, 8, 8), Pixels);

    private static void QuantizedConvolutions(List<OperatorCase> cases)
    {
        foreach (var (perChannel, zeros, type) in ((bool, bool, DataType)[])[(false, false, DataType.Int8), (true, false, DataType.Int8),
            (true, true, DataType.Int8), (false, true, DataType.Uint8)])
            cases.Of("QLinearConv", 17, g =>
            {
                string Conv(string x, Coded of, string name, int inputs, int outputs, Coded to, int k = 3, int group = 1)
                    => QLinearConv(g, x, of, name, inputs, outputs, to, perChannel, zeros, type, k, group);
                var y = Conv(PixelInput(g), Pixels, "stem", 3, 8, Middle);
                var z = Conv(y, Middle, "expand", 8, 12, Other, k: 1);
                z = g.Node(Ms + "QLinearLeakyRelu", [z, .. Code(g, Other), .. Code(g, Middle)], ("alpha", 0.125f));
                z = Conv(Conv(z, Middle, "depth", 12, 12, Middle, group: 12), Middle, "project", 12, 8, Other, k: 1);
                y = g.Node(Ms + "QLinearAdd", [y, .. Code(g, Middle), z, .. Code(g, Other), .. Code(g, Sum)]);
                var pooled = g.Node(Ms + "QLinearAveragePool", [y, .. Code(g, Sum), .. Code(g, Middle)], ("kernel_shape", new[] { 2, 2 }),
                    ("strides", new[] { 2, 2 }));
                var side = Conv(g.Node("MaxPool", y, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 })), Sum,
                    "side", 8, 6, Other);
                var both = g.Node(Ms + "QLinearConcat",
                    [.. Code(g, new(1 / 20f, 90)), pooled, .. Code(g, Middle), side, .. Code(g, Other)], ("axis", 1));
                both = g.Node(Ms + "QLinearGlobalAveragePool", [both, .. Code(g, new(1 / 20f, 90)), .. Code(g, Mean)]);
                g.Output(Dequantize(g, QLinearMatMul(g, g.Reshape(both, 0, 14), Mean, "head", 14, 5, Middle), Middle));
            }, $"{type}{(perChannel ? " per channel" : "")}{(zeros ? " with zero points" : "")} in a residual network")
                .Kind(Axis.Channels, "stem.weight", 0, 8, ("stem.bias", 0), ("expand.weight", 1), ("project.weight", 0),
                    ("side.weight", 1), ("head.weight", 0))
                .Kind(Axis.Channels, "expand.weight", 0, 12, ("depth.weight", 0), ("depth.bias", 0), ("project.weight", 1))
                .Kind(Axis.Channels, "side.weight", 0, 6, ("head.weight", 0));
        // ONNX Runtime's own form, with the channels in the second or in the last place; its layout transformer writes the latter.
        foreach (int last in (int[])[0, 1])
            foreach (int group in (int[])[1, 12])
            {
                var added = cases.Of(Ms + "QLinearConv", 17, g =>
                {
                    var x = last == 1 ? g.Transpose(PixelInput(g), 0, 2, 3, 1) : PixelInput(g);
                    var y = QLinearConv(g, x, Pixels, "a", 3, 12, Middle, zeros: last == 0, channelsLast: last);
                    y = QLinearConv(g, y, Middle, "b", 12, 12, Other, zeros: last == 0, group: group, channelsLast: last);
                    g.Output(Dequantize(g, QLinearConv(g, y, Other, "c", 12, 4, Middle, k: 1, channelsLast: last), Middle));
                    // Removed units must be zero, and nothing is left to hide that they are not.
                    g.Output(g.Sum(Dequantize(g, y, Other), last == 1 ? 3 : 1));
                }, $"channels_last {last} group {group}");
                if (group == 1)
                    added.Kind(Axis.Channels, "a.weight", 0, 12, ("a.scale", 0), ("a.zero", 0), ("a.bias", 0), ("b.weight", 1))
                        .Kind(Axis.Channels, "b.weight", 0, 12, ("b.bias", 0), ("c.weight", 1));
                else added.Kind(Axis.Channels, "a.weight", 0, 12, ("a.bias", 0), ("b.weight", 0), ("b.scale", 0), ("b.bias", 0),
                    ("c.weight", 1));
            }
        foreach (int last in (int[])[0, 1])
            foreach (bool global in (bool[])[false, true])
                cases.Of(Ms + (global ? "QLinearGlobalAveragePool" : "QLinearAveragePool"), 17, g =>
                {
                    var y = QLinearConv(g, PixelInput(g), Pixels, "a", 3, 8, Middle);
                    if (last == 1) y = g.Transpose(y, 0, 2, 3, 1);
                    string[] operands = [y, .. Code(g, Middle), .. Code(g, Other)];
                    y = global ? g.Node(Ms + "QLinearGlobalAveragePool", operands, ("channels_last", last))
                        : g.Node(Ms + "QLinearAveragePool", operands, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }),
                            ("pads", new[] { 1, 0, 1, 0 }), ("channels_last", last));
                    if (last == 1) y = g.Transpose(y, 0, 3, 1, 2);
                    g.Output(Dequantize(g, QLinearConv(g, y, Other, "b", 8, 5, Middle, k: 1), Middle));
                    g.Output(g.Sum(Dequantize(g, y, Other), 1));
                }, $"channels_last {last}").Kind(Axis.Channels, "a.weight", 0, 8, ("a.scale", 0), ("a.bias", 0), ("b.weight", 1));
        cases.Of(Ms + "QLinearMul", 17, g =>
        {
            var y = QLinearConv(g, PixelInput(g), Pixels, "a", 3, 8, Middle);
            var gate = g.Node(Ms + "QLinearGlobalAveragePool", [y, .. Code(g, Middle), .. Code(g, new(1 / 128f, 128))]);
            gate = QLinearConv(g, gate, new(1 / 128f, 128), "gate", 8, 8, Other, k: 1);
            gate = g.Node(Ms + "QLinearSigmoid", [gate, .. Code(g, Other), .. Code(g, Unit)]);
            y = g.Node(Ms + "QLinearMul", [y, .. Code(g, Middle), gate, .. Code(g, Unit), .. Code(g, Other)]);
            g.Output(Dequantize(g, QLinearConv(g, y, Other, "b", 8, 4, Middle), Middle));
        }, "as gate of channels").Kind(Axis.Channels, "a.weight", 0, 8, ("gate.weight", 0), ("gate.weight", 1), ("b.weight", 1));
        foreach (int group in (int[])[1, 12])
        {
            var added = cases.Of("ConvInteger", 17, g =>
            {
                var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 3, 8, 8)]);
                var y = g.Cast(g.Node("ConvInteger", [q[0], IntegerWeight(g, "a", DataType.Uint8, true, 12, 3, 3, 3), q[2], Zero(g, 123)]),
                    DataType.Float);
                q = g.Nodes("DynamicQuantizeLinear", 3, [g.Relu(g.Mul(y, g.Mul(q[1], g.Scalar("sa", 1 / 256f))))]);
                y = g.Node("ConvInteger", [q[0], IntegerWeight(g, "b", DataType.Uint8, true, 12, 12 / group, 3, 3), q[2], Zero(g, 122)],
                    ("group", group));
                y = g.Mul(g.Cast(y, DataType.Float), g.Mul(q[1], g.Scalar("sb", 1 / 256f)));
                g.Output(g.Conv(y, "c", 12, 4));
            }, $"group {group}");
            if (group == 1)
                added.Kind(Axis.Channels, "a.weight", 0, 12, ("b.weight", 1))
                    .Kind(Axis.Channels, "b.weight", 0, 12, ("c.weight", 1));
            else added.Kind(Axis.Channels, "a.weight", 0, 12, ("b.weight", 0), ("c.weight", 1));
        }
    }

    private static void QuantizedProducts(List<OperatorCase> cases)
    {
        foreach (bool perColumn in (bool[])[false, true])
            foreach (bool vector in (bool[])[false, true])
            {
                var added = cases.Of("QLinearMatMul", 21, g =>
                {
                    var x = Quantize(g, vector ? g.Input("x", 6) : g.Input("x", "batch", 6), Middle);
                    var y = QLinearMatMul(g, x, Middle, "a", 6, 10, Other, perColumn);
                    g.Output(Dequantize(g, QLinearMatMul(g, y, Other, "b", 10, 4, Middle, perColumn), Middle));
                    g.Output(g.Sum(Dequantize(g, y, Other), -1));
                }, (vector ? "of a vector" : "of rows") + (perColumn ? " per column" : ""));
                if (perColumn) added.Kind(Axis.Neurons, "a.weight", 1, 10, ("a.scale", 0), ("a.zero", 0), ("b.weight", 0));
                else added.Kind(Axis.Neurons, "a.weight", 1, 10, ("b.weight", 0));
            }
        foreach (var (type, perColumn) in ((DataType, bool)[])[(DataType.Int8, false), (DataType.Int8, true), (DataType.Uint8, true)])
            foreach (bool vector in (bool[])[false, true])
                cases.Of("MatMulInteger", 17, g =>
                {
                    var x = vector ? g.Input("x", 6) : g.Input("x", "batch", 5, 6);
                    g.Output(Dynamic(g, g.Relu(Dynamic(g, x, "up", 6, 16, type, perColumn)), "down", 16, 6, type, perColumn));
                }, $"{type}{(perColumn ? " per column" : "")} of {(vector ? "a vector" : "rows")}").Kind(Axis.Neurons, "up.weight", 1,
                16, ("up.bias", 0), ("down.weight", 0));
        cases.Of("DynamicQuantizeLinear", 17, g =>
        {
            var y = g.Sigmoid(Dynamic(g, g.Input("x", "batch", 6), "up", 6, 16, DataType.Int8, false));
            g.Output(Dynamic(g, y, "down", 16, 6, DataType.Int8, false));
        }, "of units that are not zero, which its range counts").Inexact("up.weight", 1, 16, "DynamicQuantizeLinear");
        cases.Of("MatMulInteger", 17, g =>
        {
            var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 6)]);
            g.RandomIntegers("w", DataType.Uint8, 60, 120, 6, 10);
            string Product(long zero) => g.Mul(g.Cast(g.Node("MatMulInteger", [q[0], "w", q[2], Zero(g, zero)]), DataType.Float), q[1]);
            g.Output(g.Linear(g.Relu(g.Add(Product(120), Product(90))), "b", 10, 4));
        }, "of one weight with two zero points").Inexact("w", 1, 10, "zero point");
        cases.Of(Ms + "DynamicQuantizeMatMul", 17, g =>
        {
            string w = IntegerWeight(g, "b", DataType.Int8, true, Surroundings.Width, 8);
            string[] operands = [g.Sigmoid(g.Rows()), w, Scales(g, "b", false, 8), Zeros(g, "b", DataType.Int8, false, true, 8)];
            g.Output(g.Node(Ms + "DynamicQuantizeMatMul", operands));
        }, "of units that are not zero, which its range counts").Inexact("a.weight", 1, Surroundings.Width, "DynamicQuantizeMatMul");
        foreach (bool perColumn in (bool[])[false, true])
            cases.Of(Ms + "MatMulIntegerToFloat", 17, g =>
            {
                var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 6)]);
                var y = g.Node(Ms + "MatMulIntegerToFloat",
                    [q[0], IntegerWeight(g, "a", DataType.Int8, true, 6, 10), q[1], Scales(g, "a", perColumn, 10), q[2],
                        Zeros(g, "a", DataType.Int8, perColumn, true, 10), g.Weight("a.bias", 10)]);
                y = g.Node(Ms + "DynamicQuantizeMatMul",
                    [g.Relu(y), IntegerWeight(g, "b", DataType.Int8, true, 10, 8), Scales(g, "b", perColumn, 8),
                        Zeros(g, "b", DataType.Int8, perColumn, true, 8), g.Weight("b.bias", 8)]);
                g.Output(g.Linear(g.Relu(y), "c", 8, 4));
            }, $"and DynamicQuantizeMatMul{(perColumn ? " per column" : "")}")
                .Kind(Axis.Neurons, "a.weight", 1, 10, ("a.bias", 0), ("b.weight", 0))
                .Kind(Axis.Neurons, "b.weight", 1, 8, ("b.bias", 0), ("c.weight", 0));
        // Their results are floats: a mean over them is divided anew, and one of integers would not be.
        cases.Of(Ms + "MatMulIntegerToFloat", 17, g =>
        {
            var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 6)]);
            var y = g.Node(Ms + "MatMulIntegerToFloat",
                [q[0], IntegerWeight(g, "a", DataType.Int8, true, 6, 10), q[1], Scales(g, "a", false, 10), q[2],
                    Zeros(g, "a", DataType.Int8, false, true, 10)]);
            g.EndRows(g.Mul(y, g.Node("ReduceMean", y, ("axes", new[] { 1 }))), zero: true, width: 10);
        }, "under a mean").Kind(Axis.Neurons, "a.weight", 1, 10, ("b.weight", 0));
        cases.Of(Ms + "QGemm", 17, g =>
        {
            string[] operands = [Quantize(g, g.Input("x", "batch", 6), Middle), .. Code(g, Middle),
                IntegerWeight(g, "a", DataType.Int8, true, 6, 10), Scales(g, "a", true, 10), Zeros(g, "a", DataType.Int8, true, true, 10)];
            var y = g.Node(Ms + "QGemm", operands);
            g.EndRows(g.Mul(y, g.Node("ReduceMean", y, ("axes", new[] { 1 }))), zero: true, width: 10);
        }, "under a mean").Kind(Axis.Neurons, "a.weight", 1, 10, ("a.scale", 0), ("b.weight", 0));
        cases.Of(Ms + "MatMulInteger16", 21, g =>
        {
            string Layer(string x, string name, int k, int n)
            {
                var q = g.Node("QuantizeLinear", [x, g.Scalar(g.Fresh("s"), 1 / 64f), Zero(g, 0, DataType.Int16)]);
                return g.Mul(g.Cast(g.Node(Ms + "MatMulInteger16", [q, g.RandomIntegers(name, DataType.Int16, 300, 0, k, n)]),
                    DataType.Float), g.Scalar(g.Fresh("s"), 1 / 8192f));
            }
            g.Output(Layer(g.Relu(Layer(g.Input("x", "batch", 6), "a", 6, 10)), "b", 10, 4));
        }).Kind(Axis.Neurons, "a", 1, 10, ("b", 0));
        foreach (var (transA, transB) in ((int, int)[])[(0, 0), (0, 1), (1, 0), (1, 1)])
            cases.Of(Ms + "QGemm", 17, g =>
            {
                var x = Quantize(g, transA == 1 ? g.Input("x", 6, "batch") : g.Input("x", "batch", 6), Middle);
                string Layer(string x, Coded of, string name, int inputs, int outputs, Coded? to, int turned) => g.Node(Ms + "QGemm",
                    [x, .. Code(g, of), transB == 1
                        ? IntegerWeight(g, name, DataType.Int8, true, outputs, inputs)
                        : IntegerWeight(g, name, DataType.Int8, true, inputs, outputs),
                        Scales(g, name, true, outputs), Zeros(g, name, DataType.Int8, true, true, outputs),
                        g.RandomIntegers($"{name}.bias", DataType.Int32, 2000, 0, outputs),
                        .. to is { } code ? Code(g, code) : []],
                    ("transA", turned), ("transB", transB), ("alpha", 1f));
                var y = Layer(x, Middle, "a", 6, 10, Other, transA);
                g.Output(g.Sum(Dequantize(g, y, Other), 1));
                // Where the left operand is turned, the units that the first layer loses are rows of it.
                if (transA == 1) y = g.Transpose(y, 1, 0);
                g.Output(Layer(y, Other, "b", 10, 4, null, transA));
            }, $"transA {transA} transB {transB}").Kind(Axis.Neurons, "a.weight", transB == 1
                ? 0
                : 1, 10, ("a.scale", 0), ("a.zero", 0), ("a.bias", 0), ("b.weight", transB));
    }

    private static void QuantizedValues(List<OperatorCase> cases)
    {
        foreach (string domain in (string[])["", Ms])
            cases.Of(domain + "QuantizeLinear", 17, g =>
            {
                var y = Dequantize(g, Quantize(g, g.Rows(), Middle, domain), Middle, domain);
                g.EndRows(y, zero: true);
            }, "and DequantizeLinear").Passes();
        cases.Of(Ms + "QLinearSigmoid", 17, g =>
        {
            var y = QLinearMatMul(g, Quantize(g, g.Input("x", "batch", 6), Middle), Middle, "a", 6, 10, Other);
            y = g.Node(Ms + "QLinearSigmoid", [y, .. Code(g, Other), .. Code(g, Unit)]);
            g.Output(g.Sum(Dequantize(g, y, Unit), 1));
        }, "is not zero at zero").Inexact("a.weight", 1, 10, "ReduceSum");
        cases.Of(Ms + "QLinearAdd", 17, g =>
        {
            var x = Quantize(g, g.Input("x", "batch", 6), Middle);
            var b = g.Node(Ms + "QLinearSigmoid", [QLinearMatMul(g, x, Middle, "b", 6, 10, Other), .. Code(g, Other), .. Code(g, Unit)]);
            var a = QLinearMatMul(g, x, Middle, "a", 6, 10, Other);
            var y = g.Node(Ms + "QLinearAdd", [a, .. Code(g, Other), b, .. Code(g, Unit), .. Code(g, Sum)]);
            g.Output(g.Sum(Dequantize(g, y, Sum), 1));
        }, "of what is not zero").Inexact("a.weight", 1, 10, "ReduceSum");
        cases.Of(Ms + "QLinearWhere", 17, g =>
        {
            g.Input("mask", DataType.Bool, "batch", 1, 1);
            var x = Quantize(g, g.Input("x", "batch", 5, 6), Middle);
            var (a, b) = (QLinearMatMul(g, x, Middle, "a", 6, 10, Other), QLinearMatMul(g, x, Middle, "b", 6, 10, Middle));
            var y = g.Node(Ms + "QLinearWhere", ["mask", a, .. Code(g, Other), b, .. Code(g, Middle), .. Code(g, new(1 / 16f, 111))]);
            g.Output(Dequantize(g, QLinearMatMul(g, y, new(1 / 16f, 111), "out", 10, 4, Middle), Middle));
            g.Output(g.Sum(Dequantize(g, y, new(1 / 16f, 111)), -1));
            var s = g.Node(Ms + "QLinearSoftmax", [QLinearMatMul(g, x, Middle, "s", 6, 7, Middle), .. Code(g, Middle), .. Code(g, Unit)],
                ("axis", -1), ("opset", 13));
            g.Output(Dequantize(g, QLinearMatMul(g, s, Unit, "t", 7, 4, Middle), Middle));
        }, "beside QLinearSoftmax").Kind(Axis.Neurons, "a.weight", 1, 10, ("b.weight", 1), ("out.weight", 0)).Inexact("s.weight",
        1, 7, "exp(0)");
        cases.Of(Ms + "QLinearReduceMean", 17, g =>
        {
            var y = QLinearMatMul(g, Quantize(g, g.Input("x", "batch", 5, 6), Middle), Middle, "a", 6, 10, Other);
            y = g.Node(Ms + "QLinearReduceMean", [y, .. Code(g, Other), .. Code(g, new(1 / 64f, 122))], ("axes", new[] { 1 }),
                ("keepdims", 0));
            g.Output(Dequantize(g, QLinearMatMul(g, y, new(1 / 64f, 122), "out", 10, 4, Middle), Middle));
        }).Kind(Axis.Neurons, "a.weight", 1, 10, ("out.weight", 0)).NoKernel();
    }
}
