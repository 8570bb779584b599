using System.Buffers;
using System.Runtime.InteropServices;

namespace Espalier.Onnx.Payloads;

/// <summary>
/// The elements of a row-major array at chosen indices of every axis. Nothing is held but the indices: bytes are picked out of the
/// source as they are asked for, neighbouring indices in one piece and near ones through one window, so that memory is that of
/// a row at most.
/// </summary>
internal sealed class GatherSource : ByteSource
{
    private const int Window = 64 * 1024;
    private const int NearGap = 8 * 1024;

    private readonly ByteSource _source;
    // Axes before the gathered one: what is kept of each (null: all), its extent in the result, its stride in the source in bytes.
    private readonly (int[]? Kept, long Extent, long Stride)[] _outer;
    // Runs along the innermost gathered axis, in bytes of a row: start in the source's row, start in the result's row.
    private readonly long[] _from, _to;
    private readonly long _row;
    // For small entries in many short runs: the ascending indices themselves, and the bytes of an entry; else null.
    private readonly int[]? _entries;
    private readonly int _unit;

    private GatherSource(ByteSource source, IEnumerable<(int[]? Kept, long Extent, long Stride)> outer, int[] indices, long unit)
    {
        (_source, _outer, _row, _unit) = (source, [.. outer], indices.Length * unit, (int)Math.Min(unit, Window));
        var (from, to) = (new List<long>(), new List<long>());
        for (var i = 0; i < indices.Length; i++)
        {
            if (i == 0 || indices[i] != indices[i - 1] + 1)
            {
                from.Add(indices[i] * unit);
                to.Add(i * unit);
            }
        }
        (_from, _to) = ([.. from], [.. to]);
        _entries = unit is 1 or 2 or 4 or 8 && from.Count > indices.Length / 8 && Ascends(indices) ? indices : null;
        Length = _outer.Aggregate(_row, (length, axis) => checked(length * axis.Extent));
    }

    public override long Length { get; }

    /// <param name="bits">Bits of one element.</param>
    /// <param name="kept">Indices of each axis; null for all.</param>
    public static ByteSource Create(ByteSource source, IReadOnlyList<long> extents, int bits, IReadOnlyList<int[]?> kept)
    {
        Check(extents, kept);
        var gathered = Enumerable.Range(0, extents.Count).Where(a => kept[a] is { } k && !IsIdentity(k, extents[a])).ToArray();
        if (gathered.Length == 0)
        {
            return source;
        }
        var last = gathered[^1];
        var inner = Product(extents, last + 1);
        if (bits < 8 && inner * bits % 8 != 0)
        {
            return new PackedGatherSource(source, [.. extents], bits, [.. kept]);
        }
        // Whole bytes: an entry of the last gathered axis is `unit` bytes; the axes before it are counted through like an odometer.
        var unit = checked(inner * bits / 8);
        return new GatherSource(source, Merge(extents, kept, gathered, last, unit), kept[last]!, unit);
    }

    /// <summary>The axes before the last gathered one, neighbours of which all is kept taken together.</summary>
    private static List<(int[]? Kept, long Extent, long Stride)> Merge(IReadOnlyList<long> extents, IReadOnlyList<int[]?> kept,
        int[] gathered, int last, long unit)
    {
        var outer = new List<(int[]? Kept, long Extent, long Stride)>();
        var stride = checked(unit * extents[last]);
        for (var axis = last - 1; axis >= 0; axis--)
        {
            if (gathered.Contains(axis))
            {
                outer.Insert(0, (kept[axis], kept[axis]!.Length, stride));
            }
            else if (outer.Count > 0 && outer[0].Kept is null)
            {
                outer[0] = (null, outer[0].Extent * extents[axis], outer[0].Stride);
            }
            else
            {
                outer.Insert(0, (null, extents[axis], stride));
            }
            stride = checked(stride * extents[axis]);
        }
        return outer;
    }

    internal static long Product(IReadOnlyList<long> extents, int start)
    {
        long product = 1;
        for (var i = start; i < extents.Count; i++)
        {
            product = checked(product * extents[i]);
        }
        return product;
    }

    private static void Check(IReadOnlyList<long> extents, IReadOnlyList<int[]?> kept)
    {
        if (kept.Count != extents.Count)
        {
            throw new ArgumentException($"Kept indices are given for {kept.Count} axes of a tensor of rank {extents.Count}.", nameof(kept));
        }
        for (var axis = 0; axis < kept.Count; axis++)
        {
            foreach (var index in kept[axis] ?? [])
            {
                if (index < 0 || index >= extents[axis])
                {
                    throw new ArgumentException($"Index {index} is outside axis {axis} of [{string.Join(", ", extents)}].", nameof(kept));
                }
            }
        }
    }

    private static bool Ascends(int[] indices)
    {
        for (var i = 1; i < indices.Length; i++)
        {
            if (indices[i] <= indices[i - 1])
            {
                return false;
            }
        }
        return true;
    }

    private static bool IsIdentity(int[] kept, long extent)
    {
        if (kept.Length != extent)
        {
            return false;
        }
        for (var i = 0; i < kept.Length; i++)
        {
            if (kept[i] != i)
            {
                return false;
            }
        }
        return true;
    }

    public override void Read(long offset, Span<byte> destination)
    {
        var window = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            while (destination.Length > 0)
            {
                var (row, inRow) = Math.DivRem(offset, _row);
                var part = destination[..(int)Math.Min(destination.Length, _row - inRow)];
                if (_entries is not null && inRow % _unit == 0 && part.Length % _unit == 0)
                {
                    ReadEntries(RowStart(row), (int)(inRow / _unit), part, window);
                }
                else
                {
                    ReadRow(RowStart(row), inRow, part, window);
                }
                destination = destination[part.Length..];
                offset += part.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window);
        }
    }

    private long RowStart(long row)
    {
        long start = 0;
        for (var i = _outer.Length - 1; i >= 0; i--)
        {
            var (kept, extent, stride) = _outer[i];
            (row, var index) = Math.DivRem(row, extent);
            start += (kept is null ? index : kept[index]) * stride;
        }
        return start;
    }

    private void ReadRow(long start, long inRow, Span<byte> destination, byte[] window)
    {
        var run = Array.BinarySearch(_to, inRow);
        run = run < 0 ? ~run - 1 : run;
        while (destination.Length > 0)
        {
            var from = _from[run] + inRow - _to[run];
            var length = (int)Math.Min(RunEnd(run) - inRow, destination.Length);
            var last = length < Window ? LastNear(run, from, inRow + destination.Length) : run;
            if (last == run)
            {
                _source.Read(start + from, destination[..length]);
                destination = destination[length..];
                inRow += length;
                run++;
                continue;
            }
            // Several short runs close to each other: one read, then small copies.
            var span = window.AsSpan(0, (int)(_from[last] + RunEnd(last) - _to[last] - from));
            _source.Read(start + from, span);
            for (; run <= last && destination.Length > 0; run++)
            {
                length = (int)Math.Min(RunEnd(run) - inRow, destination.Length);
                span.Slice((int)(_from[run] + inRow - _to[run] - from), length).CopyTo(destination);
                destination = destination[length..];
                inRow += length;
            }
        }
    }

    /// <summary>A part of a row, entry by entry: as many at a time as one window of the source holds.</summary>
    private void ReadEntries(long start, int entry, Span<byte> destination, byte[] window)
    {
        while (destination.Length > 0)
        {
            var rest = _entries.AsSpan(entry, destination.Length / _unit);
            var first = rest[0];
            var count = rest.BinarySearch((int)Math.Min(int.MaxValue, (long)first + (Window / _unit) - 1));
            count = count < 0 ? ~count : count + 1;
            if ((long)(rest[count - 1] - first) * _unit > (long)count * NearGap)
            {
                count = 1;
            }
            var span = window.AsSpan(0, (rest[count - 1] - first + 1) * _unit);
            _source.Read(start + ((long)first * _unit), span);
            var picked = rest[..count];
            var to = destination[..(count * _unit)];
            switch (_unit)
            {
                case 1: Pick<byte>(span, picked, to); break;
                case 2: Pick<ushort>(span, picked, to); break;
                case 4: Pick<uint>(span, picked, to); break;
                default: Pick<ulong>(span, picked, to); break;
            }
            destination = destination[to.Length..];
            entry += count;
        }
    }

    private static void Pick<T>(ReadOnlySpan<byte> source, ReadOnlySpan<int> entries, Span<byte> destination) where T : unmanaged
    {
        var from = MemoryMarshal.Cast<byte, T>(source);
        var to = MemoryMarshal.Cast<byte, T>(destination);
        var first = entries[0];
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = from[entries[i] - first];
        }
    }

    private long RunEnd(int run) => run + 1 < _to.Length ? _to[run + 1] : _row;

    /// <summary>
    /// The last run that is wanted, ahead of the one before by a small gap, and still inside a window that starts at
    /// <paramref name="from"/>.
    /// </summary>
    private int LastNear(int run, long from, long wanted)
    {
        var last = run;
        while (last + 1 < _from.Length && _to[last + 1] < wanted)
        {
            var end = _from[last] + RunEnd(last) - _to[last];
            var next = _from[last + 1];
            if (next < end || next - end > NearGap || next + RunEnd(last + 1) - _to[last + 1] - from > Window)
            {
                break;
            }
            last++;
        }
        return last;
    }
}
