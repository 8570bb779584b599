namespace Espalier.Calibration.Arrays;

/// <summary>One array of a file, row-major.</summary>
/// <param name="Path">Where it came from, for messages.</param>
/// <param name="Values">float, double, int, long or byte elements.</param>
public sealed record ArrayFile(string Path, long[] Shape, Array Values)
{
    /// <summary>Every element times <paramref name="factor"/>, as float.</summary>
    public ArrayFile Scaled(double factor)
    {
        var scaled = new float[Values.LongLength];
        for (int i = 0; i < scaled.Length; i++) scaled[i] = (float)(Number(i) * factor);
        return this with { Values = scaled };
    }

    /// <summary>Part of the array as a tensor of the wanted type.</summary>
    /// <exception cref="EspalierException">The type is not to be had, or a number does not fit it.</exception>
    internal NamedTensor Slice(string name, ArrayPart part, long[] shape, string elementType)
    {
        if (part.Count > 0 && part.At(part.Count - 1) >= Values.LongLength)
            throw new EspalierException($"'{Path}' has too few elements for '{name}'.");
        Array values = elementType switch
        {
            "float32" => Convert(v => (float)v),
            "float64" => Convert(v => v),
            "float16" => Convert(v => (Half)v),
            "int64" when Values is long[] longs => Pick(i => longs[i]),
            "int64" => Convert(v => (long)Whole(v, long.MinValue, long.MaxValue)),
            "int32" => Convert(v => (int)Whole(v, int.MinValue, int.MaxValue)),
            "int16" => Convert(v => (short)Whole(v, short.MinValue, short.MaxValue)),
            "int8" => Convert(v => (sbyte)Whole(v, sbyte.MinValue, sbyte.MaxValue)),
            "uint8" => Convert(v => (byte)Whole(v, 0, byte.MaxValue)),
            "bool" => Convert(v => v != 0),
            _ => throw new EspalierException($"The input '{name}' has elements of type {elementType}, which calibration data cannot give."),
        };
        return new NamedTensor(name, elementType, shape, values);

        T[] Convert<T>(Func<double, T> to) => Pick(i => to(Number(i)));

        T[] Pick<T>(Func<long, T> at)
        {
            var picked = new T[part.Count];
            for (int i = 0; i < picked.Length; i++) picked[i] = at(part.At(i));
            return picked;
        }

        double Whole(double v, double least, double most) => v == Math.Floor(v) && v >= least && v <= most
            ? v
            : throw new EspalierException($"'{Path}' has {v} where the input '{name}' wants {elementType}.");
    }

    private double Number(long i) => Values switch
    {
        float[] v => v[i],
        double[] v => v[i],
        int[] v => v[i],
        long[] v => v[i],
        byte[] v => v[i],
        _ => throw new NotSupportedException(Values.GetType().Name),
    };
}
