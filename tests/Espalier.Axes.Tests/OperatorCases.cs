using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Cases for every rule: element-wise operators here, the others in the files beside.</summary>
internal static partial class OperatorCases
{
    private static readonly Lazy<IReadOnlyList<OperatorCase>> Cases = new(() =>
    {
        var cases = new List<OperatorCase>();
        Elementwise(cases);
        Products(cases);
        NeverZero(cases);
        Exceptions(cases);
        Shapes(cases);
        Positions(cases);
        Statistics(cases);
        StandardAttention(cases);
        Microsoft(cases);
        MicrosoftAttention(cases);
        QuantizedValues(cases);
        QuantizedProducts(cases);
        QuantizedConvolutions(cases);
        QuantizedFused(cases);
        QuantizedBlocks(cases);
        MachineLearning(cases);
        return cases;
    });

    /// <summary>Every case.</summary>
    public static IReadOnlyList<OperatorCase> All => Cases.Value;

    private static OperatorCase Of(this List<OperatorCase> cases, string op, int opset, Action<GraphBuilder> build, string form = "")
    {
        var added = new OperatorCase(op, opset, form, build);
        cases.Add(added);
        return added;
    }

    /// <summary>A group that goes through the operator from the product before it to the one behind.</summary>
    private static OperatorCase Passes(this OperatorCase added) => added.Group("a.weight", 1, Width, ("a.bias", 0), ("b.weight", 0));

    /// <summary>The same with convolutions.</summary>
    private static OperatorCase PassesChannels(this OperatorCase added, int channels = Channels)
        => added.Group("a.weight", 0, channels, ("a.bias", 0), ("b.weight", 1));

    private static void Elementwise(List<OperatorCase> cases)
    {
        // f(0) = 0: the sum over all units shows it.
        foreach (var (op, opset) in InEveryVersion("Abs", "Asinh", "Atan", "Ceil", "Celu", "Dropout", "Elu", "Erf", "Floor", "Gelu",
            "HardSwish", "Identity", "LeakyRelu", "Mish", "Neg", "Relu", "Round",
            "Selu", "Shrink", "Sign", "Sin", "Sinh", "Softsign", "Swish", "Tan", "Tanh", "ThresholdedRelu"))
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Rows()), zero: true)).Passes();
        foreach (string op in (string[])["Gelu", "QuickGelu", "SampleOp", "FastGelu"])
            cases.Of(Ms + op, 17, g => g.EndRows(g.Node(Ms + op, g.Rows()), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("Cos", "Cosh", "Exp", "HardSigmoid", "Sigmoid", "Softplus"))
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Rows()))).Passes();
        // Only defined between −1 and 1, or above 0.
        foreach (var (op, opset) in InEveryVersion("Asin", "Atanh"))
            cases.Of(op, opset,
                g => g.EndRows(g.Node(op, g.Node("Mul", [g.Node("Tanh", g.Rows()), g.Scalar("half", 0.5f)])), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("Acos"))
            cases.Of(op, opset, g => g.EndRows(g.Node("Acos", g.Node("Tanh", g.Rows())))).Passes();
        foreach (var (op, opset) in InEveryVersion("Sqrt"))
            cases.Of(op, opset, g => g.EndRows(g.Node("Sqrt", g.Node("Abs", g.Rows())), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("Log", "Reciprocal", "Acosh"))
        {
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Node("Add", [g.Node("Exp", g.Rows()), g.Scalar("one", 1)]))),
                "above 0").Passes();
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Node("Abs", g.Rows()))), "at 0").Inexact("a.weight", 1, Width, "infinite");
        }
        foreach (var (op, opset) in InEveryVersion("IsNaN", "IsInf"))
            cases.Of(op, opset, g =>
            {
                var x = g.Rows();
                g.EndRows(g.Add(x, g.Cast(g.Node(op, x), DataType.Float)), zero: true);
            }).Passes();
        foreach (var (op, opset) in InEveryVersion("Cast"))
            cases.Of(op, opset, g => g.EndRows(g.Cast(g.Cast(g.Rows(), DataType.Int32), DataType.Float), zero: true)).Passes();
        cases.Of("CastLike", 19, g =>
        {
            var x = g.Rows();
            // What only lends its type keeps its units.
            var y = g.Linear(g.Relu(g.Linear("x", "t", 6, 7)), "u", 7, 3);
            g.EndRows(g.Node("CastLike", [x, y]), zero: true);
            g.Output(y);
        }).Passes().Group("t.weight", 1, 7, ("u.weight", 0));
        cases.Of("CastLike", 21, g =>
        {
            var x = g.Tokens();
            g.Output(g.Linear(g.Node("ReduceMean", [g.Node("CastLike", [g.Cast(x, DataType.Int32), x]), g.Longs(2)]), "b", 1, 2));
        }, "of integers").Group("a.weight", 1, Width);
        cases.Of("Clip", 7, g => g.EndRows(g.Node("Clip", g.Rows(), ("min", -0.5f), ("max", 0.7f)), zero: true)).Passes();
        cases.Of("Clip", 13,
            g => g.EndRows(g.Node("Clip", [g.Rows(), g.Scalar("low", -0.5f), g.Scalar("high", 0.7f)]), zero: true)).Passes();
        cases.Of("Clip", 13, g => g.EndRows(g.Node("Clip", [g.Rows(), g.Scalar("low", 0.2f)]), zero: true), "above 0")
            .Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of("Dropout", 13, g =>
        {
            var y = g.Nodes("Dropout", 2, [g.Rows(), g.Scalar("ratio", 0.3f), g.Bools([false])]);
            g.EndRows(y[0], zero: true);
            g.Output(g.Linear(g.Cast(y[1], DataType.Float), "c", Width, 3));
        }, "with its mask").Passes().Group("a.weight", 1, Width, ("c.weight", 0));
        cases.Of("Dropout", 13, g => g.EndRows(g.Node("Dropout", [g.Rows(), g.Scalar("ratio", 0.3f), g.Bools([true])], ("seed", 3))),
            "in training").Inexact("a.weight", 1, Width, "random");
        cases.Of("Pow", 15, g => g.EndRows(g.Node("Pow", [g.Rows(), g.Scalar("three", 3)]), zero: true)).Passes();
        cases.Of("Pow", 7, g => g.EndRows(g.Node("Pow", [g.Node("Exp", g.Rows()), g.Weight("exponents", Width)])),
            "an exponent per unit").Passes();
        cases.Of("Pow", 15, g => g.EndRows(g.Node("Pow", [g.Node("Abs", g.Rows()), g.Scalar("minus", -1)])), "below 0")
            .Inexact("a.weight", 1, Width, "infinite");
        cases.Of("Pow", 15, g => g.EndRows(g.Node("Pow", [g.Scalar("two", 2), g.Rows()])), "of a scalar").Passes();
        foreach (var (op, opset) in InEveryVersion("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"))
            cases.Of(op, opset, g => g.EndRows(g.Node(op, [g.Rows(), g.Linear("x", "c", 6, Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of("Sum", 8, g => g.EndRows(g.Node("Sum", [g.Rows(), g.Linear("x", "c", 6, Width), g.Weight("d", Width)]), zero: true),
            "of three").Passes().Group("a.weight", 1, Width, ("d", 0));
        cases.Of("Mul", 14, g => g.EndRows(g.Mul(g.Rows(), g.Sigmoid(g.Linear("x", "c", 6, Width))), zero: true), "gate").Passes();
        foreach (var (op, opset) in InEveryVersion("Div"))
            cases.Of(op, opset,
                g => g.EndRows(g.Node("Div", [g.Rows(), g.Node("Exp", g.Linear("x", "c", 6, Width))]), zero: true)).Passes();
        cases.Of("Div", 7, g => g.EndRows(g.Node("Div", [g.Rows(), g.Positive("c", Width)]), zero: true), "by a weight").Passes()
            .Group("a.weight", 1, Width, ("c", 0));
        cases.Of("Div", 7, g => g.EndRows(g.Node("Div", [g.Rows(), g.Node("Abs", g.Linear("x", "c", 6, Width))])), "by zero")
            .Inexact("a.weight", 1, Width, "infinite");
        foreach (var (op, opset) in InEveryVersion("Mod"))
            cases.Of(op, opset, g => g.EndRows(g.Node("Mod", [g.Rows(), g.Scalar("c", 0.7f)], ("fmod", 1)), zero: true)).Passes();
        foreach (var (op, opset) in InEveryVersion("PRelu"))
            cases.Of(op, opset, g => g.EndRows(g.Node("PRelu", [g.Rows(), g.Weight("slope", Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("slope", 0));
        cases.Of("PRelu", 7, g => g.End(g.Node("PRelu", [g.Image(), g.Weight("slope", Channels, 1, 1)]), zero: true), "of channels")
            .PassesChannels().Group("a.weight", 0, Channels, ("slope", 0));
        foreach (var (op, zero) in new (string, bool)[] { ("And", true), ("Or", true), ("Xor", true) })
            cases.Of(op, 7,
                g => g.EndRows(g.Cast(g.Node(op,
                    [g.Cast(g.Relu(g.Rows()), DataType.Bool), g.Cast(g.Relu(g.Linear("x", "c", 6, Width)), DataType.Bool)]),
                    DataType.Float), zero)).Passes();
        foreach (string op in (string[])["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
            cases.Of(op, 18,
                g => g.EndRows(g.Cast(g.Node(op, [Large(g, g.Rows()), Large(g, g.Linear("x", "c", 6, Width))]), DataType.Float),
                    zero: true)).Passes();
        cases.Of("BitwiseNot", 18, g => g.EndRows(g.Cast(g.Node("BitwiseNot", Large(g, g.Rows())), DataType.Float))).Passes();
        cases.Of("BitShift", 11,
            g => g.EndRows(g.Cast(g.Node("BitShift", [g.Cast(g.Mul(g.Relu(g.Rows()), g.Scalar("ten", 10)), DataType.Uint32),
            g.Initializer(GraphBuilder.Tensor("two", DataType.Uint32, [], BitConverter.GetBytes(2u)))], ("direction", "LEFT")),
            DataType.Float), zero: true)).Passes();
        cases.Of("BitCast", 26, g => g.EndRows(g.Cast(g.Node("BitCast", g.Rows(), ("to", DataType.Int32)), DataType.Float))).Passes();
        cases.Of("Not", 7, g => g.EndRows(g.Cast(g.Node("Not", g.Cast(g.Relu(g.Rows()), DataType.Bool)), DataType.Float))).Passes();
        foreach (var (op, opset) in InEveryVersion("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"))
            cases.Of(op, opset, g =>
            {
                var (x, y) = (g.Node("Floor", g.Rows()), g.Node("Floor", g.Linear("x", "c", 6, Width)));
                // Operator set 7 compares integers only for equality.
                string[] compared = op == "Equal" ? [g.Cast(x, DataType.Int32), g.Cast(y, DataType.Int32)] : [x, y];
                g.EndRows(g.Add(g.Node("Relu", x), g.Cast(g.Node(op, compared), DataType.Float)));
            }).Passes();
        foreach (var (op, opset) in InEveryVersion("Where")) cases.Of(op, opset, g => g.EndRows(Chosen(g), zero: true))
            .Group("a.weight", 1, Width, ("c.weight", 1), ("d.weight", 1), ("b.weight", 0));
        cases.Of("Where", 16, g =>
        {
            var choice = g.Node("Greater", [g.Linear(g.Input("x", 2, 6), "d", 6, Width), g.Scalar("zero", 0)]);
            g.EndRows(g.Node("Where", [choice, g.Linear("x", "a", 6, Width), g.Sigmoid(g.Linear("x", "c", 6, Width))]), zero: true);
        }, "of what is not zero").Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of("com.microsoft::MurmurHash3", 17, g =>
        {
            var x = g.Rows();
            g.EndRows(g.Add(x,
                g.Node("Mul",
                    [g.Cast(g.Node("com.microsoft::MurmurHash3", Large(g, x), ("positive", 0)), DataType.Float),
                        g.Scalar("small", 1e-9f)])));
        }).Passes();
    }

    private static IEnumerable<(string, int)> InEveryVersion(params string[] operators)
        => from op in operators from version in OperatorListTests.Versions(op) select (op, version);

    private static string Large(GraphBuilder g, string x) => g.Cast(g.Mul(x, g.Scalar(g.Fresh("ten"), 10)), DataType.Int32);

    private static string Chosen(GraphBuilder g)
    {
        var x = g.Rows();
        return g.Node("Where", [g.Node("Greater", [g.Linear("x", "d", 6, Width), g.Scalar("zero", 0)]), x, g.Linear("x", "c", 6, Width)]);
    }
}
