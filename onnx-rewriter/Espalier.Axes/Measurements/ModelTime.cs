namespace Espalier.Axes.Measurements;

/// <summary>Processor time of one run of the dense model and of a changed one, measured in turns.</summary>
/// <param name="Dense">Milliseconds of the dense model.</param>
/// <param name="Changed">Milliseconds of the changed one.</param>
/// <param name="Ratio">Changed over dense, the median over turns.</param>
internal sealed record ModelTime(double Dense, double Changed, double Ratio);
