namespace Espalier.Calibration.Sums;

/// <summary>Bounds on what calibration uses.</summary>
internal sealed record CalibrationOptions
{
    /// <summary>Most samples in one run.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Most input elements in one run; a single sample may have more.</summary>
    public long BatchElements { get; init; } = 1 << 18;

    /// <summary>Most features of a covariance; consumers with more get none, and a note.</summary>
    public int CovarianceFeatures { get; init; } = 8192;

    /// <summary>
    /// Most positions of a convolution's window that are taken of one sample; larger maps are read at a regular spacing, with a note.
    /// Patches take (kernel window) times the memory of the map.
    /// </summary>
    public long PositionsPerSample { get; init; } = 1 << 14;

    /// <summary>
    /// Rows per feature that the covariance of what a convolution reads is taken from, over all samples; of more positions some are
    /// taken, others in every batch.
    /// </summary>
    public long RowsPerFeature { get; init; } = 4;

    /// <summary>Most bytes of activations of a model at a cut in memory; more go to a temporary file.</summary>
    public long ActivationBytes { get; init; } = 1 << 26;

    /// <summary>Most samples on which the outputs of changed models are compared with the dense model's.</summary>
    public int DivergenceSamples { get; init; } = 64;

    /// <summary>The same for samples that are held out: each choice of an allocation is run on them.</summary>
    public int HeldOutSamples { get; init; } = 32;

    /// <summary>
    /// Most multiply-accumulates of the dense model on these samples together: for large models there are fewer of them, but at least 8.
    /// </summary>
    public double DivergenceMacs { get; init; } = 1e11;

    /// <summary>Threads within an operator; 0 for as many as there are cores.</summary>
    public int Threads { get; init; }
}
