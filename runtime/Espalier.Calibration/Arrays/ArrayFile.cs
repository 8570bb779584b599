namespace Espalier.Calibration.Arrays;

/// <summary>One array of a file, row-major.</summary>
/// <param name="Path">Where it came from, for messages.</param>
internal sealed record ArrayFile(string Path, long[] Shape, ArraySource Source)
{
    public ArrayFile(string path, long[] shape, Array values) : this(path, shape, ArraySource.Of(values))
    {
    }

    /// <summary>All elements; not to be written to.</summary>
    public Array All() => Source.Read(0, checked((int)Source.Count));

    /// <summary>Every element times <paramref name="factor"/>, as float.</summary>
    public ArrayFile Scaled(double factor)
    {
        var scaled = new float[Source.Count];
        var number = Numbers(All());
        for (int i = 0; i < scaled.Length; i++) scaled[i] = (float)(number(i) * factor);
        return this with { Source = ArraySource.Of(scaled) };
    }

    /// <summary>Part of the array as a tensor of the wanted type.</summary>
    /// <exception cref="EspalierException">The type is not to be had, or a number does not fit it.</exception>
    internal NamedTensor Slice(string name, ArrayPart part, long[] shape, string elementType)
    {
        if (part.Count > 0 && part.At(part.Count - 1) >= Source.Count)
            throw new EspalierException($"'{Path}' has too few elements for '{name}'.");
        Array values = elementType switch
        {
            "float32" => Convert(v => (float)v),
            "float64" => Convert(v => v),
            "float16" => Convert(v => (Half)v),
            "int64" => Convert(v => (long)Whole(v, long.MinValue, long.MaxValue)),
            "int32" => Convert(v => (int)Whole(v, int.MinValue, int.MaxValue)),
            "int16" => Convert(v => (short)Whole(v, short.MinValue, short.MaxValue)),
            "int8" => Convert(v => (sbyte)Whole(v, sbyte.MinValue, sbyte.MaxValue)),
            "uint8" => Convert(v => (byte)Whole(v, 0, byte.MaxValue)),
            "bool" => Convert(v => v != 0),
            _ => throw new EspalierException($"The input '{name}' has elements of type {elementType}, which calibration data cannot give."),
        };
        return new NamedTensor(name, elementType, shape, values);

        T[] Convert<T>(Func<double, T> to)
        {
            var picked = new T[part.Count];
            for (int at = 0, run; at < picked.Length; at += run)
            {
                run = (int)Math.Min(part.Run, picked.Length - at);
                var elements = Source.Read(part.At(at), run);
                // Not 'is': an array of bytes is one of signed bytes to that.
                if (elements.GetType() == typeof(T[]))
                {
                    elements.CopyTo(picked, at);
                    continue;
                }
                var number = Numbers(elements);
                for (int i = 0; i < run; i++) picked[at + i] = to(number(i));
            }
            return picked;
        }

        double Whole(double v, double least, double most) => v == Math.Floor(v) && v >= least && v <= most
            ? v
            : throw new EspalierException($"'{Path}' has {v} where the input '{name}' wants {elementType}.");
    }

    private static Func<int, double> Numbers(Array elements) => elements switch
    {
        float[] v => i => v[i],
        double[] v => i => v[i],
        int[] v => i => v[i],
        long[] v => i => v[i],
        byte[] v => i => v[i],
        _ => throw new NotSupportedException(elements.GetType().Name),
    };
}
