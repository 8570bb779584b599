using System.Text.Json;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Timing;

/// <summary>Time that two models spend in kernels of one name.</summary>
/// <param name="Operator">Name of ONNX Runtime's kernel.</param>
/// <param name="A">Milliseconds of a run of the first model.</param>
/// <param name="B">The same of the second.</param>
internal sealed record OperatorTime(string Operator, double A, double B);

/// <summary>Which operators the time of two models goes to, by ONNX Runtime's own profile: after its fusions, on one thread.</summary>
internal static class OperatorTimes
{
    private const int Runs = 5;

    /// <summary>All operators, the one that costs the second model most first.</summary>
    /// <param name="inputs">Inputs of both.</param>
    /// <exception cref="EspalierException">A model does not load or does not run.</exception>
    public static IReadOnlyList<OperatorTime> Compare(OnnxModel a, OnnxModel b, IReadOnlyCollection<NamedTensor> inputs,
        CancellationToken cancellationToken = default)
    {
        var (first, second) = (Measure(a, inputs, cancellationToken), Measure(b, inputs, cancellationToken));
        return [.. first.Keys.Union(second.Keys).Select(name => new OperatorTime(name, first.GetValueOrDefault(name),
            second.GetValueOrDefault(name))).OrderByDescending(t => t.B).ThenBy(t => t.Operator, StringComparer.Ordinal)];
    }

    /// <summary>The operator that keeps a model slower than a share of the other: what it takes beyond that share is most.</summary>
    /// <param name="share">Time that the second model was to take, as a part of the first's.</param>
    public static OperatorTime Slowest(IReadOnlyList<OperatorTime> times, double share) => times.MaxBy(t => t.B - (share * t.A))!;

    private static Dictionary<string, double> Measure(OnnxModel model, IReadOnlyCollection<NamedTensor> inputs,
        CancellationToken cancellationToken)
    {
        string? profile = null;
        try
        {
            using var session = Sessions.Open(model, 1, profile: Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));
            try
            {
                for (int k = 0; k <= Runs; k++) session.Run(inputs, cancellationToken);
            }
            finally
            {
                profile = session.Inner.EndProfiling();
            }
            using var events = JsonDocument.Parse(File.ReadAllBytes(profile));
            return Sum(events.RootElement);
        }
        finally
        {
            if (profile is not null) File.Delete(profile);
        }
    }

    private static Dictionary<string, double> Sum(JsonElement events)
    {
        var times = new Dictionary<(string Node, string Operator), List<double>>();
        foreach (var one in events.EnumerateArray())
        {
            if (one.GetProperty("cat").GetString() != "Node" || one.GetProperty("name").GetString() is not { } name
                || !name.EndsWith("_kernel_time", StringComparison.Ordinal)) continue;
            var key = (name, one.GetProperty("args").GetProperty("op_name").GetString()!);
            if (!times.TryGetValue(key, out var runs)) times[key] = runs = [];
            runs.Add(one.GetProperty("dur").GetDouble() / 1000);
        }
        // The least of a node's runs, of which the first finds cold caches. A node within a loop runs more often than the model.
        return times.GroupBy(t => t.Key.Operator, StringComparer.Ordinal).ToDictionary(g => g.Key,
            g => g.Sum(t => t.Value.Min() * Math.Max(1, t.Value.Count / (Runs + 1))), StringComparer.Ordinal);
    }
}
