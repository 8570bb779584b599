namespace Espalier.Calibration.Checks;

/// <summary>How alike one output is.</summary>
/// <param name="MaxRelativeError">max|a−b| / max(1e-3, max|a|), the largest over the samples.</param>
/// <param name="Top1">Fraction of rows (along the last axis; along axis 1 where the last has one element, or of maps) whose
/// largest element is in the same place; null for outputs without rows of at least two.</param>
/// <param name="MeanKl">Mean KL divergence from the first model's distribution to the second's, in nats per row: softmax of the
/// rows, or the rows themselves where they are distributions; null as <paramref name="Top1"/>.</param>
public sealed record OutputAgreement(string Name, double MaxRelativeError, double? Top1, double? MeanKl, long Rows)
{
    /// <summary>
    /// Agreement by metric, at most 1 and 1 where the outputs are equal; null where the metric says nothing of the output.
    /// </summary>
    public IReadOnlyDictionary<Metric, double?> By { get; init; } = new Dictionary<Metric, double?>();
}
