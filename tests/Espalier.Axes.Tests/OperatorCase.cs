using System.Globalization;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>One small graph for one rule of one operator, with what must be found in it.</summary>
internal sealed class OperatorCase(string op, int opset, string form, Action<GraphBuilder> build)
{
    private readonly List<Action<RuleCheck>> _expected = [];

    /// <summary>Name of the case: operator, operator set, form.</summary>
    public string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"{op} {opset}{(form.Length > 0 ? " " + form : "")}");

    /// <summary>The operator, with its domain in front where that is not the standard one.</summary>
    public string Operator { get; } = op;

    /// <summary>ONNX Runtime has no kernel for it on the processor, so that the case cannot run; that claim is tested.</summary>
    public bool HasNoKernel { get; private set; }

    /// <summary>The model.</summary>
    public OnnxModel Build()
    {
        var graph = new GraphBuilder(seed: 7, opset);
        build(graph);
        return graph.Build();
    }

    public void Check(RuleCheck check)
    {
        foreach (var expect in _expected) expect(check);
    }

    /// <summary>An exact group, see <see cref="RuleCheck.Group"/>.</summary>
    public OperatorCase Group(string tensor, int axis, int size, params (string Tensor, int Axis)[] with)
    {
        _expected.Add(c => c.Group(tensor, axis, size, null, with));
        return this;
    }

    /// <summary>An exact group of this kind.</summary>
    public OperatorCase Kind(Axis kind, string tensor, int axis, int size, params (string Tensor, int Axis)[] with)
    {
        _expected.Add(c => c.Group(tensor, axis, size, kind, with));
        return this;
    }

    /// <summary>An inexact group, for a reason that contains the text.</summary>
    public OperatorCase Inexact(string tensor, int axis, int size, string reason)
    {
        _expected.Add(c => c.Inexact(tensor, axis, size, reason));
        return this;
    }

    /// <summary>A frozen axis, for a reason that contains the text.</summary>
    public OperatorCase Frozen(string tensor, int axis, string reason)
    {
        _expected.Add(c => c.Frozen(tensor, axis, reason));
        return this;
    }

    /// <summary>KV groups and query heads are partners.</summary>
    public OperatorCase Partners()
    {
        _expected.Add(c => Assert.Equal(Axis.Heads, c.Analysis.Groups.Single(g => g.Kind == Axis.KeyValueGroups).Partner?.Kind));
        return this;
    }

    /// <summary>Only other processors have a kernel.</summary>
    public OperatorCase NoKernel()
    {
        HasNoKernel = true;
        return this;
    }

    public override string ToString() => Name;
}

/// <summary>What stands before and behind the operator in a case.</summary>
internal static class Surroundings
{
    public const int Channels = 8, Width = 12, Length = 5;

    /// <summary>An image through a convolution <c>a</c>: [batch, channels, 6, 6].</summary>
    public static string Image(this GraphBuilder g, int channels = Channels)
        => g.Conv(g.Input("x", 2, 3, 6, 6), "a", 3, channels, k: 1);

    /// <summary>Rows through a product <c>a</c>: [batch, width].</summary>
    public static string Rows(this GraphBuilder g, int width = Width) => g.Linear(g.Input("x", 2, 6), "a", 6, width);

    /// <summary>A sequence through a product <c>a</c>: [batch, length, width].</summary>
    public static string Tokens(this GraphBuilder g, int width = Width) => g.Linear(g.Input("x", 2, Length, 6), "a", 6, width);

    /// <summary>
    /// A convolution <c>b</c> and, where units must be zero, their sum: a removed unit that were not zero would show there.
    /// </summary>
    public static void End(this GraphBuilder g, string y, bool zero = false, int channels = Channels)
    {
        g.Output(g.Conv(y, "b", channels, 5, k: 1));
        if (zero) g.Output(g.Sum(y, 1));
    }

    /// <summary>A product <c>b</c> and, where units must be zero, their sum.</summary>
    public static void EndRows(this GraphBuilder g, string y, bool zero = false, int width = Width)
    {
        g.Output(g.Linear(y, "b", width, 4));
        if (zero) g.Output(g.Sum(y, -1));
    }

    /// <summary>ReduceSum along one axis, in the form of the graph's operator set.</summary>
    public static string Sum(this GraphBuilder g, string x, int axis)
        => g.Opset < 13
            ? g.Node("ReduceSum", x, ("axes", new[] { axis }), ("keepdims", 0))
            : g.Node("ReduceSum", [x, g.Longs(axis)], ("keepdims", 0));

    /// <summary>Cast.</summary>
    public static string Cast(this GraphBuilder g, string x, DataType type) => g.Node("Cast", x, ("to", type));

    /// <summary>An int32 constant.</summary>
    public static string Ints(this GraphBuilder g, int[] values, params long[] dims)
        => g.Initializer(GraphBuilder.Tensor(g.Fresh("ints"), DataType.Int32, dims, [.. values.SelectMany(BitConverter.GetBytes)]));

    /// <summary>An int64 scalar.</summary>
    public static string Whole(this GraphBuilder g, long value) => g.Longs(g.Fresh("whole"), [value], []);

    /// <summary>A Boolean constant.</summary>
    public static string Bools(this GraphBuilder g, bool[] values, params long[] dims)
        => g.Initializer(GraphBuilder.Tensor(g.Fresh("bools"), DataType.Bool, dims, [.. values.Select(v => v ? (byte)1 : (byte)0)]));
}
