namespace Espalier.Calibration.Windows;

/// <summary>How many positions of a convolution's window are taken of one sample.</summary>
/// <param name="Most">Most of them, at a regular distance, where no covariance is wanted or maps differ in size.</param>
/// <param name="Rows">Rows of all samples together that a covariance needs, per feature.</param>
/// <param name="Samples">Samples; 0 where maps differ in size from sample to sample.</param>
internal sealed record Positions(long Most, long Rows, long Samples)
{
    /// <summary>Fewest rows of a covariance, and fewest positions of a sample.</summary>
    private const long LeastRows = 8192, LeastPositions = 4;

    /// <summary>The window with its positions.</summary>
    public Window Take(Window window, long[] activation, bool covariance, long features)
    {
        if (covariance && Samples > 0)
        {
            long wanted = Math.Max(LeastPositions, (Math.Max(Rows * features, LeastRows) + Samples - 1) / Samples);
            return window with { Sampling = Sampling.Create(window, activation, Math.Min(wanted, Most)) };
        }
        return window with { Every = window.Spacing(activation, Most) };
    }
}
