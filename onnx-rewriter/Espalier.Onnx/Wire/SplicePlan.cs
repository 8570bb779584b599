using Espalier.Onnx.Payloads;

namespace Espalier.Onnx.Wire;

/// <summary>A field that is replaced: in reading a payload by its token, in writing a token by its payload.</summary>
/// <param name="Field">Which of a tensor's data fields it is.</param>
/// <param name="ContentAt">Where its content begins in the bytes that were walked.</param>
/// <param name="ContentLength">Bytes of the content there.</param>
/// <param name="NewLength">Bytes of the content that takes its place.</param>
/// <param name="Entries">Numbers in the content of a typed field.</param>
/// <param name="Token">The token that stands, or is to stand, for the payload.</param>
internal readonly record struct Splice(DataField Field, int ContentAt, int ContentLength, long NewLength, long Entries, long Token);

/// <summary>
/// One place where the bytes change: a length that encloses replaced fields, or the length and content of a replaced field.
/// </summary>
/// <param name="At">First byte of the old length.</param>
/// <param name="Old">Bytes that are left out from there on.</param>
/// <param name="SpliceIndex">The replaced field, −1 for an enclosing length.</param>
internal readonly record struct Patch(int At, int Old, long Length, int SpliceIndex);

/// <summary>What the walk found: the changes in the order of the bytes, and the length of the whole with them.</summary>
internal sealed class SplicePlan
{
    public List<Splice> Splices { get; } = [];
    public List<Patch> Patches { get; } = [];
    public long NewLength { get; set; }

    /// <summary>Writes the bytes with the changes made.</summary>
    /// <param name="bytes">The bytes that were walked.</param>
    /// <param name="write">Takes the unchanged bytes and the new lengths.</param>
    /// <param name="content">Called where the content of a replaced field belongs.</param>
    public void Emit(ReadOnlySpan<byte> bytes, SpanWriter write, Action<Splice> content)
    {
        Span<byte> length = stackalloc byte[WireNumber.MaxVarint];
        var at = 0;
        foreach (var patch in Patches)
        {
            write(bytes[at..patch.At]);
            write(length[..WireNumber.Write(length, (ulong)patch.Length)]);
            if (patch.SpliceIndex >= 0)
            {
                content(Splices[patch.SpliceIndex]);
            }
            at = patch.At + patch.Old;
        }
        write(bytes[at..]);
    }
}

internal delegate void SpanWriter(ReadOnlySpan<byte> bytes);
