namespace Espalier.Calibration.Arrays;

/// <summary>Elements of an array: runs of neighbours at a distance.</summary>
/// <param name="Run">Neighbours in a run.</param>
/// <param name="Stride">From the start of a run to that of the next.</param>
internal readonly record struct ArrayPart(long Start, long Run, long Stride, long Count)
{
    /// <summary>Place of an element of the part in the array.</summary>
    public long At(long i) => Start + (i / Run * Stride) + (i % Run);
}
