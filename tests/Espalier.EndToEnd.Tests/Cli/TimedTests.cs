using System.Text.Json;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>
/// Budgets of time on the command line. Processor time is counted, and the bounds are far from what a busy machine could do to it.
/// </summary>
public sealed class TimedTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier timed ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>
    /// With one unit of each layer left the model takes about a fiftieth of its time, so that there is a choice for seven
    /// tenths whatever the machine.
    /// </summary>
    [Theory]
    [InlineData("latency")]
    [InlineData("uniform")]
    public void A_budget_of_time_is_met_and_reported(string allocate)
    {
        string report = Path.Combine(_folder, "wide.json");
        var slim = Slim(allocate, "0.7", "--report", report);
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("ms of processor time before", slim.Text, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(report));
        var plan = json.RootElement.GetProperty("plan");
        Assert.Equal((allocate, 0.7),
            (plan.GetProperty("allocate").GetString(), plan.GetProperty("budget").GetProperty("latency").GetDouble()));
        Assert.Contains(json.RootElement.GetProperty("groups").EnumerateArray(), group => group.GetProperty("kept")
            .GetInt32() < group.GetProperty("size").GetInt32());
    }

    [Theory]
    [InlineData("latency")]
    [InlineData("uniform")]
    public void A_budget_of_time_that_no_model_meets_is_refused_with_the_figures(string allocate)
    {
        var slim = Slim(allocate, "0.000001");
        Assert.Equal(1, slim.Code);
        Assert.Matches(@"budget of 0(\.000001)? of the dense model.s time: by what was measured on this machine the least they can reach "
            + @"is 0\.\d+", slim.Error);
        Assert.False(File.Exists(Path.Combine(_folder, "slim.onnx")));
    }

    private (int Code, string Text, string Error) Slim(string allocate, string latency, params string[] more)
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 64), "a", 64, 1024)), "b", 1024, 1024)), "c", 1024, 5));
        string model = Path.Combine(_folder, "wide.onnx");
        g.Build().Save(model);
        var run = CommandLineTests.Run(["slim", model, "-o", Path.Combine(_folder, "slim.onnx"), "--allocate", allocate, "--latency",
            latency, "--score", "l1", "--compensate", "none", "--schedule", "one-shot", .. more]);
        return (run.Code, run.Text, run.Error);
    }
}
