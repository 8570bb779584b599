namespace Espalier.Calibration.Statistics;

/// <summary>How far calibration has come.</summary>
/// <param name="Done">Samples that were run.</param>
internal readonly record struct CalibrationProgress(long Done, long Total);
