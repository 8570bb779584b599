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

    /// <summary>Runs one model under many settings.</summary>
    /// <param name="gated">The dense model with further inputs that need not be given.</param>
    /// <param name="heldOut">Whether on the samples of <see cref="HeldOutDivergence"/>.</param>
    IGatedRun Gated(OnnxModel gated, bool heldOut);

    /// <summary>Divergences of one model under some settings.</summary>
    /// <param name="step">Where in some larger work they stand; nothing where they are all of it.</param>
    IReadOnlyList<double> Divergences(OnnxModel gated, IReadOnlyList<IReadOnlyDictionary<string, float[]>> settings,
        WorkStep step = default)
    {
        using var run = Gated(gated, heldOut: false);
        return [.. settings.Select(run.Divergence)];
    }

    /// <summary>
    /// Mean and population variance of every channel (axis 1) of a tensor of a changed model, over all samples; null where the
    /// tensor has no such axis or is not finite.
    /// </summary>
    (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor);

    /// <summary>The same samples for another form of the dense model that gives the same outputs.</summary>
    IModelProbe On(AxisAnalysis same);

    /// <summary>Runs a slim model that grows stage by stage beside the dense one.</summary>
    /// <param name="stages">What is observed at each stage, in the order of the graph.</param>
    IStagedRun Stages(IReadOnlyList<IReadOnlyList<FitPoint>> stages);

    /// <summary>Moments of what consumers contract in a slim model.</summary>
    /// <returns>By consumer number; consumers that cannot be observed are left out.</returns>
    IReadOnlyDictionary<int, ErrorStatistics> Inputs(OnnxModel slim, AxisAnalysis analysis, IReadOnlySet<int> consumers)
    {
        var wanted = consumers.All(id => id < analysis.Consumers.Count) ? analysis.Consumers : analysis.Products;
        using var run = Stages([[.. wanted.Where(c => consumers.Contains(c.Id)).Select(c => new FitPoint(c, null, []))]]);
        return run.Next(slim);
    }
}

/// <summary>A model with inputs that need not be given. What comes before those that are given is not run again.</summary>
internal interface IGatedRun : IDisposable
{
    /// <summary>How far the outputs are from the dense model's.</summary>
    /// <param name="settings">Elements by input; inputs that are absent keep their defaults.</param>
    double Divergence(IReadOnlyDictionary<string, float[]> settings);
}

/// <summary>
/// Two models side by side, stage by stage. What comes before a stage is not run again: activations at its cut are kept.
/// </summary>
internal interface IStagedRun : IDisposable
{
    /// <summary>Moments at the points of the next stage.</summary>
    /// <param name="slim">The slim model as it is now. What lies before the stage must not change any more.</param>
    /// <returns>By consumer number; consumers that cannot be observed are left out.</returns>
    IReadOnlyDictionary<int, ErrorStatistics> Next(OnnxModel slim);
}
