using Espalier.Axes.Measurements;

namespace Espalier.Calibration.Statistics;

/// <summary>What the passes have measured so far.</summary>
internal sealed class MeasurementResults(IEnumerable<string> notes)
{
    public Dictionary<int, ActivationStatistics> Consumers { get; } = [];
    public Dictionary<int, double> Cosines { get; } = [];
    public Dictionary<int, double> Angles { get; } = [];
    public Dictionary<UnitSignal, SignalStatistics> Signals { get; } = [];
    public Dictionary<TensorAxis, AxisMoments> Tensors { get; } = [];
    public List<string> Notes { get; } = [.. notes];

    public CalibrationStatistics ToStatistics(int samples)
        => new(Consumers, Cosines, samples) { BlockAngle = Angles, Signals = Signals, Tensors = Tensors, Notes = Notes };
}
