namespace Espalier.Calibration.Timing;

public sealed record BenchOptions
{
    /// <summary>Rounds; each runs a burst of either model.</summary>
    public int Rounds { get; init; } = 15;

    /// <summary>Least CPU time of a burst in milliseconds: a burst is as many runs as take that long.</summary>
    public double BurstMilliseconds { get; init; } = 60;

    public int Threads { get; init; } = 1;
}
