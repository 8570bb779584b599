using Espalier.Calibration.Results;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>What steps measured is kept, and what is read is bit for bit what would be measured.</summary>
public sealed class KeptResultsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier kept ").FullName;

    private string Cache => At("cache");

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>
    /// Models of the same bytes without kept results, with those of another budget, and with all of them; nothing is calibrated again.
    /// </summary>
    [Theory]
    [InlineData("gpt.onnx", "lm-calibration.txt", "--preset flap --allocate divergence")]
    [InlineData("resnet.onnx", "calibration-images-idx3-ubyte.gz", "--preset best")]
    public void Another_budget_or_guard_measures_nothing_again(string model, string data, string method)
    {
        string[] plan = ["--calibrate", Assets.Path(data), "--samples", "16", .. method.Split(' ')];
        string[] loose = [.. plan, "--macs", "0.7", "--agreement", "0.01"], tight = [.. plan, "--macs", "0.6", "--agreement", "0.02"];
        var expected = Slim(model, tight);
        Assert.DoesNotContain("reused", expected.Error, StringComparison.Ordinal);

        var first = Slim(model, [.. loose, "--cache", Cache]);
        Assert.DoesNotContain("reused: statistics", first.Error, StringComparison.Ordinal);
        var second = Slim(model, [.. tight, "--cache", Cache]);
        Assert.Contains("reused: statistics of 12 samples", second.Error, StringComparison.Ordinal);
        Assert.Equal(expected.Model, second.Model);
        Assert.Equal(expected.Report, second.Report);

        var third = Slim(model, [.. tight, "--cache", Cache]);
        Assert.Contains("reused: statistics of 12 samples, the slim model with its fits", third.Error, StringComparison.Ordinal);
        Assert.Equal(expected.Model, third.Model);
        Assert.Equal(expected.Report, third.Report);

        foreach (string slim in Directory.GetFiles(Cache, "slim-*")) File.Delete(slim);
        var fourth = Slim(model, [.. tight, "--cache", Cache]);
        Assert.Matches("reused: statistics of 12 samples, ([0-9]+) of \\1 divergences", fourth.Error);
        Assert.Equal(expected.Model, fourth.Model);
        Assert.Equal(expected.Report, fourth.Report);
    }

    /// <summary>A guard that refuses costs its measurement alone from then on: what it refused is kept, whatever the next one is.</summary>
    [Theory]
    [InlineData("0.05")]
    [InlineData(null)]
    public void Another_guard_fits_nothing_again(string? agreement)
    {
        string[] plan = ["--calibrate", Assets.Path("calibration-images-idx3-ubyte.gz"), "--samples", "32", "--preset", "best",
            "--macs", "0.3"];
        string[] next = agreement is null ? plan : [.. plan, "--agreement", agreement];
        var expected = Slim("resnet.onnx", next);
        var refused = CommandLineTests.Run(["slim", Assets.Path("resnet.onnx"), "-o", At("none.onnx"), .. plan, "--agreement", "1",
            "--cache", Cache]);
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("Guard(Agreement = 1): the slim model agrees", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(At("none.onnx")));

        var kept = Slim("resnet.onnx", [.. next, "--cache", Cache]);
        Assert.Contains("reused: statistics of 24 samples, the slim model with its fits", kept.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("divergences", kept.Error, StringComparison.Ordinal);
        Assert.Equal(expected.Model, kept.Model);
        Assert.Equal(expected.Report, kept.Report);
    }

    /// <summary>Damaged files count as none, whatever is damaged; other samples find nothing.</summary>
    [Fact]
    public void What_is_damaged_or_of_other_samples_is_not_used()
    {
        string[] plan = ["--macs", "0.7", "--preset", "flap", "--allocate", "divergence", "--calibrate",
            Assets.Path("lm-calibration.txt"), "--cache", Cache];
        var whole = Slim("gpt.onnx", [.. plan, "--samples", "32"]);
        Assert.NotEmpty(Directory.GetFiles(Cache, "statistics-*"));
        Assert.NotEmpty(Directory.GetFiles(Cache, "divergences-*"));
        foreach (string file in Directory.GetFiles(Cache))
        {
            byte[] bytes = File.ReadAllBytes(file);
            bytes[bytes.Length / 3] ^= 1;
            File.WriteAllBytes(file, bytes);
        }
        var again = Slim("gpt.onnx", [.. plan, "--samples", "32"]);
        Assert.DoesNotContain("reused: statistics", again.Error, StringComparison.Ordinal);
        Assert.Equal(whole.Model, again.Model);
        Assert.DoesNotContain("reused: statistics", Slim("gpt.onnx", [.. plan, "--samples", "24"]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Results_have_a_bound_and_those_that_were_used_last_long_ago_go()
    {
        var kept = new ResultFolder(Cache, most: 10_000);
        for (int i = 0; i < 4; i++)
        {
            kept.Write($"r{i}", 3_000, writer => writer.Write(new byte[3_000]));
            File.SetLastWriteTimeUtc(Path.Combine(Cache, $"r{i}.result"), DateTime.UtcNow.AddMinutes(i - 10));
            if (i == 2) Assert.NotNull(kept.Read("r0", reader => reader.ReadBytes(10)));
        }
        Assert.Null(kept.Read("r1", reader => reader.ReadBytes(10)));
        Assert.NotNull(kept.Read("r0", reader => reader.ReadBytes(10)));
        kept.Write("large", 6_000, writer => writer.Write(new byte[6_000]));
        Assert.Null(kept.Read("large", reader => reader.ReadBytes(10)));
        File.WriteAllBytes(Path.Combine(Cache, "r0.result"), []);
        Assert.Null(kept.Read("r0", reader => reader.ReadBytes(10)));
    }

    private (string Error, byte[] Model, string Report) Slim(string model, string[] plan)
    {
        var run = CommandLineTests.Run(["slim", Assets.Path(model), "-o", At("slim.onnx"), "--report", At("r.json"), .. plan]);
        Assert.True(run.Code == 0, run.Error);
        return (run.Error, File.ReadAllBytes(At("slim.onnx")), File.ReadAllText(At("r.json")));
    }

    private string At(string name) => Path.Combine(_folder, name);
}
