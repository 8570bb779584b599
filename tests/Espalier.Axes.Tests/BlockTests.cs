using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Sublayers and blocks. x + f(x) without f is what the dense model computes when the last layer of f is zero: a check that shares nothing with bypassing.
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
            x = g.Add(x, g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), width), $"l{layer}.o", width, width));
            x = g.Add(x, g.Linear(g.Relu(g.Linear(g.LayerNorm(x, $"l{layer}.ln2", width), $"l{layer}.up", width, 40)), $"l{layer}.down", 40, width));
        }
        g.Output(g.Linear(g.LayerNorm(x, "ln", width), "head", width, 5));
        return g;
    }

    /// <summary>The dense model with the named layers' weights and biases all zero.</summary>
    private static OnnxModel Silenced(OnnxModel dense, params string[] layers)
    {
        var removed = new Dictionary<string, IReadOnlyDictionary<int, int[]>>();
        foreach (var tensor in dense.Proto.Graph.Initializer.Where(t => layers.Any(l => t.Name.StartsWith(l + ".", StringComparison.Ordinal))))
            removed[tensor.Name] = new Dictionary<int, int[]> { [0] = [.. Enumerable.Range(0, (int)tensor.Dims[0])] };
        Assert.Equal(2 * layers.Length, removed.Count);
        return MaskedModel.Of(dense, removed);
    }

    private static void Same(OnnxModel expected, OnnxModel actual)
    {
        var inputs = RandomInputs.For(expected, 3);
        var (error, worst) = SlimOracle.Difference(Ort.Run(expected, inputs), Ort.Run(actual, inputs, strict: true));
        foreach (var value in inputs.Values) value.Dispose();
        Assert.True(error <= SlimOracle.Tolerance, $"{worst} differs by {error}");
    }

    [Fact]
    public void Every_sublayer_of_a_transformer_can_be_bypassed()
    {
        using var dense = Transformer().Build();
        var analysis = AxisAnalysis.Of(dense);
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
        var analysis = AxisAnalysis.Of(dense);
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
        var analysis = AxisAnalysis.Of(dense);
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
        var analysis = AxisAnalysis.Of(dense);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        Assert.Equal(2, sublayers.Count);
        foreach (var (sublayer, last) in sublayers.Zip((string[])["a2", "b2"]))
        {
            using var silenced = Silenced(dense, last);
            Same(silenced, Surgery.Apply(analysis, new Selection(Selection.Everything.Kept, [sublayer.Id])).Model);
        }
    }
}
