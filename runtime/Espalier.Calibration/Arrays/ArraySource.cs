using System.Runtime.InteropServices;
using Espalier.Onnx.Files;

namespace Espalier.Calibration.Arrays;

/// <summary>Elements of an array in memory, or left in their file: float, double, int, long or byte.</summary>
/// <param name="count">How many there are.</param>
internal abstract class ArraySource(long count)
{
    public long Count => count;

    /// <summary>Some of them; not to be written to.</summary>
    public abstract Array Read(long start, int length);

    public static ArraySource Of(Array values) => new Held(values);

    private sealed class Held(Array values) : ArraySource(values.LongLength)
    {
        public override Array Read(long start, int length)
        {
            if (length == values.LongLength) return values;
            var some = Array.CreateInstance(values.GetType().GetElementType()!, length);
            Array.Copy(values, start, some, 0, length);
            return some;
        }
    }
}

/// <summary>Elements that stay in their file. A window of them is held, so that a walk in small steps reads no byte twice.</summary>
/// <param name="offset">Where they begin in the file.</param>
internal sealed class FileElements<T>(string path, long offset, long count) : ArraySource(count) where T : unmanaged
{
    private const int Window = 1 << 16;

    private readonly Lock _lock = new();
    private T[] _window = [];
    private long _first;

    public override Array Read(long start, int length)
    {
        if (length >= Window) return Load(start, length);
        lock (_lock)
        {
            if (start < _first || start + length > _first + _window.Length)
                (_first, _window) = (start, Load(start, (int)Math.Min(Window, Count - start)));
            return _window.AsSpan((int)(start - _first), length).ToArray();
        }
    }

    private T[] Load(long start, int length)
    {
        var values = new T[length];
        try
        {
            using var file = new SourceFile(SourceFile.OpenStream(path));
            file.Read(offset + (start * Marshal.SizeOf<T>()), MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }
        catch (IOException e)
        {
            throw new EspalierException($"'{path}' cannot be read: {e.Message}", e);
        }
    }
}
