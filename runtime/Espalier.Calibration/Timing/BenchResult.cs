using System.Text.Json.Serialization;

namespace Espalier.Calibration.Timing;

/// <summary>What was measured.</summary>
/// <param name="A">CPU milliseconds per run of the first model: the median over rounds.</param>
/// <param name="B">The same of the second; null without one.</param>
/// <param name="Ratio">Median over rounds of B/A; null without a second model.</param>
/// <param name="Runs">Runs of either model that were measured.</param>
internal sealed record BenchResult(double A, double? B, double? Ratio, int Runs)
{
    /// <summary>Milliseconds by operator; null where they were not asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<OperatorTime>? Operators { get; init; }
}
