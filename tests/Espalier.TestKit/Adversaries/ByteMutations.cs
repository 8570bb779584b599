using Espalier.Onnx.Limits;
using Espalier.Onnx.Wire;

namespace Espalier.TestKit.Adversaries;

/// <summary>Damage to the bytes of a file.</summary>
internal static class ByteMutations
{
    private static readonly string[] Kinds = ["a bit", "a byte", "bytes of ones", "bytes copied over others", "bytes less",
        "bytes twice", "a length", "the end cut off", "bytes of another file"];

    /// <summary>
    /// Where the structure is: all bytes but those of large weights, of which any bits are weights.
    /// </summary>
    public static int[] Structure(ReadOnlySpan<byte> bytes)
    {
        var result = new List<int>();
        int at = 0;
        foreach (var splice in WireScanner.FindPayloads(bytes, OnnxLimits.Default, null, default).Splices)
        {
            result.AddRange(Enumerable.Range(at, splice.ContentAt - at));
            at = splice.ContentAt + splice.ContentLength;
        }
        result.AddRange(Enumerable.Range(at, bytes.Length - at));
        return [.. result];
    }

    /// <summary>The bytes with one thing changed, and what was done.</summary>
    /// <param name="random">What is drawn from.</param>
    /// <param name="bytes">The file; it is not changed.</param>
    /// <param name="structure">
    /// Where it may be changed, see <see cref="Structure"/>; null for anywhere.
    /// </param>
    /// <param name="other">Another file, which gives bytes.</param>
    public static (string What, byte[] Bytes) Apply(Random random, byte[] bytes, int[]? structure = null, byte[]? other = null)
    {
        int kind = random.Next(other is null ? Kinds.Length - 1 : Kinds.Length);
        int At() => structure is null ? random.Next(bytes.Length) : structure[random.Next(structure.Length)];
        int at = At(), most = bytes.Length - at;
        int some = Math.Min(random.Next(4) == 0 ? random.Next(1, 200) : random.Next(1, 9), most);
        if (kind is 4) return (Kinds[kind], [.. bytes.AsSpan(0, at), .. bytes.AsSpan(at + some)]);
        if (kind is 5) return (Kinds[kind], [.. bytes.AsSpan(0, at + some), .. bytes.AsSpan(at)]);
        if (kind is 7) return (Kinds[kind], bytes[..at]);
        if (kind is 8)
        {
            int from = random.Next(other!.Length), length = Math.Min(random.Next(1, 64), other.Length - from);
            return (Kinds[kind], [.. bytes.AsSpan(0, at), .. other.AsSpan(from, length),
                .. bytes.AsSpan(random.Next(2) == 0 ? at : Math.Min(bytes.Length, at + length))]);
        }
        var changed = (byte[])bytes.Clone();
        switch (kind)
        {
            case 0: changed[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: changed[at] = (byte)random.Next(256); break;
            case 2: changed.AsSpan(at, some).Fill(0xFF); break;
            case 3: bytes.AsSpan(at, some).CopyTo(changed.AsSpan(Math.Min(At(), bytes.Length - some))); break;
            // A varint of up to ten bytes, as lengths and numbers are.
            default:
                var number = changed.AsSpan(at, Math.Min(random.Next(1, 11), most));
                number.Fill(0x80);
                number[^1] = (byte)random.Next(128);
                break;
        }
        return (Kinds[kind], changed);
    }
}
