namespace Espalier.Pruning.Weights;

/// <summary>A weight of which so many ranks are kept.</summary>
internal sealed record RankCut(FactorableWeight Target, int Rank);
