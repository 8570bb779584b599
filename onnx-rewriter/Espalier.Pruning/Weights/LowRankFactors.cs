namespace Espalier.Pruning.Weights;

/// <summary>
/// A weight as a product of two, in the dense layout: surgery gathers the rows of the first and the columns of the second like
/// those of every other weight.
/// </summary>
internal sealed record LowRankFactors(FactorableWeight Target, int Rank, float[] Down, float[] Up)
{
    /// <summary>For the report: sizes that pruning left, and what is saved.</summary>
    public LowRankSize? Size { get; init; }

    /// <summary>Share of the outputs' squares that is lost, as a root; null without data.</summary>
    public double? Error { get; init; }

    /// <summary>‖W − AB‖ / ‖W‖ over what is left of the dense model's weight; null for factors that were read from a file.</summary>
    public double? Distance { get; init; }
}
