using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Pruning.Edits;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>The cost of a model is that of what is written.</summary>
public sealed class CostTests
{
    /// <summary>Every type with a width that a weight can have.</summary>
    public static TheoryData<DataType> Types
        => [.. Enum.GetValues<DataType>()
            .Where(t => DataTypes.Bits(t) > 0 && t is not (DataType.Bool or DataType.Complex64 or DataType.Complex128))];

    [Theory]
    [MemberData(nameof(Types))]
    public void Bytes_are_those_of_the_file(DataType type)
    {
        const int hidden = 16;
        var g = new GraphBuilder(3, opset: 25);
        string Layer(string x, string name, int inputs, int outputs)
        {
            // Any bytes will do: nothing runs here.
            g.Initializer(GraphBuilder.Tensor(name, type, [inputs, outputs], new byte[DataTypes.Bytes(type, inputs * outputs)]));
            return g.MatMul(x, g.Cast(name, DataType.Float));
        }
        g.Output(Layer(g.Relu(g.Add(Layer(g.Input("x", "batch", 8), "up", 8, hidden), g.Weight("bias", hidden))), "down", hidden, 4));
        using var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var group = Assert.Single(analysis.Groups, n => n.Exactness == Exactness.Exact && n.Occurrences.Any(o => o.Tensor == "up"));
        Assert.Equal(hidden, group.Size);
        double dense = analysis.Cost.Evaluate(CostUnit.Bytes);
        Assert.Equal(model.FileBytes, dense);

        // Eight units stay: then no byte is shared with one that went, and the sum is exact for packed types too.
        var slim = Surgery.Apply(analysis, SlimOracle.Pick(analysis, 0.5, 1, n => n == group));
        Assert.Equal(Written(model) - Written(slim.Model),
            dense - analysis.Cost.Evaluate(CostUnit.Bytes, id => id == group.Id ? 8 : analysis.Groups[id].Size));
    }

    [Fact]
    public void Strings_are_bytes_and_no_parameters()
    {
        var g = new GraphBuilder(3);
        var words = new TensorProto { Name = "words", DataType = (int)DataType.String, Dims = { 6 } };
        words.StringData.Add(Enumerable.Repeat(Google.Protobuf.ByteString.CopyFromUtf8("word"), 6));
        g.Output(g.Node("Identity", g.Initializer(words)), DataType.String, 6);
        using var model = g.Build();
        var cost = AxisAnalysis.Run(model).Cost;
        Assert.Equal((0.0, model.FileBytes), (cost.Evaluate(CostUnit.Parameters), cost.Evaluate(CostUnit.Bytes)));
    }

    private static double Written(OnnxModel model) => model.Proto.Graph.Initializer.Sum(t => model.Content(t).ByteLength);
}
