namespace Espalier;

/// <summary>
/// How the scores that a unit has in the weights of its coupled group become one (SPA, arXiv:2403.18955), each weight's scaled
/// to mean 1 before. For
/// <see cref="Criterion.L1"/>, <see cref="Criterion.L2"/>, <see cref="Criterion.NormScale"/>, <see cref="Criterion.Lamp"/> and
/// <see cref="Criterion.GeometricMedian"/>; activations have one reading each.
/// </summary>
public enum Aggregate
{
    /// <summary>Their sum. The default.</summary>
    Sum,
    /// <summary>Their mean: the order of <see cref="Sum"/>, since every unit of a group is in each of its weights.</summary>
    Mean,
    /// <summary>The largest: a unit stays where one weight needs it.</summary>
    Max,
    /// <summary>The median; of an even number the mean of the middle two.</summary>
    Median,
    /// <summary>
    /// The order of their product, written as the geometric mean so that it cannot overflow: a unit that is zero in one weight goes first.
    /// </summary>
    Product,
}
