using Espalier.Axes.Terms;

namespace Espalier.Axes.Measurements;

/// <summary>What is averaged of an activation that has a value per unit.</summary>
internal enum SignalKind
{
    /// <summary>
    /// Router's probability of an expert, counted where the expert is among those that are chosen; and the share of the rows where it is.
    /// </summary>
    RouterUse,
    /// <summary>
    /// Attention that a head gives to other positions than the query's own and the first, over all queries. Queries are taken
    /// to be the last of the keys.
    /// </summary>
    AttentionElsewhere,
    /// <summary>
    /// Of the positions t at which the model's likeliest next token stands at some j ≤ t, the share at which the head's largest
    /// weight is on such a j.
    /// </summary>
    Retrieval,
}

/// <summary>
/// An activation that has a value per unit of a group, found by its terms and by the operator that normalises it; names play no part.
/// </summary>
/// <param name="Group">Number of the group.</param>
/// <param name="Tensor">The activation: router's probabilities or logits, or attention weights.</param>
/// <param name="Axis">Its axis along the units.</param>
internal sealed record UnitSignal(int Group, SignalKind Kind, string Tensor, int Axis)
{
    /// <summary>Term of that axis.</summary>
    public required Term Term { get; init; }
    /// <summary>Whether it is normalised already; of logits the softmax is taken.</summary>
    public bool IsDistribution { get; init; }
    /// <summary>How many units are chosen per row; 0 for all.</summary>
    public int Chosen { get; init; }
    /// <summary>The units' group as a factor, for <see cref="Term.UnitMap"/>.</summary>
    public required Factor Factor { get; init; }
}

/// <summary>Averages of a <see cref="UnitSignal"/>, one per unit.</summary>
/// <param name="Share">Share of the rows where the unit is among the chosen; ones where all are.</param>
internal sealed record SignalStatistics(double[] Mean, double[] Share);
