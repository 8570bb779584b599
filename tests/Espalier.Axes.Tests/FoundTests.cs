using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Limits;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.TestKit.Adversaries.SmallModels;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>What changed models have shown, each as the smallest model of its kind.</summary>
public sealed class FoundTests
{
    private static OnnxModel Reopened(OnnxModel model, Action<ModelProto> change)
    {
        using (model)
        {
            var proto = ModelProto.Parser.ParseFrom(model.ToBytes());
            change(proto);
            return OnnxModel.Parse(proto.ToByteArray());
        }
    }

    /// <summary>
    /// A node that nothing reads stays, and so does what it reads, when pruning has no other use for that any
    /// more.
    /// </summary>
    [Fact]
    public void What_an_unused_node_reads_stays_with_it()
    {
        var g = new GraphBuilder(5);
        var x = g.Linear(g.Input("x", 2, 3, 6), "a", 6, 12);
        var size = g.Node("Gather", [g.Node("Shape", x), g.Longs("last", 2)]);
        g.Node("Neg", size);
        // The number stays what the dense model has: it is restated, and what computed it is needed no more.
        g.Output(g.Linear(g.Mul(x, g.Cast(size, DataType.Float)), "b", 12, 4));
        RuleCheck.On(g).Group("a.weight", 1, 12, null, ("b.weight", 0)).IsExact();
    }

    /// <summary>
    /// Sizes in bodies are restated by initializers, which before IR version 4 a body cannot have.
    /// </summary>
    [Fact]
    public void Before_IR_version_4_what_surgery_adds_to_a_body_is_a_node()
    {
        var g = new GraphBuilder(5, 12);
        var x = g.Linear(g.Input("x", 2, 3, 6), "a", 6, 12);
        GraphProto Branch(string name) => Body("", name, Node("Constant", "", name + "_shape", Tensor("value", Longs("", 6, 12))),
            Node("Reshape", $"{x} {name}_shape", name));
        var y = g.Node("If", [g.Initializer(GraphBuilder.Tensor("c", DataType.Bool, [], [1]))], ("then_branch", Branch("t")),
            ("else_branch", Branch("e")));
        g.Output(g.Linear(y, "b", 12, 4));
        using var model = Reopened(g.Build(), m => m.IrVersion = 3);
        Assert.NotEqual(0, SlimOracle.Check(model).Effect);
    }

    [Fact]
    public void Results_of_bodies_may_be_of_no_stated_type()
    {
        using var model = Reopened(OnnxModel.Parse(Branches().ToByteArray()), m =>
        {
            foreach (var graph in m.Graph.WithSubgraphs().Skip(1)) graph.Output[0].Type = null;
        });
        Assert.NotEmpty(AxisAnalysis.Run(model).Nodes);
    }

    /// <summary>
    /// The nodes of a file's own graph may be in any order: the groups are the same, and so is what is left.
    /// </summary>
    [Theory]
    [InlineData("mha_attn_mask_tiled")]
    [InlineData("cohere_parallel_residual_ln")]
    [InlineData("reflectionpad_resnet_generator_op11")]
    public void Nodes_in_any_order_are_the_same_model(string name)
    {
        using var sorted = OnnxModel.Open(Assets.Path($"cases/structures/{name}.onnx"));
        string Groups(OnnxModel model) => string.Join('\n', AxisAnalysis.Run(model).Groups
            .Select(g =>
                $"{g.Kind} {g.Size} {g.Exactness} {string.Join(' ', g.Occurrences.Select(o => $"{o.Tensor}:{o.Axis}").Order())}").Order());
        for (int seed = 0; seed < 5; seed++)
        {
            var proto = ModelProto.Parser.ParseFrom(sorted.ToBytes());
            var nodes = proto.Graph.Node.ToArray();
            new Random(seed).Shuffle(nodes);
            proto.Graph.Node.Clear();
            proto.Graph.Node.AddRange(nodes);
            using var shuffled = OnnxModel.Parse(proto.ToByteArray());
            Assert.Equal(Groups(sorted), Groups(shuffled));
            Assert.NotEqual(0, SlimOracle.Check(shuffled).Effect);
        }
    }

    /// <summary>
    /// Two branches may call two weights of different rank by one name; the chain of reasons finds one of them.
    /// </summary>
    [Fact]
    public void One_name_of_two_weights_of_different_rank_has_a_chain_or_none()
    {
        using var model = Reopened(OnnxModel.Parse(Branches().ToByteArray()), m =>
        {
            long[][] shapes = [[8], [8, 8]];
            foreach (var (graph, dims) in m.Graph.WithSubgraphs().Skip(1).Zip(shapes))
            {
                graph.Node.Insert(0, Node("Constant", "", "same", Tensor("value", Weight("", dims))));
                graph.Node.Add(Node("Add", $"{graph.Output[0].Name} same", "sum"));
                graph.Output[0].Name = "sum";
            }
        });
        var analysis = AxisAnalysis.Run(model);
        var axes = analysis.Frozen.Where(f => f.Tensor == "same").ToList();
        Assert.Contains(axes, f => f.Axis == 1);
        foreach (var (tensor, axis, _) in axes) analysis.ChainOf(tensor, axis);
    }

    /// <summary>
    /// 30 functions of a few bytes each, of which every one calls the next twice, would be 2³⁰ nodes.
    /// </summary>
    [Fact]
    public void Functions_that_double_are_refused_before_they_are_gigabytes()
    {
        var model = Dense();
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        for (int k = 0; k < 30; k++)
        {
            string next = k < 29 ? $"own:F{k + 1}" : "Relu";
            model.Functions.Add(new FunctionProto
            {
                Name = $"F{k}",
                Domain = "own",
                Input = { "i" },
                Output = { "o" },
                OpsetImport = { model.OpsetImport },
                Node = { Node(next, "i", "m"), Node(next, "m", "o") }
            });
        }
        model.Graph.Node.Add(Node("own:F0", "y", "z"));
        using var opened = OnnxModel.Parse(model.ToByteArray());
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("more than 30000 nodes", Assert.Throws<OnnxFormatException>(() => AxisAnalysis.Run(opened)).Message,
            StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 300L << 20);
    }

    /// <summary>What a node of a function is given is known where it is called.</summary>
    [Fact]
    public void A_function_that_is_called_with_a_weight_of_the_wrong_rank_is_refused()
    {
        var model = Dense();
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        model.Functions.Add(new FunctionProto
        {
            Name = "F",
            Domain = "own",
            Input = { "i", "w" },
            Output = { "o" },
            OpsetImport =
            { model.OpsetImport },
            Node = { Node("Conv", "i w", "o") }
        });
        model.Graph.Node.Add(Node("own:F", "y w1", "z"));
        using var opened = OnnxModel.Parse(model.ToByteArray());
        Assert.Contains("of rank 2", Assert.Throws<OnnxFormatException>(() => AxisAnalysis.Run(opened)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type", "of a type that is not known")]
    [InlineData("axis", "more positions than can be told apart")]
    public void Weights_of_which_no_part_can_be_taken_stay(string form, string reason)
    {
        var model = Dense();
        model.Graph.Initializer[2] = form == "type" ? new TensorProto
        {
            Name = "w2",
            DataType = 77,
            Dims = { 16, 4 },
            RawData =
            ByteString.CopyFrom(new byte[64])
        }
            : new TensorProto { Name = "w2", DataType = (int)DataType.Float, Dims = { 16, 0, 1L << 40 } };
        if (form == "axis") model.Graph.Node[^1] = Node("MatMul", "s w2", "y");
        using var opened = OnnxModel.Parse(model.ToByteArray());
        Assert.Contains(AxisAnalysis.Run(opened).Frozen, f => f.Tensor == "w2" && f.Reason.Contains(reason, StringComparison.Ordinal));
    }

    [Fact]
    public void An_axis_of_no_positions_can_be_reshaped()
    {
        var g = new GraphBuilder(5, 14);
        g.Output(g.Node("Reshape", [g.Initializer(GraphBuilder.Tensor("w", DataType.Float, [0, 3, 4], [])),
            g.Longs("to", 3, 4, 0)], ("allowzero", 1)));
        using var model = g.Build();
        SlimOracle.Check(model);
    }

    [Fact]
    public void A_size_below_zero_is_none_and_no_axes_are_no_change()
    {
        var g = new GraphBuilder(5);
        var shape = g.Node("Unsqueeze", [g.Node("Unsqueeze", [g.Longs("size", [-3], []), g.Longs("none", [], [0])]), g.Longs("first", 0)]);
        var made = g.Node("ConstantOfShape", shape);
        g.Output(g.Node("Slice", [made, g.Longs("from", 1), g.Longs("to", 2), g.Longs("axes", 0)]));
        using var model = g.Build();
        Assert.DoesNotContain(AxisAnalysis.Run(model).Groups, group => group.Exactness == Exactness.Exact);
    }

    [Theory]
    [InlineData("blocks", "its blocks have no elements")]
    [InlineData("scale", "a mean of integers")]
    public void Blocks_of_no_elements_and_scales_of_integers_stay(string form, string reason)
    {
        var g = new GraphBuilder(5, form == "scale" ? 23 : 21);
        var x = g.Linear(g.Input("x", 2, 6), "a", 6, 12);
        g.Output(form == "scale" ? g.Linear(g.Node("RMSNormalization", [x, g.Longs("s", new long[12], [12])]), "b", 12, 4)
            : g.Node("com.microsoft::GatherBlockQuantized", [g.Weight("w", 16, 32), g.Longs("i", 0, 1), g.Weight("s", 16, 2)],
                ("block_size", 0)));
        using var model = g.Build();
        string all = SlimOracle.Describe(AxisAnalysis.Run(model)) + string.Join('\n', AxisAnalysis.Run(model).Frozen);
        Assert.Contains(reason, all, StringComparison.Ordinal);
    }

    /// <summary>
    /// What is left of a mean is multiplied by a number, and the product of operator set 6 does not repeat
    /// it.
    /// </summary>
    [Theory]
    [InlineData(6, false)]
    [InlineData(7, true)]
    public void A_mean_is_exact_from_operator_set_7_on(int opset, bool exact)
    {
        var g = new GraphBuilder(5, opset);
        g.Output(g.Node("ReduceMean", g.Weight("w", 3, 8), ("axes", new long[] { 1 }), ("keepdims", 0)));
        using var model = g.Build();
        Assert.Equal(exact ? Exactness.Exact : Exactness.Inexact, AxisAnalysis.Run(model).Groups.Single(k => k.Size == 8).Exactness);
    }

    [Theory]
    [InlineData("Clip", 1)]
    [InlineData("Clip", 2)]
    public void A_bound_without_a_number_keeps_no_zeros(string op, int operand)
    {
        var g = new GraphBuilder(5);
        string[] inputs = [g.Linear(g.Input("x", 2, 6), "a", 6, 12), "", ""];
        inputs[operand] = g.Floats("bound", [], 0);
        g.Output(g.Linear(g.Node(op, inputs), "b", 12, 4));
        using var model = g.Build();
        Assert.NotEmpty(AxisAnalysis.Run(model).Groups);
    }

    [Fact]
    public void Truth_values_are_no_sizes()
    {
        var g = new GraphBuilder(5);
        var x = g.Linear(g.Input("x", 2, 6), "a", 6, 12);
        var shape = g.Node("Equal", [g.Node("Shape", x), g.Longs("two", 2, 2)]);
        g.Output(g.Node("Reshape", [x, shape]));
        using var model = g.Build();
        Assert.Contains(AxisAnalysis.Run(model).Frozen,
            f => f is { Tensor: "a.weight", Axis: 1 } && f.Reason.Contains("holds no integers", StringComparison.Ordinal));
    }
}
