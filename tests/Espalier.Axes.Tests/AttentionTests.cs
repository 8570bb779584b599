using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Attention as exporters write it: heads, KV groups and head dimensions follow from the reshapes and products.</summary>
public sealed class AttentionTests
{
    private const int Width = 24, Heads = 4, Dim = 6, Length = 7;

    private static (GraphBuilder Graph, string X) Start(bool dynamic = true)
    {
        var g = new GraphBuilder(13);
        return dynamic ? (g, g.Input("x", "batch", "sequence", Width)) : (g, g.Input("x", "batch", Length, Width));
    }

    private static readonly (string, int)[] QueryKeyValue = [("q.bias", 0), ("k.weight", 1), ("v.weight", 1), ("o.weight", 0)];

    [Fact]
    public void Separate_projections()
    {
        var (g, x) = Start();
        string Project(string name) => g.SplitHeads(g.Linear(x, name, Width, Width), Heads, Dim);
        g.Output(g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), Width), "o", Width, 5));
        RuleCheck.On(g)
            .Group("q.weight", 1, Heads, Axis.Heads, QueryKeyValue)
            .Group("q.weight", 1, Dim, Axis.HeadDims, ("k.weight", 1), ("q.bias", 0))
            .Group("v.weight", 1, Dim, Axis.ValueDims, ("o.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData("inferred")]
    [InlineData("arithmetic")]
    [InlineData("shape")]
    [InlineData("zero")]
    public void Head_counts_however_they_are_written(string how)
    {
        var (g, x) = Start();
        string Shape(string t, long i) => g.Node("Gather", [g.Node("Shape", t), g.Longs(g.Fresh("i"), [i], [])], ("axis", 0));
        string One(string scalar) => g.Unsqueeze(scalar, 0);
        string Project(string name)
        {
            var y = g.Linear(x, name, Width, Width);
            var dim = g.Longs(g.Fresh("dim"), [Dim], []);
            y = how switch
            {
                "inferred" => g.Reshape(y, 0, 0, -1, Dim),
                "arithmetic"
                    => g.Node("Reshape",
                        [y, g.Concat(0, One(Shape(x, 0)), One(Shape(x, 1)), One(g.Node("Div", [Shape(y, 2), dim])), One(dim))]),
                "shape" => g.Node("Reshape", [y, g.Concat(0, One(Shape(x, 0)), One(Shape(x, 1)), g.Longs(Heads), g.Longs(Dim))]),
                // Heads first as a product, then a Reshape that copies the axis.
                _ => g.Reshape(g.Reshape(y, 0, 0, Heads, Dim, 1), 0, 0, 0, -1),
            };
            return g.Transpose(y, 0, 2, 1, 3);
        }
        var a = g.Transpose(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), 0, 2, 1, 3);
        a = how switch
        {
            "inferred" or "zero" => g.Reshape(a, 0, 0, -1),
            "arithmetic" => g.Node("Reshape", [a, g.Concat(0, One(Shape(a, 0)), One(Shape(a, 1)), One(g.Mul(Shape(a, 2), Shape(a, 3))))]),
            _ => g.Node("Reshape", [a, g.Concat(0, One(Shape(a, 0)), One(Shape(a, 1)), g.Longs(Width))]),
        };
        g.Output(g.Linear(a, "o", Width, 5));
        RuleCheck.On(g).Group("q.weight", 1, Heads, Axis.Heads, QueryKeyValue).IsExact();
    }

    [Theory]
    [InlineData("gather")]
    [InlineData("split")]
    [InlineData("thirds")]
    public void Packed_projections(string how)
    {
        var (g, x) = Start();
        var y = g.Linear(x, "qkv", Width, 3 * Width);
        string[] parts;
        if (how == "thirds") parts = [.. g.Split(y, 2, Width, Width, Width).Select(p => g.SplitHeads(p, Heads, Dim))];
        else
        {
            y = g.Transpose(g.Reshape(y, 0, 0, 3, Heads, Dim), 2, 0, 3, 1, 4);
            parts = how == "gather"
                ? [.. Enumerable.Range(0, 3).Select(i => g.Node("Gather", [y, g.Longs($"i{i}", [i], [])], ("axis", 0)))]
                : [.. g.Split(y, 0, 1, 1, 1).Select(p => g.Squeeze(p, 0))];
        }
        g.Output(g.Linear(g.MergeHeads(g.Attend(parts[0], parts[1], parts[2], 0.4f), Width), "o", Width, 5));
        RuleCheck.On(g).Group("qkv.weight", 1, Heads, Axis.Heads, ("qkv.bias", 0), ("o.weight", 0)).IsExact();
    }

    [Fact]
    public void Grouped_queries_with_expanded_keys()
    {
        const int kv = 2, r = 3;
        var (g, x) = Start();
        string Shape(string t, long i)
            => g.Unsqueeze(g.Node("Gather", [g.Node("Shape", t), g.Longs(g.Fresh("i"), [i], [])], ("axis", 0)), 0);
        // As torch exports repeat_kv: view, expand (with its test for -1), reshape.
        string Repeat(string t)
        {
            var five = g.Concat(0, Shape(t, 0), Shape(t, 1), g.Longs(r), Shape(t, 2), Shape(t, 3));
            var ones = g.Node("ConstantOfShape", g.Node("Shape", five),
                ("value", GraphBuilder.Tensor("", Espalier.Onnx.TensorProto.Types.DataType.Int64, [1], BitConverter.GetBytes(1L))));
            var minus = g.Mul(ones, g.Longs(g.Fresh("minus"), [-1], []));
            var target = g.Node("Where", [g.Node("Equal", [five, minus]), ones, five]);
            var wide = g.Node("Expand", [g.Unsqueeze(t, 2), target]);
            var heads = g.Mul(Shape(t, 1), g.Longs(r));
            return g.Node("Reshape", [wide, g.Concat(0, Shape(t, 0), heads, Shape(t, 2), Shape(t, 3))]);
        }
        var q = g.SplitHeads(g.Linear(x, "q", Width, kv * r * Dim), kv * r, Dim);
        var k = g.SplitHeads(g.Linear(x, "k", Width, kv * Dim), kv, Dim);
        var v = g.SplitHeads(g.Linear(x, "v", Width, kv * Dim), kv, Dim);
        g.Output(g.Linear(g.MergeHeads(g.Attend(q, Repeat(k), Repeat(v), 0.4f), kv * r * Dim), "o", kv * r * Dim, 5));
        var check = RuleCheck.On(g)
            .Group("k.weight", 1, kv, Axis.KeyValueGroups, ("v.weight", 1), ("q.weight", 1), ("o.weight", 0))
            .Group("q.weight", 1, r, Axis.Heads, ("o.weight", 0))
            .Group("q.weight", 1, Dim, Axis.HeadDims, ("k.weight", 1))
            .Group("v.weight", 1, Dim, Axis.ValueDims, ("o.weight", 0));
        var groups = check.Analysis.Groups.Single(n => n.Kind == Axis.KeyValueGroups);
        Assert.Equal(Axis.Heads, groups.Partner?.Kind);
        check.IsExact();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotary_pairs_go_together(bool grouped)
    {
        const int dim = 8;
        var (g, x) = Start(dynamic: false);
        var (cos, sin) = (g.Weight("cos", 1, 1, Length, dim), g.Weight("sin", 1, 1, Length, dim));
        string Rotate(string t)
        {
            var half = g.Concat(3, g.Node("Neg", g.Slice(t, 3, dim / 2, long.MaxValue)), g.Slice(t, 3, 0, dim / 2));
            return g.Add(g.Mul(t, cos), g.Mul(half, sin));
        }
        int kv = grouped ? 2 : Heads;
        var q = Rotate(g.SplitHeads(g.Linear(x, "q", Width, Heads * dim), Heads, dim));
        var k = Rotate(g.SplitHeads(g.Linear(x, "k", Width, kv * dim), kv, dim));
        var v = g.SplitHeads(g.Linear(x, "v", Width, kv * dim), kv, dim);
        if (grouped)
        {
            string Repeat(string t)
                => g.Reshape(g.Node("Expand", [g.Unsqueeze(t, 2), g.Longs(1, kv, Heads / kv, Length, dim)]), -1, Heads, Length, dim);
            (k, v) = (Repeat(k), Repeat(v));
        }
        g.Output(g.Linear(g.MergeHeads(g.Attend(q, k, v, 0.4f), Heads * dim), "o", Heads * dim, 5));
        var check = RuleCheck.On(g)
            .Group("q.weight", 1, dim / 2, Axis.HeadDims, ("k.weight", 1))
            .Group("v.weight", 1, dim, Axis.ValueDims, ("o.weight", 0));
        if (grouped)
            check.Group("k.weight", 1, kv, Axis.KeyValueGroups, ("q.weight", 1)).Group("q.weight", 1, Heads / kv, Axis.Heads);
        else check.Group("q.weight", 1, Heads, Axis.Heads, QueryKeyValue);
        check.IsExact();
    }

    [Fact]
    public void A_scale_that_follows_the_width_keeps_its_old_value()
    {
        var (g, x) = Start();
        string Project(string name) => g.SplitHeads(g.Linear(x, name, Width, Width), Heads, Dim);
        var (q, k, v) = (Project("q"), Project("k"), Project("v"));
        var width = g.Node("Cast", g.Slice(g.Node("Shape", q), 0, -1, long.MaxValue),
            ("to", Espalier.Onnx.TensorProto.Types.DataType.Float));
        var scale = g.Node("Sqrt", g.Node("Div", [g.Floats("one", [1], 1), g.Node("Sqrt", width)]));
        var scores = g.MatMul(g.Mul(q, scale), g.Mul(g.Transpose(k, 0, 1, 3, 2), scale));
        g.Output(g.Linear(g.MergeHeads(g.MatMul(g.Softmax(scores), v), Width), "o", Width, 5));
        RuleCheck.On(g).Group("q.weight", 1, Dim, Axis.HeadDims, ("k.weight", 1))
            .Group("q.weight", 1, Heads, Axis.Heads, QueryKeyValue).IsExact();
    }

    [Fact]
    public void A_mask_and_a_table_of_relative_positions()
    {
        var (g, x) = Start(dynamic: false);
        string Project(string name) => g.SplitHeads(g.Linear(x, name, Width, Width), Heads, Dim);
        var random = new Random(1);
        var index = g.Longs("index", [.. Enumerable.Range(0, Length * Length).Select(_ => (long)random.Next(9))], [Length, Length]);
        var bias = g.Unsqueeze(g.Transpose(g.Node("Gather", [g.Weight("table", 9, Heads), index], ("axis", 0)), 2, 0, 1), 0);
        var mask = g.Node("Trilu",
            [g.Floats("minus", [.. Enumerable.Repeat(-1e4f, Length * Length)], Length, Length), g.Longs("k", [1], [])], ("upper", 1));
        var scores = g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2));
        var a = g.MatMul(g.Softmax(g.Add(g.Add(scores, bias), mask)), Project("v"));
        g.Output(g.Linear(g.MergeHeads(a, Width), "o", Width, 5));
        RuleCheck.On(g).Group("q.weight", 1, Heads, Axis.Heads, [.. QueryKeyValue, ("table", 1)]).IsExact();
    }

    [Fact]
    public void Windows_by_reshape()
    {
        var g = new GraphBuilder(13);
        const int window = 4;
        var x = g.Input("x", "batch", 8, 8, Width);
        var y = g.Linear(x, "in", Width, Width);
        y = g.Reshape(g.Transpose(g.Reshape(y, -1, 2, window, 2, window, Width), 0, 1, 3, 2, 4, 5), -1, window * window, Width);
        var packed = g.Transpose(g.Reshape(g.Linear(y, "qkv", Width, 3 * Width), -1, window * window, 3, Heads, Dim), 2, 0, 3, 1, 4);
        string Part(long i) => g.Node("Gather", [packed, g.Longs($"i{i}", [i], [])], ("axis", 0));
        var a = g.Linear(g.MergeHeads(g.Attend(Part(0), Part(1), Part(2), 0.4f), Width), "o", Width, Width);
        a = g.Reshape(g.Transpose(g.Reshape(a, -1, 2, 2, window, window, Width), 0, 1, 3, 2, 4, 5), -1, 8, 8, Width);
        g.Output(g.Linear(a, "out", Width, 5));
        RuleCheck.On(g)
            .Group("qkv.weight", 1, Heads, Axis.Heads, ("o.weight", 0))
            .Group("in.weight", 1, Width, null, ("qkv.weight", 0))
            .Group("o.weight", 1, Width, null, ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void Fused_attention()
    {
        var (g, x) = Start();
        var a = g.Node("com.microsoft::Attention", [x, g.Weight("qkv.weight", Width, 3 * Width), g.Weight("qkv.bias", 3 * Width)],
            ("num_heads", Heads));
        g.Output(g.Linear(a, "o", Width, 5));
        RuleCheck.On(g).Group("qkv.weight", 1, Heads, Axis.Heads, ("qkv.bias", 0), ("o.weight", 0)).IsExact();
    }

    [Fact]
    public void Layer_norm_makes_the_width_inexact_and_nothing_else()
    {
        var (g, ids) = (new GraphBuilder(13), "ids");
        g.Input(ids, Espalier.Onnx.TensorProto.Types.DataType.Int64, "batch", "sequence");
        var x = g.Node("Gather", [g.Weight("embedding", 50, Width), ids], ("axis", 0));
        var n = g.LayerNorm(x, "ln1", Width);
        string Project(string name) => g.SplitHeads(g.Linear(n, name, Width, Width), Heads, Dim);
        var y = g.Add(x, g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), Width), "o", Width, Width));
        y = g.Add(y, g.Linear(g.Relu(g.Linear(g.LayerNorm(y, "ln2", Width), "up", Width, 40)), "down", 40, Width));
        g.Output(g.Linear(g.LayerNorm(y, "ln3", Width), "head", Width, 5));
        RuleCheck.On(g)
            .Inexact("embedding", 1, Width, "LayerNormalization")
            .Group("q.weight", 1, Heads, Axis.Heads, QueryKeyValue)
            .Group("up.weight", 1, 40, Axis.Neurons, ("up.bias", 0), ("down.weight", 0))
            .Frozen("embedding", 0, "Gather").IsExact();
    }

    [Fact]
    public void Experts_that_are_evaluated_densely()
    {
        const int experts = 4, hidden = 10;
        var g = new GraphBuilder(13);
        var x = g.Input("x", "tokens", Width);
        var router = g.Softmaxless(x, experts);
        var up = g.MatMul(g.Unsqueeze(x, 0), g.Weight("w1", experts, Width, hidden));
        var down = g.MatMul(g.Relu(up), g.Weight("w2", experts, hidden, 5));
        var weighted = g.Mul(down, g.Unsqueeze(g.Transpose(router, 1, 0), 2));
        g.Output(g.Node("ReduceSum", [weighted, g.Longs(0)], ("keepdims", 0)));
        RuleCheck.On(g)
            .Group("w1", 0, experts, null, ("w2", 0), ("router.weight", 1))
            .Group("w1", 2, hidden, null, ("w2", 1)).IsExact();
    }
}

internal static class Routers
{
    /// <summary>A router whose gate of one expert does not depend on the others.</summary>
    public static string Softmaxless(this GraphBuilder g, string x, int experts)
        => g.Mul(g.Linear(x, "router", 24, experts, bias: false), g.Scalar("gate", 0.5f));
}
