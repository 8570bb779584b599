using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Sublayers and blocks. x + f(x) without f is what the dense model computes when the last layer of f is zero: a check that
/// shares nothing with bypassing.
/// </summary>
public sealed class BlockTests
{
    private static GraphBuilder Transformer()
    {
        const int width = 24, heads = 4, dim = 6;
        var g = new GraphBuilder(23);
        var x = g.Input("x", "batch", "sequence", width);
        x = g.Linear(x, "in", width, width);
        for (int layer = 0; layer < 2; layer++)
        {
            var n = g.LayerNorm(x, $"l{layer}.ln1", width);
            string Project(string name) => g.SplitHeads(g.Linear(n, $"l{layer}.{name}", width, width), heads, dim);
            x = g.Add(x,
                g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), width), $"l{layer}.o", width, width));
            x = g.Add(x,
                g.Linear(g.Relu(g.Linear(g.LayerNorm(x, $"l{layer}.ln2", width), $"l{layer}.up", width, 40)), $"l{layer}.down", 40, width));
        }
        g.Output(g.Linear(g.LayerNorm(x, "ln", width), "head", width, 5));
        return g;
    }

    /// <summary>The dense model with the named layers' weights and biases all zero.</summary>
    private static OnnxModel Silenced(OnnxModel dense, params string[] layers)
    {
        var removed = new Dictionary<string, IReadOnlyDictionary<int, int[]>>();
        foreach (var tensor in dense.Proto.Graph.Initializer.Where(t =>
            layers.Any(l => t.Name.StartsWith(l + ".", StringComparison.Ordinal))))
            removed[tensor.Name] = new Dictionary<int, int[]> { [0] = [.. Enumerable.Range(0, (int)tensor.Dims[0])] };
        Assert.Equal(2 * layers.Length, removed.Count);
        return MaskedModel.Build(dense, removed);
    }

    private static void Same(OnnxModel expected, OnnxModel actual)
    {
        var inputs = SeededInputs.For(expected, 3);
        var (error, worst) = SlimOracle.Difference(Ort.Run(expected, inputs), Ort.Run(actual, inputs, strict: true));
        foreach (var value in inputs.Values) value.Dispose();
        Assert.True(error <= SlimOracle.Tolerance, $"{worst} differs by {error}");
    }

    [Fact]
    public void Every_sublayer_of_a_transformer_can_be_bypassed()
    {
        using var dense = Transformer().Build();
        var analysis = AxisAnalysis.Run(dense);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        string[] last = ["l0.o", "l0.down", "l1.o", "l1.down"];
        Assert.Equal(last.Length, sublayers.Count);
        for (int i = 0; i < last.Length; i++)
        {
            using var silenced = Silenced(dense, last[i]);
            var slim = Surgery.Apply(analysis, new Selection(Selection.Everything.Kept, [sublayers[i].Id]));
            Same(silenced, slim.Model);
            Assert.DoesNotContain(slim.Model.Proto.Graph.Initializer, t => t.Name == last[i] + ".weight");
        }
    }

    [Fact]
    public void Whole_blocks_and_neighbouring_sublayers_go_together()
    {
        using var dense = Transformer().Build();
        var analysis = AxisAnalysis.Run(dense);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        using (var silenced = Silenced(dense, "l0.down", "l1.o"))
            Same(silenced, Surgery.Apply(analysis, new Selection(Selection.Everything.Kept, [sublayers[1].Id, sublayers[2].Id])).Model);
        var block = analysis.Blocks.First(b => !b.IsSublayer && b.Sublayers.Contains(sublayers[2].Id));
        Assert.Equal(new List<int> { sublayers[2].Id, sublayers[3].Id }, block.Sublayers.ToList());
        using (var silenced = Silenced(dense, "l1.o", "l1.down"))
            Same(silenced, Surgery.Apply(analysis, new Selection(Selection.Everything.Kept, [block.Id])).Model);
    }

    [Fact]
    public void Units_and_a_sublayer_at_once()
    {
        using var dense = Transformer().Build();
        var analysis = AxisAnalysis.Run(dense);
        var picked = SlimOracle.Pick(analysis, 0.5, 4);
        var sublayer = analysis.Blocks.First(b => b.IsSublayer);
        var result = SlimOracle.Check(analysis, picked with { RemovedBlocks = [sublayer.Id] });
        Assert.True(result.Effect > 1e-3);
        Assert.DoesNotContain(result.Slim.Model.Proto.Graph.Initializer, t => t.Name == "l0.o.weight");
    }

    [Fact]
    public void A_residual_block_of_convolutions()
    {
        var g = new GraphBuilder(23);
        var x = g.Relu(g.Conv(g.Input("x", "batch", 3, 8, 8), "stem", 3, 12));
        x = g.Add(x, g.Conv(g.Relu(g.Conv(x, "a1", 12, 8)), "a2", 8, 12));
        x = g.Add(g.Conv(g.Relu(g.Conv(x, "b1", 12, 8)), "b2", 8, 12), x);
        g.Output(g.Gemm(g.Flatten(g.GlobalPool(x)), "fc", 12, 5), "batch", 5);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        Assert.Equal(2, sublayers.Count);
        foreach (var (sublayer, last) in sublayers.Zip((string[])["a2", "b2"]))
        {
            using var silenced = Silenced(dense, last);
            Same(silenced, Surgery.Apply(analysis, new Selection(Selection.Everything.Kept, [sublayer.Id])).Model);
        }
    }

    private const int Width = 12;

    private static string Mlp(GraphBuilder g, string x, string name)
        => g.Linear(g.Relu(g.Linear(x, name + ".up", Width, 20)), name + ".down", 20, Width);

    private static List<Block> Sublayers(AxisAnalysis analysis) => [.. analysis.Blocks.Where(b => b.IsSublayer)];

    private static IEnumerable<string> Readers(AxisAnalysis analysis, Block block, string weight)
        => block.Nodes.Select(n => analysis.Nodes[n].Proto).Where(n => n.Input.Contains(weight)).Select(n => n.OpType);

    /// <summary>
    /// A sum of another shape is no part of the sum around it: each is a residual by itself, and one that would change the shape
    /// is none.
    /// </summary>
    [Fact]
    public void Sums_of_one_shape_are_sums_of_their_own()
    {
        var g = new GraphBuilder(7);
        string u = g.Linear(g.Input("u", "b", 1, Width), "in", Width, Width), y = g.Input("y", "b", "s", Width);
        g.Output(g.Linear(g.Add(g.Add(u, Mlp(g, u, "f")), y), "head", Width, 5));
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal(["MatMul"], Readers(analysis, Assert.Single(Sublayers(analysis)), "f.down.weight"));
        SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [Sublayers(analysis)[0].Id] });

        g = new GraphBuilder(7);
        u = g.Linear(g.Input("u", "b", 1, Width), "in", Width, Width);
        g.Output(g.Linear(g.Add(u, Mlp(g, g.Add(u, g.Input("y", "b", "s", Width)), "f")), "head", Width, 5));
        Assert.Empty(AxisAnalysis.Run(g.Build()).Blocks);
    }

    /// <summary>A sum that the graph gives is a stream of its own: what is added to it afterwards was not computed from it.</summary>
    [Fact]
    public void A_sum_that_is_a_result_ends_its_tree()
    {
        var g = new GraphBuilder(7);
        string x = g.Linear(g.Input("x", "b", Width), "in", Width, Width), first = g.Add(x, Mlp(g, x, "f"));
        g.Output(g.Rename(first, "first"), "b", Width).Output(g.Rename(g.Add("first", Mlp(g, x, "g")), "second"), "b", Width);
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal("first", Assert.Single(Sublayers(analysis)).Output);
        SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [Sublayers(analysis)[0].Id] });
    }

    /// <summary>x + relu(x) is no residual of a layer, and relu(x) beside one is no sublayer.</summary>
    [Fact]
    public void What_has_no_weights_is_no_sublayer()
    {
        var g = new GraphBuilder(7);
        string x = g.Linear(g.Input("x", "b", Width), "in", Width, Width);
        g.Output(g.Linear(g.Add(x, g.Relu(x)), "head", Width, 5));
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Empty(analysis.Blocks);
        Assert.DoesNotContain(analysis.Groups, k => k.Kind == Axis.Width);

        g = new GraphBuilder(7);
        x = g.Linear(g.Input("x", "b", Width), "in", Width, Width);
        g.Output(g.Linear(g.Add(g.Add(x, Mlp(g, x, "f")), g.Relu(x)), "head", Width, 5));
        analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal(["MatMul"], Readers(analysis, Assert.Single(Sublayers(analysis)), "f.up.weight"));
    }

    /// <summary>What lies in another graph reads by name what it wants: such a branch stays.</summary>
    [Fact]
    public void A_branch_with_a_graph_in_it_stays()
    {
        var g = new GraphBuilder(7);
        string x = g.Linear(g.Input("x", 4, Width), "in", Width, Width);
        var body = g.Subgraph(b =>
        {
            b.Input("row", Width);
            b.Output(b.Node("Tanh", "row"));
        });
        string f = g.Node("Scan", [g.Linear(x, "up", Width, Width)], ("body", body), ("num_scan_inputs", 1));
        g.Output(g.Linear(g.Add(x, g.Linear(f, "down", Width, Width)), "head", Width, 5));
        Assert.Empty(AxisAnalysis.Run(g.Build()).Blocks);
    }

    /// <summary>
    /// A norm that two branches read is in neither; the chain that makes a weight of one is in that one; each says where its stream
    /// begins and ends.
    /// </summary>
    [Fact]
    public void Nodes_belong_to_the_branch_that_alone_needs_them()
    {
        var g = new GraphBuilder(7);
        string x = g.Linear(g.Input("x", "b", Width), "in", Width, Width), n = g.LayerNorm(x, "n", Width);
        string turned = g.Transpose(g.Node("Mul", [g.Weight("stored", 20, Width), g.Scalar("scale", 0.5f)]), 1, 0);
        string f = g.Linear(g.Relu(g.MatMul(n, turned)), "f.down", 20, Width), first = g.Add(x, f);
        string last = g.Add(first, Mlp(g, n, "g"));
        g.Output(g.Linear(last, "head", Width, 5));
        var analysis = AxisAnalysis.Run(g.Build());
        var sublayers = Sublayers(analysis);
        Assert.Equal([(x, first), (first, last)], sublayers.Select(s => (s.Input, s.Output)));
        Assert.Equal(["Mul"], Readers(analysis, sublayers[0], "stored"));
        Assert.Empty(sublayers[0].Nodes.Intersect(sublayers[1].Nodes));
        Assert.All(sublayers, s => Assert.DoesNotContain(s.Nodes, k => analysis.Nodes[k].Proto.Output.Contains(n)));
        foreach (var block in analysis.Blocks) SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [block.Id] });
    }

    /// <summary>Attention takes along the sums that follow on its own stream, and not those of another.</summary>
    [Fact]
    public void A_block_is_of_one_stream()
    {
        var g = new GraphBuilder(7);
        string x = g.Linear(g.Input("x", "b", "s", Width), "in", Width, Width);
        string other = g.Linear(g.Input("z", "b", Width), "other", Width, Width);
        string Project(string name) => g.SplitHeads(g.Linear(x, name, Width, Width), 2, 6);
        x = g.Add(x, g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), Width), "o", Width, Width));
        other = g.Add(other, Mlp(g, other, "f"));
        x = g.Add(x, Mlp(g, x, "g"));
        g.Output(g.Linear(x, "head", Width, 5)).Output(g.Linear(other, "second", Width, 5));
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal(3, Sublayers(analysis).Count);
        Assert.DoesNotContain(analysis.Blocks.Where(b => !b.IsSublayer),
            b => Readers(analysis, b, "o.weight").Any() && Readers(analysis, b, "f.up.weight").Any());
        foreach (var block in analysis.Blocks) SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [block.Id] });
    }
}
