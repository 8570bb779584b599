using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Timing;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;
using RandomInputs = Espalier.Calibration.Inputs.RandomInputs;

namespace Espalier.Runtime.Tests.Checks;

public class ChecksTests(ITestOutputHelper output)
{
    private static OnnxModel Network(float change = 0, int width = 8, bool softmax = false)
    {
        var g = new GraphBuilder(seed: 5);
        var h = g.Relu(g.Linear(g.Input("x", "batch", 6), "up", 6, 8));
        var weights = new GraphBuilder(seed: 9);
        var down = new float[8 * 4];
        for (int i = 0; i < down.Length; i++) down[i] = (float)weights.Normal();
        for (int i = width * 4; i < down.Length; i++) down[i] = 0;
        down[0] += change;
        var y = g.Node("MatMul", [h, g.Floats("down", down, 8, 4)]);
        return g.Output(g.Rename(softmax ? g.Softmax(y) : y, "y")).Build();
    }

    [Fact]
    public void Random_inputs_are_seeded_and_fit_the_tables_they_index()
    {
        using var bert = OnnxModel.Open(Assets.Path("bert.onnx"));
        var sizes = new Dictionary<string, long> { ["sequence"] = 40, ["batch"] = 3 };
        var a = RandomInputs.For(bert, 1, sizes);
        Assert.Equal([3, 40], a["input_ids"].Shape);
        Assert.All((long[])a["attention_mask"].Values, m => Assert.Equal(1, m));
        var ids = (long[])a["input_ids"].Values;
        Assert.InRange(ids.Max(), 3000, 4095);
        Assert.InRange(ids.Min(), 0, 400);
        Assert.Equal(ids, RandomInputs.For(bert, 1, sizes)["input_ids"].Values);
        Assert.NotEqual(ids, RandomInputs.For(bert, 2, sizes)["input_ids"].Values);
        Assert.Equal([1, 128], RandomInputs.For(bert, 1)["input_ids"].Shape);
        Assert.All((long[])RandomInputs.For(bert, 1, sizes, new Dictionary<string, double> { ["input_ids"] = 7 })["input_ids"].Values,
            v => Assert.Equal(7, v));
        var many = RandomInputs.Many(bert, 3, 4, sizes);
        Assert.Equal(3, many.Select(s => string.Join(',', (long[])s["input_ids"].Values)).Distinct().Count());
    }

    [Fact]
    public void Sizes_follow_names_and_sums_of_names()
    {
        var g = new GraphBuilder();
        g.Input("past", 2, "batch_size", 4, "past_len", 8);
        g.Input("total", DataType.Int64, "batch_size", "total_seq_len");
        g.Input("sum", DataType.Bool, "batch_size", "past_len + seq_len");
        g.Input("picture", "n", 3, "h", "w");
        g.Input("sr", DataType.Int64);
        var model = g.Output(g.Node("Identity", g.Input("x", DataType.Float16, "batch_size", "seq_len"))).Build();
        var sample = RandomInputs.For(model, 0, new Dictionary<string, long> { ["picture:3"] = 48 });
        string Shape(string name) => string.Join(',', sample[name].Shape);
        Assert.Equal(("1,128", "2,1,4,16,8", "1,144", "1,144", "1,3,224,48", ""),
            (Shape("x"), Shape("past"), Shape("total"), Shape("sum"), Shape("picture"), Shape("sr")));
        Assert.Equal(new long[] { 16000 }, sample["sr"].Values);
        Assert.IsType<Half[]>(sample["x"].Values);
        var normal = (float[])sample["picture"].Values;
        Assert.InRange(normal.Average(), -0.02, 0.02);
        Assert.InRange(normal.Average(v => v * v), 0.97, 1.03);
    }

    public static TheoryData<string> Networks => [.. Assets.Networks()];

    public static TheoryData<string> RealModels => [.. Models.Names(slow: false)];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Every_network_runs_on_random_inputs(string file) => Runs(Assets.Path(file));

    [Theory]
    [MemberData(nameof(RealModels))]
    public void Every_real_model_runs_on_random_inputs(string file) => Runs(Models.Path(file));

    private void Runs(string path)
    {
        using var model = OnnxModel.Open(path);
        var sizes = RandomInputs.Fit(model);
        Assert.All(RandomInputs.For(model, 3, sizes),
            t => Assert.Equal(t.Value.Shape, Enumerable.Range(0, t.Value.Shape.Count).Select(axis => sizes[$"{t.Key}:{axis}"])));
        output.WriteLine($"{Path.GetFileName(path)}: {string.Join(' ', sizes.Select(s => $"{s.Key}={s.Value}"))}");
    }

    [Fact]
    public void A_model_that_no_candidate_runs_is_refused()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "n");
        var model = g.Output(g.Reshape(x, 1, 999)).Build();
        Assert.Contains("say its dynamic dimensions", Assert.Throws<EspalierException>(() => RandomInputs.Fit(model)).Message);
        Assert.Equal(999, RandomInputs.Fit(model, new Dictionary<string, long> { ["n"] = 999 })["x:1"]);
    }

    [Fact]
    public void The_oracle_tells_rounding_from_an_error()
    {
        var same = OracleComparer.Compare(Network(), Network());
        Assert.True(same.IsExact);
        Assert.Equal((0.0, 3, true), (same.Error, same.Runs, same.Strict));
        Assert.Empty(same.Notes);
        var rounding = OracleComparer.Compare(Network(), Network(1e-6f));
        Assert.InRange(rounding.Error, 1e-8, 1e-5);
        var wrong = OracleComparer.Compare(Network(), Network(0.1f), seeds: 5);
        Assert.False(wrong.IsExact);
        Assert.InRange(wrong.Error, 1e-3, 1);

        // By hand: one input, so that the expected number is plain.
        var x = new Dictionary<string, NamedTensor> { ["x"] = new("x", "float32", [1, 6], new float[] { 1, -1, 2, 0, 1, 1 }) };
        using var a = Sessions.Open(Network());
        using var b = Sessions.Open(Network(0.1f));
        var p = (float[])a.Run(x.Values)["y"].Values;
        var q = (float[])b.Run(x.Values)["y"].Values;
        double expected = p.Zip(q, (u, v) => (double)Math.Abs(u - v)).Max() / p.Max(Math.Abs);
        Assert.Equal(expected, OracleComparer.Compare(Network(), Network(0.1f), inputs: [x]).Error, 1e-9);
    }

    [Fact]
    public void The_oracle_does_not_pass_what_it_could_not_compare()
    {
        var g = new GraphBuilder();
        var nan = g.Output(g.Rename(g.Node("Log", g.Node("Sub", [g.Input("x", "batch", 6), g.Scalar("s", 100)])), "y")).Build();
        Assert.Contains("not finite", Assert.Single(OracleComparer.Compare(nan, nan).Notes));
        g = new GraphBuilder();
        var constant = g.Output(g.Rename(g.Mul(g.Input("x", "batch", 6), g.Scalar("s", 0)), "y")).Build();
        Assert.Contains("same number", Assert.Single(OracleComparer.Compare(constant, constant).Notes));
        Assert.Equal(double.PositiveInfinity, OracleComparer.Compare(constant, nan).Error);
        Assert.Throws<EspalierException>(() => OracleComparer.Compare(constant, constant, seeds: 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Agreement_counts_rows_and_measures_divergence(bool softmax)
    {
        var (a, b) = (Network(softmax: softmax), Network(2, softmax: softmax));
        var samples = RandomInputs.Many(a, 40, 1, new Dictionary<string, long> { ["batch"] = 5 });
        var result = Agreement.Compare(a, b, samples);
        using var first = Sessions.Open(Network());
        using var second = Sessions.Open(Network(2));
        int same = 0;
        double kl = 0;
        foreach (var sample in samples)
        {
            var p = (float[])first.Run(sample.Values)["y"].Values;
            var q = (float[])second.Run(sample.Values)["y"].Values;
            for (int r = 0; r < 5; r++)
            {
                double[] u = [.. p.Skip(r * 4).Take(4).Select(v => (double)v)], w = [.. q.Skip(r * 4).Take(4).Select(v => (double)v)];
                if (Array.IndexOf(u, u.Max()) == Array.IndexOf(w, w.Max())) same++;
                double zu = u.Sum(Math.Exp), zw = w.Sum(Math.Exp);
                kl += u.Zip(w, (s, t) => Math.Exp(s) / zu * (s - Math.Log(zu) - t + Math.Log(zw))).Sum();
            }
        }
        Assert.InRange(same, 20, 195);
        Assert.Equal(same / 200.0, result.Top1);
        Assert.Equal(kl / 200, result.Outputs[0].MeanKl!.Value, 4);
        Assert.Equal(Math.Exp(-kl / 200), result.By(Metric.KullbackLeibler)!.Value, 4);
        Assert.Equal((200, 40), (result.Outputs[0].Rows, result.Samples));
        Assert.True(result.MaxRelativeError > 0.01);

        var self = Agreement.Compare(a.ToBytes(), a.ToBytes(), samples);
        Assert.Equal((1.0, 0.0, 0.0), (self.Top1, self.MaxRelativeError, self.Outputs[0].MeanKl));
    }

    /// <summary>Two rows of two classes, by hand; the same numbers for guards and for choices.</summary>
    [Fact]
    public void Metrics_are_what_their_formulas_say()
    {
        NamedTensor dense = new("y", "float32", [2, 2], new[] { 0.5f, 0.5f, 0.9f, 0.1f }),
            changed = new("y", "float32", [2, 2], new[] { 0.25f, 0.75f, 0.9f, 0.1f });
        double kl = 0.5 * Math.Log(0.5 / 0.25) + 0.5 * Math.Log(0.5 / 0.75);
        double js = 0.5 * ((0.5 * Math.Log(0.5 / 0.375)) + (0.5 * Math.Log(0.5 / 0.625)) + (0.25 * Math.Log(0.25 / 0.375))
            + (0.75 * Math.Log(0.75 / 0.625)));
        double cosine = 0.5 / Math.Sqrt(0.5 * 0.625), variance = 0 + 0 + 0.16 + 0.16;
        foreach (var (metric, divergence, agreement) in new[]
        {
            (Metric.Top1, 0.5, 0.5), (Metric.KullbackLeibler, kl / 2, Math.Exp(-kl / 2)),
            (Metric.JensenShannon, js / 2, 1 - (js / 2 / Math.Log(2))),
            (Metric.Cosine, (1 - cosine) / 2, (1 + cosine) / 2), (Metric.RelativeError, 0.125 / variance, 1 - (0.125 / variance)),
        })
        {
            var tally = new OutputTally(Enum.GetValues<Metric>());
            tally.Add(dense, changed);
            Assert.Equal(divergence, tally.Divergence(metric)!.Value, 6);
            Assert.Equal(agreement, tally.Agreement(metric)!.Value, 6);
            var choice = new DivergenceTally(metric);
            choice.Add(new Dictionary<string, NamedTensor> { ["y"] = dense }, new Dictionary<string, NamedTensor> { ["y"] = changed });
            Assert.Equal(divergence, choice.Mean, 6);
            var same = new OutputTally(metric);
            same.Add(dense, dense);
            Assert.Equal((0.0, 1.0), (Math.Round(same.Divergence(metric)!.Value, 9), Math.Round(same.Agreement(metric)!.Value, 9)));
        }
    }

    /// <summary>
    /// Elements of a map are no classes: a choice compares them by their error, a guard says that the metric does not fit.
    /// </summary>
    [Fact]
    public void Distributions_of_maps_are_not_compared()
    {
        NamedTensor dense = new("y", "float32", [1, 2, 2, 1], new[] { 1f, 2, 3, 4 }),
            changed = new("y", "float32", [1, 2, 2, 1], new[] { 1f, 2, 3, 5 });
        var tally = new OutputTally(Enum.GetValues<Metric>());
        tally.Add(dense, changed);
        Assert.Equal((null, null, 2), (tally.Divergence(Metric.KullbackLeibler), tally.Agreement(Metric.JensenShannon), tally.Rows));
        var choice = new DivergenceTally(Metric.JensenShannon);
        choice.Add(new Dictionary<string, NamedTensor> { ["y"] = dense }, new Dictionary<string, NamedTensor> { ["y"] = changed });
        Assert.Equal(1 / 5.0, choice.Mean, 9);
    }

    [Fact]
    public void Benchmarks_count_cpu_time_of_both_models()
    {
        OnnxModel Chain(int n)
        {
            var g = new GraphBuilder();
            string x = g.Input("x", 96, 96);
            for (int i = 0; i < n; i++) x = g.MatMul(x, g.Weight($"w{i}", 96, 96));
            return g.Output(x).Build();
        }
        // Ten times the work in the same process: the bound is far from what load could do to CPU time.
        var result = Bench.Run(Chain(40), Chain(4), options: new BenchOptions { Rounds = 5, BurstMilliseconds = 10 });
        Assert.InRange(result.Ratio!.Value, 0.02, 0.6);
        Assert.True(result.A > result.B && result.B > 0);
        Assert.True(result.Runs >= 10);
        Assert.Null(Bench.Run(Chain(4), options: new BenchOptions { Rounds = 1, BurstMilliseconds = 1 }).B);
    }
}
