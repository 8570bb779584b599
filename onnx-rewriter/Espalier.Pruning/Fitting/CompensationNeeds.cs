namespace Espalier.Pruning.Fitting;

/// <summary>What a way to make up for removed units must have measured of what reads them.</summary>
/// <param name="Method">The way.</param>
/// <param name="Means">Their means.</param>
/// <param name="Covariance">Their covariance.</param>
/// <param name="HeldOut">The same over rows that no fit sees, to judge it by.</param>
internal sealed record CompensationNeeds(Compensation Method, bool Means, bool Covariance, bool HeldOut)
{
    // From the least demanding to the most.
    private static readonly CompensationNeeds[] All =
    [
        new(Compensation.None, false, false, false),
        new(Compensation.Merge, false, false, false),
        new(Compensation.Bias, true, false, false),
        new(Compensation.Affine, true, true, false),
        new(Compensation.Rescale, true, true, true),
        new(Compensation.LeastSquares, true, true, true),
    ];

    /// <summary>The row of a way; that of none without one.</summary>
    public static CompensationNeeds Get(Compensation? method) => All[Place(method ?? Compensation.None)];

    /// <summary>Of two rules for one reader the way that asks for more.</summary>
    public static Compensation MoreDemanding(Compensation one, Compensation other) => Place(one) >= Place(other) ? one : other;

    private static int Place(Compensation method) => Array.FindIndex(All, row => row.Method == method);
}
