#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>How the weights that read a pruned group make up for what was removed.</summary>
public enum Compensation
{
    /// <summary>Nothing: the slim model equals the masked dense model.</summary>
    None,
    /// <summary>
    /// Removed experts are averaged into the kept one that is nearest by its router row, by how much they are used (STUN,
    /// arXiv:2409.06211; UNCURL, arXiv:2409.01483), where their weights are alike. For experts; nothing elsewhere. Needs calibration.
    /// </summary>
    Merge,
    /// <summary>The removed units' mean contribution goes into the bias (FLAP). Needs calibration.</summary>
    Bias,
    /// <summary>
    /// One scale and shift per output channel, so that mean and variance of what the reader gives are the dense model's: what
    /// recalibrating batch norm is where it was folded into the weights. Running statistics of batch norms that are left are
    /// measured anew; scales and shifts of other normalisations are fitted by least squares where layers are fitted one after
    /// the other (<see cref="Schedule.Sequential"/>; as in PERP, arXiv:2312.15230). Needs calibration.
    /// </summary>
    Affine,
    /// <summary>
    /// One scale per unit that is left, by least squares (Kwon et al., arXiv:2204.09656), and the bias that keeps the mean.
    /// Needs calibration.
    /// </summary>
    Rescale,
    /// <summary>Least squares on the kept inputs, and the bias that keeps the mean. Needs calibration.</summary>
    LeastSquares,
    /// <summary>
    /// The inputs that were removed as a linear map of those that are kept, by a ridge on their second moments about zero, merged
    /// into the weights; no bias (GRAIL, arXiv:2602.23795). Needs calibration.
    /// </summary>
    Reconstruction,
    /// <summary>
    /// The inputs that were removed as an affine map of those that are kept, by a ridge as strong as shrinking the covariance asks for,
    /// merged into weights and bias (CORP, arXiv:2602.05243). Needs calibration.
    /// </summary>
    AffineRecovery,
}

/// <summary>What is known of one <see cref="Compensation"/>; how it is computed is in Espalier.Pruning.</summary>
/// <param name="Compensation">The compensation.</param>
/// <param name="Word">Its word on the command line.</param>
/// <param name="Needs">What it must have measured of what reads the removed units.</param>
/// <param name="Source">Where it is published; empty where it is nobody's.</param>
internal sealed record CompensationRow(Compensation Compensation, string Word, Needs Needs, string Source)
{
    private const Needs Means = Needs.Data | Needs.Consumers;
    private const Needs Moments = Means | Needs.Covariance;

    /// <summary>From the least demanding to the most.</summary>
    public static IReadOnlyList<CompensationRow> All { get; } =
    [
        new(Compensation.None, "none", Needs.None, ""),
        new(Compensation.Merge, "merge", Needs.Data | Needs.Signals, "STUN, arXiv:2409.06211; UNCURL, arXiv:2409.01483"),
        new(Compensation.Bias, "bias", Means, "FLAP, arXiv:2312.11983"),
        new(Compensation.Affine, "affine", Moments, "PERP, arXiv:2312.15230"),
        new(Compensation.Rescale, "rescale", Moments | Needs.HeldOut, "Kwon et al., arXiv:2204.09656"),
        new(Compensation.Reconstruction, "reconstruction", Moments, "GRAIL, arXiv:2602.23795"),
        new(Compensation.AffineRecovery, "affine-recovery", Moments, "CORP, arXiv:2602.05243"),
        new(Compensation.LeastSquares, "least-squares", Moments | Needs.HeldOut, "OBSPA, arXiv:2403.18955; FASP, arXiv:2501.09412"),
    ];

    /// <summary>The row of a compensation; that of none without one.</summary>
    public static CompensationRow Get(Compensation? compensation)
        => Find(compensation ?? Compensation.None) ?? throw new ArgumentOutOfRangeException(nameof(compensation));

    /// <summary>The same; null for a number that names none.</summary>
    public static CompensationRow? Find(Compensation compensation) => All.FirstOrDefault(row => row.Compensation == compensation);

    /// <summary>Of two rules for one reader the way that asks for more.</summary>
    public static Compensation MoreDemanding(Compensation one, Compensation other)
        => All.Last(row => row.Compensation == one || row.Compensation == other).Compensation;
}
