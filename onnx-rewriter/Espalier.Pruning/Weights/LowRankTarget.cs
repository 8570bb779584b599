namespace Espalier.Pruning.Weights;

/// <summary>A weight with the rule on its rank.</summary>
internal sealed record LowRankTarget(LowRankRule Rule, FactorableWeight Weight);
