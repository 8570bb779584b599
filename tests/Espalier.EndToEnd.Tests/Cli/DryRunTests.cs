using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary><c>slim --dry-run</c>: what would be, and nothing on the disk.</summary>
public sealed class DryRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier dry ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Where no data decide, the dry run says what the run says.</summary>
    [Theory]
    [InlineData("bert.onnx", "--keep", "0.5")]
    [InlineData("resnet.onnx", "--macs", "0.5")]
    [InlineData("gpt.onnx", "--heads", "0.75", "--low-rank", "*down*=0.4")]
    public void Without_data_it_is_exact(string network, params string[] options)
    {
        string model = Assets.Path(network), slim = Path.Combine(_folder, network);
        var dry = CommandLineTests.Run(["slim", model, "--dry-run", "--json", "-o", slim, .. options]);
        Assert.True(dry.Code == 0, dry.Error);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        var done = CommandLineTests.Run(["slim", model, "-o", slim, "--json", .. options]);
        Assert.Equal(Planned(done.Text), Planned(dry.Text));
    }

    /// <summary>Without what running the models tells.</summary>
    private static string Planned(string report)
        => ReportJson.Serialize(ReportJson.Parse(report) with { Agreement = null, Notes = [] });

    /// <summary>Data that are never read; the counts are those that the fractions give, and what is not known is said.</summary>
    [Fact]
    public void What_data_decide_is_said_and_not_made_up()
    {
        string model = Assets.Path("gpt.onnx");
        string[] options = ["--heads", "0.5", "--neurons", "0.25", "--drop-sublayers", "1", "--calibrate", "no such data",
            "--agreement", "0.9"];
        var dry = CommandLineTests.Run(["slim", model, "--dry-run", .. options]);
        Assert.True(dry.Code == 0, dry.Error);
        Assert.EndsWith("Dry run: nothing was written.\n", dry.Text, StringComparison.Ordinal);
        Assert.Contains("note: Which units go is decided by data (optimal-brain).", dry.Text, StringComparison.Ordinal);
        Assert.Contains("note: Which sublayers or blocks go is decided by data", dry.Text, StringComparison.Ordinal);
        Assert.Contains("note: The guard is checked when the model is slimmed.", dry.Text, StringComparison.Ordinal);
        var report = ReportJson.Parse(CommandLineTests.Run(["slim", model, "--dry-run", "--json", .. options]).Text);
        Assert.All(report.Groups, g => Assert.Empty(g.RemovedUnits));
        Assert.Empty(report.Removed);
        Assert.Empty(report.Blocks);
        Assert.Equal(Criterion.OptimalBrain, report.Plan.Prune[0].Score);
        Assert.All(report.Groups.Where(g => g.Kind == "neurons" && g.Kept > 0), g => Assert.Equal(g.Size / 4, g.Kept));
        Assert.True(report.After.Macs < report.Before.Macs / 2);
    }

    [Fact]
    public void A_budget_of_time_is_planned_as_one_of_work()
    {
        var dry = CommandLineTests.Run("slim", Assets.Path("vit.onnx"), "--dry-run", "--json", "--latency", "0.6");
        var report = ReportJson.Parse(dry.Text);
        Assert.Equal(0.6, report.Plan.Budget!.Latency);
        Assert.InRange((double)report.After.Macs / report.Before.Macs, 0.5, 0.6);
        Assert.Contains(report.Notes, n => n.StartsWith("A budget of time is met by measuring", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(2, "--keep", "0.5", "--dry-run", "--report", "r.json")]
    [InlineData(2, "--keep", "0.5")]
    [InlineData(2, "--dry-run")]
    [InlineData(1, "--dry-run", "--experts", "0.5")]
    public void Mistakes_are_refused_as_without_it(int code, params string[] options)
    {
        var refused = CommandLineTests.Run(["slim", Assets.Path("vgg.onnx"), .. options]);
        Assert.True(refused.Code == code, refused.Error + refused.Text);
        Assert.StartsWith("espalier: ", refused.Error, StringComparison.Ordinal);
    }
}
