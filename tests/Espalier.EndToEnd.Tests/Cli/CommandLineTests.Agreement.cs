using System.Text.Json;
using Espalier.Cli.Host;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>How near a slim model is to the dense one is measured without a guard too, on the best inputs that there are.</summary>
public sealed partial class CommandLineTests
{
    /// <summary>
    /// Without data the model's own random inputs, where a classifier's first class says nothing; with data what nothing saw.
    /// </summary>
    [Theory]
    [InlineData("l1", false, "KullbackLeibler on 16 random inputs", MeasuredOn.Random)]
    [InlineData("l1", true, "Top1 on 64 held-out samples", MeasuredOn.HeldOut)]
    [InlineData("wanda", true, "Top1 on 40 held-out samples", MeasuredOn.HeldOut)]
    [InlineData("wanda", false, "KullbackLeibler on 16 random inputs", MeasuredOn.Random)]
    public void Agreement_is_measured_without_a_guard(string score, bool hasData, string said, MeasuredOn on)
    {
        File.WriteAllBytes(At("data.npy"), Npy(new Random(4), 160, 8));
        string[] data = hasData ? ["--calibrate", At("data.npy")] : [];
        var found = new List<MeasuredAgreement>();
        foreach (string keep in (string[])["0.75", "0.25", "0.25"])
        {
            var slim = Run(["slim", Model, "-o", Out, "--neurons", keep, "--preset", "magnitude", "--score", score,
                "--compensate", "none", "--report", At("r.json"), .. data]);
            Assert.True(slim.Code == 0, slim.Error);
            var report = ReportJson.Parse(File.ReadAllText(At("r.json")));
            found.Add(report.Agreement!);
            Assert.Contains($"agreement with the dense model: {report.Agreement}", slim.Text, StringComparison.Ordinal);
            Assert.EndsWith($"by {said}", report.Agreement!.ToString(), StringComparison.Ordinal);
            Assert.Equal(on, report.Agreement.On);
            Assert.Contains($"agreement  {report.Agreement}\n", report.ToString(), StringComparison.Ordinal);
        }
        Assert.InRange(found[0].Value, 0.05, 0.9999);
        Assert.True(found[1].Value < found[0].Value, $"{found[1]}: less is left than where it was {found[0]}");
        Assert.Equal(found[1], found[2]);
    }

    /// <summary>Of many samples some are enough; of fewer than eight none are held out.</summary>
    [Theory]
    [InlineData(600, "l1", "none", 64)]
    [InlineData(600, "wanda", "least-squares", 64)]
    [InlineData(160, "wanda", "least-squares", 40)]
    [InlineData(7, "wanda", "least-squares", 7)]
    public void Some_samples_are_enough(int samples, string score, string compensate, int most)
    {
        File.WriteAllBytes(At("data.npy"), Npy(new Random(4), samples, 8));
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", score, "--compensate", compensate, "--calibrate",
            At("data.npy"), "--report", At("r.json"));
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Equal(most, ReportJson.Parse(File.ReadAllText(At("r.json"))).Agreement!.Samples);
    }

    /// <summary>What the plan compares outputs by is what is measured; a metric that says nothing of the outputs gives way.</summary>
    [Fact]
    public void The_metric_is_the_plans_where_it_says_something()
    {
        var one = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--divergence", "cosine", "--report", At("r.json"));
        Assert.True(one.Code == 0, one.Error);
        Assert.Equal(Metric.Cosine, ReportJson.Parse(File.ReadAllText(At("r.json"))).Agreement!.Metric);

        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 16)), "b", 16, 1));
        g.Build().Save(At("one.onnx"));
        var regression = Run("slim", At("one.onnx"), "-o", Out, "--neurons", "0.5", "--report", At("r.json"));
        Assert.True(regression.Code == 0, regression.Error);
        Assert.Equal(Metric.RelativeError, ReportJson.Parse(File.ReadAllText(At("r.json"))).Agreement!.Metric);
    }

    /// <summary>The largest of features means nothing: unless it says otherwise a guard compares embeddings there.</summary>
    [Fact]
    public void A_guard_of_features_compares_embeddings()
    {
        var g = new GraphBuilder(seed: 3);
        var x = g.Input("x", "batch", 8);
        x = g.LayerNorm(g.Linear(g.Relu(g.Linear(x, "up", 8, 16)), "down", 16, 8), "norm", 8);
        using (OnnxModel model = g.Output(x).Build()) model.Save(At("features.onnx"));
        File.WriteAllBytes(At("data.npy"), Npy(new Random(4), 40, 8));
        var slim = Run("slim", At("features.onnx"), "-o", Out, "--neurons", "0.75", "--calibrate", At("data.npy"), "--agreement", "0.3");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("by Embedding on 10 held-out samples", slim.Text, StringComparison.Ordinal);
    }

    /// <summary>
    /// After one quick fit a guard that is out of reach ends the work; one that is only missed is told of by the finished model.
    /// </summary>
    [Theory]
    [InlineData("0.9999", "after one quick fit the slim model agrees with the dense one to 0.")]
    [InlineData("0.97", "Guard(Agreement = 0.97): the slim model agrees with the dense one to 0.9")]
    public void A_guard_out_of_reach_ends_the_work_before_the_long_fits(string least, string says)
    {
        string[] slim = ["slim", Assets.Path("resnet.onnx"), "-o", Out, "--macs", "0.15", "--calibrate",
            Assets.Path("calibration-images-idx3-ubyte.gz"), "--samples", "256", "--agreement", least, "--metric", "kullback-leibler",
            "--cache", At("cache")];
        var first = Run(slim);
        Assert.Equal(ExitCode.Refused, first.Code);
        Assert.Contains(says, first.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
        // The same again chooses nothing: without the kept divergences it would take as long.
        foreach (string kept in Directory.GetFiles(At("cache"), "divergences-*")) File.Delete(kept);
        var again = Run(slim);
        Assert.Equal(first.Error.Split('\n')[^2], again.Error.Split('\n')[^2]);
        Assert.Empty(Directory.GetFiles(At("cache"), "divergences-*"));
    }

    [Fact]
    public void Where_agreement_cannot_be_measured_a_note_says_why()
    {
        var g = new GraphBuilder();
        g.Output(g.Node("Cast", g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 16)), "b", 16, 4), ("to", 7)), DataType.Int64);
        g.Build().Save(At("integers.onnx"));
        var slim = Run("slim", At("integers.onnx"), "-o", Out, "--neurons", "0.5", "--report", At("r.json"));
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("note: The slim model was not compared with the dense one: no output", slim.Text, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(File.ReadAllText(At("r.json")));
        Assert.Equal(JsonValueKind.Null, report.RootElement.GetProperty("agreement").ValueKind);
    }

    /// <summary>Nothing is calibrated for a guard that cannot be measured.</summary>
    [Theory]
    [InlineData(true, "no output of the model has rows of classes to compare by KullbackLeibler")]
    [InlineData(false, "needs calibration data")]
    public void A_guard_that_cannot_be_measured_is_refused_before_the_work(bool hasData, string refusal)
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 16)), "b", 16, 1));
        g.Build().Save(At("one.onnx"));
        File.WriteAllBytes(At("data.npy"), Npy(new Random(4), 40, 8));
        using var dense = OnnxModel.Open(At("one.onnx"));
        var plan = new PruningPlan
        {
            Prune = [new() { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Wanda }],
            Guard = new Guard(Agreement: 0.5, Metric: Metric.KullbackLeibler),
            Calibration = hasData ? new CalibrationSource { Path = At("data.npy") } : null,
        };
        using var progress = new StepProgress(new Terminal(TextWriter.Null, TextWriter.Null, interactive: false), "slim");
        var job = new SlimJob(dense, Axes.AxisAnalysis.Run(dense), plan, new Dictionary<string, long>(), progress,
            CancellationToken.None)
        { FileName = "slim.onnx" };
        Assert.Contains(refusal, Assert.Throws<EspalierException>(job.Run).Message, StringComparison.Ordinal);
        Assert.DoesNotContain(progress.Costs, c => c.Step is "calibrating" or "slimming");
    }
}
