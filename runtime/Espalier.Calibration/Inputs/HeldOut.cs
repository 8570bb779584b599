namespace Espalier.Calibration.Inputs;

/// <summary>
/// Which samples are held out where something that is fitted is to be checked: every fourth, so that neither part is of another
/// kind where data are sorted.
/// </summary>
internal static class HeldOut
{
    public static (IReadOnlyList<T> Fitted, IReadOnlyList<T> HeldOut) Divide<T>(IReadOnlyList<T> samples)
        => ([.. samples.Where((_, i) => i % 4 != 3)], [.. samples.Where((_, i) => i % 4 == 3)]);
}
