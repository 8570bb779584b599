using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Weights;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Which weights compensation may change, and what it says of the others.</summary>
public sealed class CompensatorTests
{
    private static readonly IReadOnlyDictionary<string, NamedTensor> Samples = Planted.Rows(5, 400, Planted.Inputs);

    /// <summary>
    /// One product reads two groups. It is fitted if either asks for it, whichever comes first.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_reader_of_two_groups_is_compensated_as_the_more_demanding_asks(int asking)
    {
        var g = new GraphBuilder(4);
        string x = g.Input("x", "batch", Planted.Inputs);
        string Layer(string name) => g.Relu(g.Linear(x, name, Planted.Inputs, 8));
        string both = g.Node("Concat", [Layer("a"), Layer("b")], ("axis", 1L));
        g.Output(g.Rename(g.Linear(both, "out", 16, 3), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var groups = analysis.Groups.Where(x => x.Exactness == Exactness.Exact).OrderBy(x => x.Id).ToList();
        Assert.Equal(2, groups.Count);
        var selection = new Selection(groups.ToDictionary(x => x.Id, _ => (ImmutableArray<int>)[0, 1, 3, 6]), []);
        WeightEdits Of(Compensation one, Compensation other)
            => Compensator.Compute(new(analysis), new(selection, id => id == groups[asking].Id ? one : other)
            { Statistics = Planted.Calibrate(analysis, Samples) });
        Assert.Equal(["out.bias", "out.weight"], Of(Compensation.LeastSquares, Compensation.None).Weights.Keys);
        Assert.Equal(["out.bias", "out.weight"], Of(Compensation.LeastSquares, Compensation.Bias).Weights.Keys);
        Assert.Equal(["out.bias"], Of(Compensation.Bias, Compensation.None).Weights.Keys);
    }

    /// <summary>x → fc1 → fc2 → fc3; the weight of fc3 is read by a second product too, doubled.</summary>
    private static OnnxModel Deep(bool twice)
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", Planted.Inputs);
        string h = g.Relu(g.Linear(g.Relu(g.Linear(x, "fc1", Planted.Inputs, 10)), "fc2", 10, 7));
        g.Output(g.Rename(g.Linear(h, "fc3", 7, 3), "y"), "batch", 3);
        if (twice) g.Output(g.Rename(g.MatMul(h, g.Mul("fc3.weight", g.Scalar("two", 2))), "z"), "batch", 3);
        return g.Build();
    }

    private static Selection Keep(Group group, IEnumerable<int> units)
        => new(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. units] }, []);

    private static (WeightEdits Edits, List<string> Notes) First(OnnxModel dense, string readBy, bool sequential)
    {
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Consumers.Any(c => c.Parameter == readBy));
        var selection = Keep(group, Enumerable.Range(0, group.Size / 2));
        var notes = new List<string>();
        var edits = Compensator.Compute(new(analysis), new(selection, _ => Compensation.LeastSquares)
        {
            Statistics = Planted.Calibrate(analysis, Samples),
            Notes = notes,
            Sequential = sequential ? new ModelProbe(analysis, [Samples]) : null,
        });
        return (edits, notes);
    }

    /// <summary>
    /// Heads of one number (a regression, a yes or no, a mask of one class) read units like all others.
    /// </summary>
    [Theory]
    [InlineData("MatMul")]
    [InlineData("Gemm")]
    [InlineData("Gemm transposed")]
    [InlineData("Conv")]
    [InlineData("Conv in groups")]
    public void A_head_of_one_number_is_fitted(string form)
    {
        var g = new GraphBuilder(4);
        bool image = form.StartsWith("Conv", StringComparison.Ordinal);
        int groups = form == "Conv in groups" ? 2 : 1;
        string x = image ? g.Input("x", "batch", 2, 6, 6) : g.Input("x", "batch", Planted.Inputs);
        string h = g.Relu(image ? g.Node("Conv", [x, g.Weight("up", 8, 2, 1, 1), g.Weight("shift", 8)])
            : g.Linear(x, "up", Planted.Inputs, 8));
        string y = form switch
        {
            "MatMul" => g.MatMul(h, g.Weight("head", 8, 1)),
            "Gemm" => g.Node("Gemm", [h, g.Weight("head", 8, 1), g.Weight("bias", 1)]),
            "Gemm transposed" => g.Node("Gemm", [h, g.Weight("head", 1, 8), g.Weight("bias", 1)], ("transB", 1L)),
            _ => g.Node("Conv", [h, g.Weight("head", groups, 8 / groups, 1, 1), g.Weight("bias", groups)], ("group", (long)groups)),
        };
        g.Output(g.Rename(y, "y"), image ? ["batch", groups, 6, 6] : ["batch", 1]);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, image ? Planted.Rows(5, 16, 2, 6, 6) : Samples);
        var group = analysis.Groups.Single(x => x.Exactness == Exactness.Exact);
        var selection = Keep(group, Enumerable.Range(0, group.Size).Where(i => i != 1));
        var notes = new List<string>();
        var edits = Compensator.Compute(new(analysis),
            new(selection, _ => Compensation.LeastSquares) { Statistics = statistics, Notes = notes });
        Assert.Empty(notes);
        Assert.Contains("head", edits.Weights.Keys);
        Assert.True(Error(edits) < 0.5 * Error(WeightEdits.Nothing));

        double Error(WeightEdits with)
        {
            using var slim = Surgery.Apply(analysis, selection, with).Model;
            var fresh = image ? Planted.Rows(9, 50, 2, 6, 6) : Planted.Rows(9, 500, Planted.Inputs);
            return Values(dense, fresh).Zip(Values(slim, fresh), (a, b) => (a - b) * (a - b)).Average();
        }

        static float[] Values(OnnxModel model, IReadOnlyDictionary<string, NamedTensor> inputs)
        {
            using var session = Sessions.Open(model);
            return (float[])session.Run(inputs.Values)["y"].Values;
        }
    }

    /// <summary>In sequence a layer that loses nothing is fitted to what it gets now.</summary>
    [Fact]
    public void In_sequence_layers_that_lose_nothing_are_fitted_too()
    {
        using var dense = Deep(false);
        Assert.Equal(["fc2.bias", "fc2.weight"], First(dense, "fc2.weight", false).Edits.Weights.Keys);
        Assert.Equal(["fc2.bias", "fc2.weight", "fc3.bias", "fc3.weight"], First(dense, "fc2.weight", true).Edits.Weights.Keys);
    }

    [Fact]
    public void A_weight_that_something_else_reads_stays_and_only_a_reader_of_pruned_units_says_so()
    {
        using var dense = Deep(true);
        var (edits, notes) = First(dense, "fc3.weight", false);
        Assert.Equal(["fc3.bias"], edits.Weights.Keys);
        Assert.Contains(notes, n => n.Contains("'fc3.weight' is read elsewhere too", StringComparison.Ordinal));
        Assert.Empty(First(dense, "fc2.weight", true).Notes);
    }

    /// <summary>A bias that two products add can take the change of neither.</summary>
    [Fact]
    public void A_shared_bias_stays()
    {
        var g = new GraphBuilder(4);
        string x = g.Input("x", "batch", 2, 8, 8), shift = g.Weight("shift", 3);
        string h = g.Relu(g.Node("Conv", [x, g.Weight("a", 8, 2, 1, 1)]));
        g.Output(g.Rename(g.Node("Conv", [h, g.Weight("down", 3, 8, 1, 1), shift]), "y"), "batch", 3, 8, 8);
        g.Output(g.Rename(g.Node("Conv", [x, g.Weight("skip", 3, 2, 1, 1), shift]), "z"), "batch", 3, 8, 8);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var notes = new List<string>();
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 16, 2, 8, 8));
        using var slim = Planted.Without(analysis, statistics, Compensation.Bias, notes, 0, 3, 5);
        Assert.Contains("no bias of its own", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(new WeightTable(analysis).Floats("shift"), new WeightTable(AxisAnalysis.Run(slim)).Floats("shift"));
    }

    /// <summary>
    /// Neurons 0 and 1 differ by a tenth of neuron 2, so a refit without it takes ten times its weight from
    /// one and adds it to the other. The integers of one are at their end: only half of that can be written,
    /// which is worse than nothing.
    /// </summary>
    [Fact]
    public void A_refit_beyond_the_range_of_integers_gives_way_to_the_bias()
    {
        var g = new GraphBuilder(4);
        string x = g.Input("x", "batch", Planted.Inputs);
        float[] up = new float[Planted.Inputs * 3];
        (up[0], up[1], up[3 + 1], up[3 + 2]) = (1, 1, 0.1f, 1);
        string h = g.Relu(g.Add(g.MatMul(x, g.Floats("fc1.weight", up, Planted.Inputs, 3)), g.Floats("fc1.bias", [5, 5, 5], 3)));
        string codes = g.Integers("fc2.weight", DataType.Int8, [-127, -100, 40], 3, 1);
        string weight = g.Node("DequantizeLinear", [codes, g.Scalar("scale", 1 / 64f), g.Integers("zero", DataType.Int8, [0])]);
        g.Output(g.Rename(g.Add(g.MatMul(h, weight), g.Floats("fc2.bias", [1], 1)), "y"), "batch", 1);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Samples);
        var notes = new List<string>();
        using var slim = Planted.Without(analysis, statistics, Compensation.LeastSquares, notes, 2);
        Assert.Contains("within the range of the weight's integers a refit has a larger error", Assert.Single(notes),
            StringComparison.Ordinal);
        Assert.Equal(Planted.Without(analysis, statistics, Compensation.Bias, 2).ToBytes(), slim.ToBytes());
    }

    /// <summary>
    /// A Gemm scales its product and its bias; means are kept all the same, and a bias that it had not
    /// becomes its own. One that counts for nothing cannot help.
    /// </summary>
    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(1, 1, false)]
    [InlineData(2, 0.5f, true)]
    [InlineData(2, 0.5f, false)]
    [InlineData(-3, 0, true)]
    public void A_gemm_keeps_its_mean(float alpha, float beta, bool bias)
    {
        var g = new GraphBuilder(4);
        string h = g.Relu(g.Linear(g.Input("x", "batch", Planted.Inputs), "up", Planted.Inputs, 8));
        string[] inputs = [h, g.Weight("down", 8, 3)];
        if (bias) inputs = [.. inputs, g.Weight("shift", 3)];
        g.Output(g.Rename(g.Node("Gemm", inputs, ("alpha", alpha), ("beta", beta)), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        foreach (var method in new[] { Compensation.Bias, Compensation.LeastSquares, Compensation.Affine })
        {
            var notes = new List<string>();
            using var slim = Planted.Without(analysis, Planted.Calibrate(analysis, Samples), method, notes, 0, 3, 5);
            Assert.Equal(beta == 0 && method == Compensation.Bias,
                notes.Exists(n => n.Contains("no bias of its own", StringComparison.Ordinal)));
            Assert.Equal(dense.Proto.Graph.Node.Count, slim.Proto.Graph.Node.Count);
            double[] Means(OnnxModel model)
            {
                using var session = Sessions.Open(model);
                float[][] rows = [.. ((float[])session.Run(Samples.Values)["y"].Values).Chunk(3)];
                return [.. Enumerable.Range(0, 3).Select(o => rows.Average(r => (double)r[o]))];
            }
            if (beta != 0) Assert.All(Means(dense).Zip(Means(slim)), p => Assert.Equal(p.First, p.Second, 1e-4));
        }
    }
}
