using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Espalier.Fuzz;

/// <summary>
/// What the instrumented assemblies say of a run: which branches followed which others, and about how often.
/// </summary>
internal sealed unsafe class Coverage
{
    private const int Size = 1 << 16;

    private readonly byte* _counts = (byte*)NativeMemory.AlignedAlloc(Size, 64);
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Must be made before any instrumented code runs.</summary>
    public Coverage()
    {
        Begin();
        Trace.SharedMem = _counts;
    }

    /// <summary>Pairs of branches that any run has reached.</summary>
    public int Edges { get; private set; }

    /// <summary>Forgets the run before.</summary>
    public void Begin()
    {
        new Span<byte>(_counts, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Whether the run reached what none before did, or did it much more often.</summary>
    public bool IsNew()
    {
        bool isNew = false;
        var words = new ReadOnlySpan<ulong>(_counts, Size / 8);
        for (int w = 0; w < words.Length; w++)
        {
            if (words[w] == 0) continue;
            for (int k = w * 8; k < (w * 8) + 8; k++)
            {
                byte bucket = Bucket(_counts[k]);
                if ((_seen[k] & bucket) == bucket) continue;
                if (_seen[k] == 0) Edges++;
                _seen[k] |= bucket;
                isNew = true;
            }
        }
        return isNew;
    }

    /// <summary>A bit for 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, and more.</summary>
    private static byte Bucket(byte count) => count switch
    {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };
}
