using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Onnx;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Scores that read weights alone, against numbers made by hand.</summary>
public class WeightScoreTests
{
    /// <summary>
    /// Σ|w| of three neurons, each weight scaled to mean 1: 3, 3, 4 → 0.9, 0.9, 1.2 in what makes them; 2, 2, 5 → ⅔, ⅔, 5/3 and
    /// 8, 1, 3 → 2, ¼, ¾ in what reads them. Σw²: 5, 9, 16 → 0.5, 0.9, 1.6; 2, 4, 25 → 6/31, 12/31, 75/31; 64, 1, 9 → 192/74, 3/74, 27/74.
    /// </summary>
    [Theory]
    [InlineData(Criterion.L1, Aggregate.Sum, 0.9 + 2.0 / 3 + 2, 0.9 + 2.0 / 3 + 0.25, 1.2 + 5.0 / 3 + 0.75)]
    [InlineData(Criterion.L1, Aggregate.Mean, 0.9 + 2.0 / 3 + 2, 0.9 + 2.0 / 3 + 0.25, 1.2 + 5.0 / 3 + 0.75)]
    [InlineData(Criterion.L1, Aggregate.Max, 2.0, 0.9, 5.0 / 3)]
    [InlineData(Criterion.L1, Aggregate.Median, 0.9, 2.0 / 3, 1.2)]
    [InlineData(Criterion.L1, Aggregate.Product, 1.2, 0.15, 1.5, 3)]
    [InlineData(Criterion.L2, Aggregate.Sum, 0.5 + 6.0 / 31 + 192.0 / 74, 0.9 + 12.0 / 31 + 3.0 / 74, 1.6 + 75.0 / 31 + 27.0 / 74, 2)]
    [InlineData(Criterion.L2, Aggregate.Max, 192.0 / 74, 0.9, 75.0 / 31, 2)]
    [InlineData(Criterion.L2, Aggregate.Median, 0.5, 12.0 / 31, 1.6, 2)]
    [InlineData(Criterion.L2, Aggregate.Product, 0.5 * 6 / 31 * 192 / 74, 0.9 * 12 / 31 * 3 / 74, 1.6 * 75 / 31 * 27 / 74, 6)]
    public void Weights_of_a_group_are_aggregated_as_the_rule_says(Criterion criterion, Aggregate aggregate, double first, double second,
        double third, int root = 1)
    {
        var g = new GraphBuilder();
        g.Input("x", "batch", 2);
        string h = g.Relu(g.MatMul("x", g.Floats("w1", [1, 0, -4, 2, -3, 0], 2, 3)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("w2", [1, -1, 2, 0, 0, -5], 3, 2)), "y"), "batch", 2);
        g.Output(g.Rename(g.MatMul(h, g.Floats("w3", [-8, 1, 3], 3, 1)), "z"), "batch", 1);
        double[] expected = [.. new[] { first, second, third }.Select(v => Math.Pow(v, 1.0 / root))];
        AssertScores(expected, Of(g.Build(), new() { Score = criterion, Aggregate = aggregate }));
    }

    [Fact]
    public void An_even_number_of_weights_has_the_mean_of_the_middle_two_as_median()
    {
        var median = new Aggregation(Aggregate.Median, 2);
        foreach (double[] scores in (double[][])[[0.2, 1.8], [1, 1], [0.6, 1.4], [1.9, 0.1]]) median.Add(scores);
        double[] result = median.Result();
        Assert.Equal((0.6 + 1) / 2, result[0], 1e-12);
        Assert.Equal((1 + 1.4) / 2, result[1], 1e-12);
    }

    /// <summary>A unit whose removal helps is worth nothing; the others keep their distance to it.</summary>
    [Fact]
    public void Scores_below_zero_are_raised_together()
    {
        Assert.Equal([0.75, 0, 2.5], Aggregation.Lift([0.25, -0.5, 2]));
        Assert.Equal([0.25, 0.5, 2], Aggregation.Lift([0.25, 0.5, 2]));
    }

    /// <summary>A unit is two rows of what reads it: Σ|w| of 1 + 2, 3 + 4 and 5 + 6, beside 1 for each in what makes it.</summary>
    [Fact]
    public void All_slices_of_a_unit_count()
    {
        var g = new GraphBuilder();
        string h = g.Relu(g.Node("Conv", [g.Input("x", "batch", 1, 2, 1), g.Floats("w1", [1, -1, 1], 3, 1, 1, 1)]));
        g.Output(g.Rename(g.MatMul(g.Node("Flatten", [h]), g.Floats("w2", [1, 2, -3, 4, 5, -6], 6, 1)), "y"), "batch", 1);
        AssertScores([1 + (3 / 7.0), 2, 1 + (11 / 7.0)], Of(g.Build(), new() { Score = Criterion.L1 }));
    }

    [Fact]
    public void A_unit_that_is_zero_in_one_weight_has_the_product_zero()
    {
        var product = new Aggregation(Aggregate.Product, 2);
        product.Add([0, 4]);
        product.Add([9, 1]);
        double[] result = product.Result();
        Assert.Equal(0, result[0]);
        Assert.Equal(Math.Sqrt(2 * 0.2), result[1], 1e-12);
    }

    /// <summary>
    /// Batch normalisations before and behind an Add scale the same channels: |γ| of both, each scaled to mean 1; weights,
    /// shifts and statistics do not count.
    /// </summary>
    [Fact]
    public void Norm_scale_is_the_absolute_scale_of_every_normalisation_of_the_group()
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", 2, 5, 5);
        string Norm(string x, string name, float[] scale) => g.Node("BatchNormalization",
            [x, g.Floats($"{name}.scale", scale, 3), g.Weight($"{name}.shift", 3), g.Weight($"{name}.mean", 3),
                g.Positive($"{name}.var", 3)]);
        string a = Norm(g.Conv("x", "a", 2, 3), "na", [-1, 2, 3]), b = Norm(g.Conv("x", "b", 2, 3), "nb", [4, -4, 1]);
        g.Output(g.Rename(g.Conv(g.Relu(g.Add(a, b)), "c", 3, 2), "y"), "batch", 2, 5, 5);
        AssertScores([0.5 + 4.0 / 3, 1 + 4.0 / 3, 1.5 + 1.0 / 3], Of(g.Build(), new() { Score = Criterion.NormScale }));
    }

    /// <summary>A norm that the exporter took apart leaves a Mul with a constant.</summary>
    [Fact]
    public void Norm_scale_reads_a_constant_that_multiplies_the_units()
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", 2);
        string h = g.Mul(g.Relu(g.MatMul("x", g.Weight("w1", 2, 3))), g.Floats("gamma", [1, -2, 6], 3));
        g.Output(g.Rename(g.MatMul(h, g.Weight("w2", 3, 2)), "y"), "batch", 2);
        AssertScores([1, 2, 6], Of(g.Build(), new() { Score = Criterion.NormScale }));
    }

    /// <summary>
    /// Every operator has its scale where its specification says; another constant that multiplies the units does not count beside it.
    /// </summary>
    [Theory]
    [InlineData("LayerNormalization", 1)]
    [InlineData("SimplifiedLayerNormalization", 1)]
    [InlineData("com.microsoft::SkipLayerNormalization", 2)]
    [InlineData("com.microsoft::SkipSimplifiedLayerNormalization", 2)]
    public void Norms_of_rows_have_their_scale_at_its_operand(string op, int operand)
    {
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", "sequence", 4), h = g.Mul(g.Linear(x, "in", 4, 6), g.Weight("layer.scale", 6));
        string[] operands = [h, .. Enumerable.Repeat(h, operand - 1), g.Weight("norm.scale", 6)];
        g.Output(g.Rename(g.Linear(g.Node(op, operands), "out", 6, 3), "y"), "batch", "sequence", 3);
        var analysis = AxisAnalysis.Run(g.Build());
        var group = Assert.Single(analysis.Groups, x => x.Size == 6);
        Assert.Equal(("norm.scale", 0), Assert.Single(new UnitPlaces(analysis).Scales(group).Select(o => (o.Tensor, o.Axis))));
    }

    [Fact]
    public void Without_a_normalisation_norm_scale_is_l2_and_a_note_says_so()
    {
        using var model = Planted.Mlp(1, 8);
        var notes = new List<string>();
        Assert.Equal(Of(model, new() { Score = Criterion.L2 }), Of(model, new() { Score = Criterion.NormScale }, notes));
        Assert.Contains("is scored by L2 instead of NormScale: no normalisation", Assert.Single(notes), StringComparison.Ordinal);
    }

    /// <summary>w² in the ratio 1 : 4 : 4 : 16: 1/25, 4/24, 4/24 and 16/16.</summary>
    [Fact]
    public void Lamp_is_the_share_of_the_units_that_are_at_least_as_large()
        => AssertScores([1.0 / 25, 4.0 / 24, 4.0 / 24, 1], Of(Layer([1, 2, -2, 4], 1, 4), new() { Score = Criterion.Lamp }));

    /// <summary>Columns (0, 0), (3, 4), (0, 0): 5 + 0, 5 + 5, 0 + 5.</summary>
    [Fact]
    public void Geometric_median_is_the_sum_of_distances_to_the_other_units()
        => AssertScores([5, 10, 5], Of(Layer([0, 3, 0, 0, 4, 0], 2, 3), new() { Score = Criterion.GeometricMedian }));

    public static TheoryData<string, int> Layouts
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string layout in (string[])["matmul", "transposed", "conv", "deconv", "heads"])
                foreach (int budget in (int[])[1, 17, 100, 1 << 22]) data.Add(layout, budget);
            return data;
        }
    }

    /// <summary>
    /// Units on the first, the middle and the last axis, whole or as a part of an axis; in one piece, in many, a unit or all
    /// units at a time.
    /// </summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void Distances_equal_plain_loops_however_little_is_held_at_once(string layout, int budget)
    {
        var (model, tensor, axis, unitsOf) = Produced(layout);
        using var _ = model;
        var analysis = AxisAnalysis.Run(model);
        var group = analysis.Groups.First(x => x.Exactness == Exactness.Exact && x.Occurrences.Any(o => o.Tensor == tensor)
            && x.Size == unitsOf.Max() + 1);
        var place = Assert.Single(new UnitPlaces(analysis).Producers(group), o => o.Tensor == tensor);
        Assert.Equal(axis, place.Axis);
        var proto = model.Proto.Graph.Initializer.Single(t => t.Name == tensor);
        float[] w = model.Content(proto).ToFloats();
        int inner = (int)proto.Dims.Skip(axis + 1).Aggregate(1L, (a, b) => a * b);
        // A unit's elements, in the order of the weight.
        double[][] rows = [.. Enumerable.Range(0, group.Size)
            .Select(u => w.Where((_, i) => unitsOf[i / inner % unitsOf.Length] == u).Select(v => (double)v).ToArray())];
        double[] expected = [.. rows.Select(a => rows.Sum(b => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum())))];
        double[] actual = GeometricMedian.Distances(group, place, new WeightTable(analysis), budget);
        for (int u = 0; u < expected.Length; u++) Assert.Equal(expected[u], actual[u], 1e-4 * expected[u]);
    }

    /// <summary>Depthwise filters pass channels on; what makes them is the convolution before.</summary>
    [Fact]
    public void What_passes_units_on_does_not_produce_them()
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", 2, 6, 6);
        string h = g.Conv(g.Relu(g.Conv("x", "expand", 2, 6)), "depth", 6, 6, new(Group: 6));
        g.Output(g.Rename(g.Conv(h, "project", 6, 2), "y"), "batch", 2, 6, 6);
        var analysis = AxisAnalysis.Run(g.Build());
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        Assert.Equal(3, group.Occurrences.Count(o => o.Tensor.EndsWith(".weight", StringComparison.Ordinal)));
        Assert.Equal("expand.weight", Assert.Single(new UnitPlaces(analysis).Producers(group)).Tensor);
    }

    [Fact]
    public void Two_weights_that_produce_a_group_count_alike()
    {
        var g = new GraphBuilder();
        g.Input("x", "batch", 2);
        string gate = g.MatMul("x", g.Floats("gate", [0, 3, 0, 0, 4, 0], 2, 3)),
            up = g.MatMul("x", g.Floats("up", [0, 0, 60, 0, 0, 80], 2, 3));
        g.Output(g.Rename(g.MatMul(g.Mul(g.Relu(gate), up), g.Weight("down", 3, 2)), "y"), "batch", 2);
        using var model = g.Build();
        // 5, 10, 5 → 0.75, 1.5, 0.75; 100, 100, 200 → 0.75, 0.75, 1.5.
        AssertScores([1.5, 2.25, 2.25], Of(model, new() { Score = Criterion.GeometricMedian }));
        AssertScores([0.75, 1.5, 1.5], Of(model, new() { Score = Criterion.GeometricMedian, Aggregate = Aggregate.Max }));
    }

    private static (OnnxModel Model, string Tensor, int Axis, int[] UnitsOf) Produced(string layout)
    {
        var g = new GraphBuilder(5);
        int[] seven = [.. Enumerable.Range(0, 7)];
        switch (layout)
        {
            case "matmul":
                g.Input("x", "batch", 5);
                g.Output(g.Rename(g.Linear(g.Relu(g.Linear("x", "a", 5, 7)), "b", 7, 2), "y"), "batch", 2);
                return (g.Build(), "a.weight", 1, seven);
            case "transposed":
                g.Input("x", "batch", 5);
                string h = g.MatMul("x", g.Transpose(g.Weight("a.weight", 7, 5), 1, 0));
                g.Output(g.Rename(g.Linear(g.Relu(h), "b", 7, 2), "y"), "batch", 2);
                return (g.Build(), "a.weight", 0, seven);
            case "conv":
                g.Input("x", "batch", 2, 6, 6);
                g.Output(g.Rename(g.Conv(g.Relu(g.Conv("x", "a", 2, 7)), "b", 7, 2), "y"), "batch", 2, 6, 6);
                return (g.Build(), "a.weight", 0, seven);
            case "deconv":
                g.Input("x", "batch", 3, 4, 4);
                string up = g.Node("ConvTranspose", ["x", g.Weight("a.weight", 3, 7, 2, 2)], ("strides", new[] { 2, 2 }));
                g.Output(g.Rename(g.Conv(g.Relu(up), "b", 7, 2), "y"), "batch", 2, 8, 8);
                return (g.Build(), "a.weight", 1, seven);
            default:
                string x = g.Input("x", "batch", "sequence", 8);
                string Project(string name) => g.SplitHeads(g.Linear(x, name, 8, 12), 4, 3);
                g.Output(g.Rename(g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.5f), 12), "o", 12, 8), "y"),
                    "batch", "sequence", 8);
                return (g.Build(), "q.weight", 1, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        }
    }

    /// <summary>
    /// A layer with the given weight [inputs, units] whose transpose is what reads it, so that both say the same of every unit.
    /// </summary>
    private static OnnxModel Layer(float[] w, int inputs, int units)
    {
        var g = new GraphBuilder();
        g.Input("x", "batch", inputs);
        float[] reader = [.. Enumerable.Range(0, units).SelectMany(u => Enumerable.Range(0, inputs).Select(i => w[(i * units) + u]))];
        g.Output(g.Rename(g.MatMul(g.Relu(g.MatMul("x", g.Floats("w1", w, inputs, units))), g.Floats("w2", reader, units, inputs)), "y"),
            "batch", inputs);
        return g.Build();
    }

    private static double[] Of(OnnxModel model, PruneRule rule, List<string>? notes = null)
    {
        var analysis = AxisAnalysis.Run(model);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        return Planted.Score(analysis, group, rule, notes: notes);
    }

    private static void AssertScores(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int u = 0; u < expected.Length; u++) Assert.Equal(expected[u] / expected.Average(), actual[u], 1e-6);
    }

    /// <summary>
    /// Rows (3,0,0,0), (0,4,0,0) and twice (0,0,1,2): singular values 0, 3, √10, 4. Without the first the functions are farthest
    /// apart between 3 and √10: |2/4 − 1/3|. Then the second and one of the pair, whose √5 is left, are both at ¼, and the pair
    /// loses less. Of what is left either alone is at ¾, and the last takes all.
    /// </summary>
    [Fact]
    public void The_spectrum_score_is_the_distance_of_singular_values_before_and_after()
    {
        float[] columns = [3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1, 1, 0, 0, 2, 2];
        using var model = Layer(columns, 4, 4);
        double[] scores = Of(model, new() { Score = Criterion.Spectrum }), expected = [1 / 6.0, 1, 0.25, 0.75];
        for (int u = 0; u < 4; u++) Assert.Equal(expected[u] / expected.Average(), scores[u], 1e-5);
    }
}
