#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>In which order layers are pruned and made up for.</summary>
public enum Schedule
{
    /// <summary>All at once, from statistics of the dense model.</summary>
    OneShot,
    /// <summary>
    /// Layer by layer: each is fitted to what the layers before it, already pruned, give it, with the dense model's outputs as
    /// target. Needs calibration.
    /// </summary>
    Sequential,
    /// <summary>In even steps, each scoring anew what the steps before have left. Needs calibration.</summary>
    Iterative,
    /// <summary>
    /// In steps that take much at first and little at the end (Zhu and Gupta, arXiv:1710.01878), each scoring anew. Needs calibration.
    /// </summary>
    Cubic,
    /// <summary>
    /// The least important units one small step after the other, at most a sixteenth of a group where groups share evenly, each
    /// step scoring anew: with <see cref="Criterion.OptimalBrain"/> the recursion of the optimal brain surgeon on whole units
    /// (ZipLM, arXiv:2302.04089) on the model as it is by then. Needs calibration.
    /// </summary>
    Greedy,
    /// <summary>
    /// In steps of two hundredths of the dense model, as many as the bounds ask for, each scoring and measuring anew (Adapt-Pruner,
    /// arXiv:2502.03460). Needs calibration.
    /// </summary>
    Gradual,
}

/// <summary>What is known of one <see cref="Schedule"/>.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Word">Its word on the command line.</param>
/// <param name="Needs">What it needs.</param>
/// <param name="Steps">Most steps in which units are removed. Every one costs a run over the calibration data.</param>
internal sealed record ScheduleRow(Schedule Schedule, string Word, Needs Needs, int Steps = 1)
{
    private const Needs Runs = Needs.Data | Needs.Runs;

    /// <summary>Most that one step takes, of the dense model; 0 where the number of steps is always the same.</summary>
    public double Stride { get; init; }

    /// <summary>Steps that lead to a fraction of the dense model.</summary>
    public int StepsTo(double fraction)
        => Stride > 0 ? Math.Max(1, Math.Min(Steps, (int)Math.Ceiling(((1 - fraction) / Stride) - 1e-9))) : Steps;

    /// <summary>In the order of the help.</summary>
    public static IReadOnlyList<ScheduleRow> All { get; } =
    [
        new(Schedule.OneShot, "one-shot", Needs.None),
        new(Schedule.Sequential, "sequential", Runs),
        new(Schedule.Iterative, "iterative", Runs, Steps: 4),
        new(Schedule.Cubic, "cubic", Runs, Steps: 4),
        // Sixteen take a sixteenth of a group at most, as the rounds of optimal brain scores do.
        new(Schedule.Greedy, "greedy", Runs, Steps: 16),
        // Fifty increments of a fiftieth, of which as many are taken as the size that is wished for needs: Adapt-Pruner's code.
        new(Schedule.Gradual, "gradual", Runs, Steps: 50) { Stride = 0.02 },
    ];

    /// <summary>The row of a schedule.</summary>
    public static ScheduleRow Get(Schedule schedule) => Find(schedule) ?? throw new ArgumentOutOfRangeException(nameof(schedule));

    /// <summary>The same; null for a number that names none.</summary>
    public static ScheduleRow? Find(Schedule schedule) => All.FirstOrDefault(row => row.Schedule == schedule);
}
