using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Pruning.Diffs;

namespace Espalier.Pruning.Tests.Diffs;

public class GraphDifferTests
{
    [Fact]
    public void A_model_does_not_differ_from_itself()
    {
        using var model = Planted.Mlp(1, 8);
        Assert.Equal("no change\n", GraphDiffer.Diff(model, model).ToString());
        using var copy = Planted.Mlp(1, 8);
        Assert.Equal("no change\n", GraphDiffer.Diff(model, copy).ToString());
    }

    [Fact]
    public void Cut_weights_attributes_and_values_are_told()
    {
        using var a = Build(8, 8, "Relu");
        using var b = Build(4, 4, "Relu");
        Assert.Equal("""
            tensors (3)
              ~ conv1.weight [8, 2, 3, 3] → [4, 2, 3, 3]
              ~ conv1.bias [8] → [4]
              ~ conv2.weight [8, 1, 3, 3] → [4, 1, 3, 3]
            changed nodes (2)
              ~ value 'shape': [0, 8, -1] → [0, 4, -1]
              ~ Conv 'conv_1': group 8 → 4

            """.ReplaceLineEndings("\n"), Text(a, b));
    }

    [Fact]
    public void Removed_and_added_nodes_are_told()
    {
        using var a = Build(8, 8, "Relu");
        using var b = Build(8, 8, "Sigmoid");
        var diff = GraphDiffer.Diff(a, b);
        Assert.Equal(["Relu 'act'"], diff.RemovedNodes);
        Assert.Equal(["Sigmoid 'act'"], diff.AddedNodes);
        Assert.Empty(diff.Tensors);
    }

    [Fact]
    public void Other_elements_of_the_same_shape_are_told()
    {
        using var a = Planted.Mlp(1, 8);
        using var b = Planted.Mlp(1, 8, (w, _) => w[3] += 1e-3f);
        Assert.Equal("tensors (1)\n  ~ fc1.weight [6, 8] other elements\n", Text(a, b));
    }

    [Fact]
    public void A_slim_model_differs_where_the_report_says()
    {
        using var dense = Planted.Mlp(1, 8);
        var (slim, report) =
            Slimmer.Run(new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5 }] }, AxisAnalysis.Run(dense));
        var diff = GraphDiffer.Diff(dense, slim);
        Assert.Equal(report.Removed.Keys.Order(), diff.Tensors.Select(t => t.Name).Order());
        Assert.Empty(diff.RemovedNodes);
        Assert.Empty(diff.AddedNodes);
    }

    private static string Text(OnnxModel a, OnnxModel b) => GraphDiffer.Diff(a, b).ToString();

    private static OnnxModel Build(int channels, long group, string activation)
    {
        var graph = new GraphProto { Name = "g" };
        graph.Input.Add(Info("x", -1, 2, 8, 8));
        graph.Output.Add(Info("y", -1, -1, -1));
        foreach (var (name, dims) in ((string, long[])[])[("conv1.weight", [channels, 2, 3, 3]), ("conv1.bias", [channels]),
            ("conv2.weight", [channels, 1, 3, 3])])
        {
            var tensor = new TensorProto { Name = name, DataType = (int)TensorProto.Types.DataType.Float };
            tensor.Dims.AddRange(dims);
            tensor.FloatData.AddRange(new float[dims.Aggregate(1L, (p, d) => p * d)]);
            graph.Initializer.Add(tensor);
        }
        graph.Initializer.Add(new TensorProto
        {
            Name = "shape",
            DataType = (int)TensorProto.Types.DataType.Int64,
            Dims = { 3 },
            Int64Data = { 0, channels, -1 }
        });
        graph.Node.Add(new NodeProto
        { OpType = "Conv", Name = "conv_0", Input = { "x", "conv1.weight", "conv1.bias" }, Output = { "c1" } });
        graph.Node.Add(new NodeProto { OpType = activation, Name = "act", Input = { "c1" }, Output = { "r1" } });
        graph.Node.Add(new NodeProto
        {
            OpType = "Conv",
            Name = "conv_1",
            Input = { "r1", "conv2.weight" },
            Output = { "c2" },
            Attribute = { new AttributeProto { Name = "group", Type = AttributeProto.Types.AttributeType.Int, I = group } },
        });
        graph.Node.Add(new NodeProto { OpType = "Reshape", Name = "reshape", Input = { "c2", "shape" }, Output = { "y" } });
        return OnnxModel.Wrap(new ModelProto
        { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } } });
    }

    private static ValueInfoProto Info(string name, params long[] dims)
    {
        var shape = new TensorShapeProto();
        foreach (long d in dims)
            shape.Dim.Add(d < 0
                ? new TensorShapeProto.Types.Dimension { DimParam = "n" }
                : new TensorShapeProto.Types.Dimension { DimValue = d });
        return new ValueInfoProto
        { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = 1, Shape = shape } } };
    }
}
