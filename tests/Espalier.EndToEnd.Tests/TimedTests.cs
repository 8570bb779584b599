using System.Text.Json;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>Budgets of time on the command line. The machine may be busy: then a refusal with the figures is as right as a slim model.</summary>
public sealed class TimedTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier timed ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("latency")]
    [InlineData("uniform")]
    public void A_budget_of_time_is_met_and_reported_or_refused_with_the_figures(string allocate)
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 64), "a", 64, 1024)), "b", 1024, 1024)), "c", 1024, 5));
        string model = Path.Combine(_folder, "wide.onnx"), report = Path.Combine(_folder, "wide.json");
        g.Build().Save(model);
        var slim = CommandLineTests.Run("slim", model, "-o", Path.Combine(_folder, "slim.onnx"), "--allocate", allocate, "--latency", "0.7", "--score", "l1", "--compensate", "none", "--schedule", "one-shot", "--report", report);
        if (slim.Code != 0)
        {
            Assert.Equal(1, slim.Code);
            Assert.Matches("budget of 0.7 of the dense model.s (time|latency)", slim.Error);
            Assert.False(File.Exists(Path.Combine(_folder, "slim.onnx")));
            return;
        }
        Assert.Contains("ms of processor time before", slim.Text, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(report));
        var plan = json.RootElement.GetProperty("plan");
        Assert.Equal((allocate, 0.7), (plan.GetProperty("allocate").GetString(), plan.GetProperty("budget").GetProperty("latency").GetDouble()));
        Assert.Contains(json.RootElement.GetProperty("groups").EnumerateArray(), group => group.GetProperty("kept").GetInt32() < group.GetProperty("size").GetInt32());
    }
}
