using Espalier.Onnx;

namespace Espalier.Axes.Measurements;

/// <summary>
/// Runs models on the calibration samples, for methods that choose by what comes out or that follow the errors of what is already pruned.
/// Implemented where models run (Espalier.Calibration); what chooses does not run any.
/// </summary>
internal interface IModelProbe
{
    /// <summary>Statistics of the dense model.</summary>
    CalibrationStatistics Measure(CalibrationRequest request);

    /// <summary>
    /// Statistics of a model that was made from the dense one: what the dense model's consumers and blocks see in it, by their
    /// numbers there. What is not in it, or cannot be observed, is left out.
    /// </summary>
    CalibrationStatistics Measure(OnnxModel changed, CalibrationRequest request);

    /// <summary>
    /// How far the outputs of a changed model are from the dense model's, on a part of the samples; 0 where they are equal.
    /// </summary>
    double Divergence(OnnxModel changed);

    /// <summary>
    /// The same on samples that statistics hold out (<see cref="CalibrationRequest.HeldOut"/>), for models that are fitted to
    /// the others; on all where too few are held out.
    /// </summary>
    double HeldOutDivergence(OnnxModel changed);

    /// <summary>How long one run of the dense model and of a changed one takes on this machine.</summary>
    ModelTime Time(OnnxModel changed);

    /// <summary>The same for one model with gates, in one session.</summary>
    /// <param name="gated">The dense model with further inputs that need not be given.</param>
    /// <param name="settings">For every result: vectors by input; inputs that are absent keep their defaults.</param>
    IReadOnlyList<double> Divergences(OnnxModel gated, IReadOnlyList<IReadOnlyDictionary<string, float[]>> settings);

    /// <summary>
    /// Mean and population variance of every channel (axis 1) of a tensor of a changed model, over all samples; null where the
    /// tensor has no such axis or is not finite.
    /// </summary>
    (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor);

    /// <summary>What consumers contract in the dense model and, beside it, in a slim one that was made from it.</summary>
    /// <returns>By consumer number; consumers that cannot be observed in both are left out.</returns>
    IReadOnlyDictionary<int, PairedStatistics> Pair(OnnxModel slim, IReadOnlySet<int> consumers);
}
