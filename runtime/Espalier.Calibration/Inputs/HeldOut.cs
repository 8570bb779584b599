namespace Espalier.Calibration.Inputs;

/// <summary>
/// Which samples are held out where something that is fitted is to be checked: every eighth, so that neither part is of another
/// kind where data are sorted.
/// </summary>
internal static class HeldOut
{
    private const int Every = 8;

    public static (IReadOnlyList<T> Fitted, IReadOnlyList<T> HeldOut) Divide<T>(IReadOnlyList<T> samples)
    {
        int held = samples.Count / Every;
        return (new Picked<T>(samples.Count - held, i => samples[i + (i / (Every - 1))]),
            new Picked<T>(held, i => samples[(i * Every) + Every - 1]));
    }
}
