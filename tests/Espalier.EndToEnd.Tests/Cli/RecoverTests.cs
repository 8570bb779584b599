namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>Training the slim model towards the dense one on the command line.</summary>
public sealed class RecoverTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier recover ").FullName;

    private string Cache => Path.Combine(_folder, "cache");

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>
    /// What plain removal ruins, a few steps bring nearer; the agreement is that of the trained model; the same again gives the same
    /// bytes; and another number of steps chooses nothing again.
    /// </summary>
    [Theory]
    [InlineData("resnet.onnx", "calibration-images-idx3-ubyte.gz", "channels")]
    [InlineData("bert.onnx", "bert-calibration.tsv", "neurons")]
    public void A_slim_model_is_trained_towards_the_dense_one(string model, string data, string kind)
    {
        string[] plan = [model, data, "--" + kind, "0.6", "--preset", "wanda-sp"];
        var before = Slim(plan);
        Assert.Null(before.Report.Recovery);
        var after = Slim([.. plan, "--recover", "30", "--cache", Cache]);
        var recovery = after.Report.Recovery!;
        Assert.Equal((84, 12), (recovery.Samples, recovery.HeldOut));
        Assert.Equal([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30], recovery.Curve.Select(c => c.Step));
        Assert.True(recovery.Curve.Min(c => c.Divergence) < 0.9 * recovery.Curve[0].Divergence, string.Join(' ', recovery.Curve));
        Assert.True(after.Report.Agreement!.Value >= before.Report.Agreement!.Value,
            $"{after.Report.Agreement}, {before.Report.Agreement}");
        Assert.Equal(after.Model, Slim([.. plan, "--recover", "30"]).Model);

        // A guard is measured on what was trained, and trains nothing again.
        var guarded = Slim([.. plan, "--recover", "30", "--agreement", "0.3", "--cache", Cache]);
        Assert.Contains("the slim model with its fits, the trained model", guarded.Error, StringComparison.Ordinal);
        Assert.Equal(after.Model, guarded.Model);
        Assert.Equal(recovery.Curve, guarded.Report.Recovery!.Curve);

        var vectors = Slim([.. plan, "--recover", "20", "--recover-weights", "vectors", "--cache", Cache]);
        Assert.Contains("the slim model with its fits", vectors.Error, StringComparison.Ordinal);
        Assert.Equal(Train.Vectors, vectors.Report.Plan.Recover!.Weights);
    }

    [Fact]
    public void What_cannot_be_trained_is_refused()
    {
        string slim = Path.Combine(_folder, "slim.onnx"), resnet = Assets.Path("resnet.onnx");
        string[] images = ["--calibrate", Assets.Path("calibration-images-idx3-ubyte.gz")];
        foreach (var (options, says) in new (string[] Options, string Says)[]
        {
            (["--recover", "5"], "Recovery needs samples to train on. Give calibration data."),
            (["--recover", "5", "--samples", "12", .. images], "Recovery needs 16 samples, and there are 9."),
            (["--recover-rate", "0.1", .. images], "Say in how many steps to train: --recover STEPS."),
            (["--recover", "0", .. images], "--recover"),
        })
        {
            var refused = CommandLineTests.Run(["slim", resnet, "-o", slim, "--channels", "0.5", .. options]);
            Assert.NotEqual(0, refused.Code);
            Assert.Contains(says, refused.Error, StringComparison.Ordinal);
            Assert.False(File.Exists(slim));
        }
    }

    private (byte[] Model, PruningReport Report, string Error) Slim(string[] plan)
    {
        string slim = Path.Combine(_folder, "slim.onnx"), report = Path.Combine(_folder, "r.json");
        var run = CommandLineTests.Run(["slim", Assets.Path(plan[0]), "-o", slim, "--calibrate", Assets.Path(plan[1]), "--samples", "128",
            "--report", report, .. plan[2..]]);
        Assert.True(run.Code == 0, run.Error);
        return (File.ReadAllBytes(slim), ReportJson.Parse(File.ReadAllText(report)), run.Error);
    }
}
