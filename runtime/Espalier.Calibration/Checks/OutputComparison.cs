namespace Espalier.Calibration.Checks;

/// <summary>Compares outputs of two models.</summary>
internal static class OutputComparison
{
    /// <summary>
    /// An absolute difference of 1e-7 in an output that is all but zero is rounding, not an error of one part in one: outputs below
    /// this are measured against it.
    /// </summary>
    public const double Floor = 1e-3;

    /// <summary>max|a−b| / max(1e-3, max|a|); infinite where the shapes differ or only one of the two is finite somewhere.</summary>
    public static double RelativeError(NamedTensor a, NamedTensor b)
    {
        if (a.ElementType == "string" || !a.Shape.SequenceEqual(b.Shape))
            return a.ElementType == "string" && a.Values.Cast<string>().SequenceEqual(b.Values.Cast<string>())
                ? 0
                : double.PositiveInfinity;
        var x = Doubles(a);
        var y = Doubles(b);
        double largest = Floor, difference = 0;
        for (int i = 0; i < x.Length; i++)
        {
            if (x[i].Equals(y[i])) continue;
            if (!double.IsFinite(x[i]) || !double.IsFinite(y[i])) return double.PositiveInfinity;
            difference = Math.Max(difference, Math.Abs(x[i] - y[i]));
        }
        foreach (double v in x) if (double.IsFinite(v)) largest = Math.Max(largest, Math.Abs(v));
        return difference / largest;
    }

    /// <summary>Elements that differ by more than <paramref name="tolerance"/>, relative as above; of tensors of one shape.</summary>
    public static IEnumerable<int> Beyond(NamedTensor a, NamedTensor b, double tolerance)
    {
        if (a.ElementType == "string") yield break;
        var x = Doubles(a);
        var y = Doubles(b);
        double largest = x.Where(double.IsFinite).Select(Math.Abs).Append(Floor).Max();
        for (int i = 0; i < x.Length; i++) if (Math.Abs(x[i] - y[i]) > tolerance * largest) yield return i;
    }

    public static double[] Doubles(NamedTensor t) => t.Values switch
    {
        float[] v => Array.ConvertAll(v, x => (double)x),
        double[] v => v,
        Half[] v => Array.ConvertAll(v, x => (double)x),
        ushort[] v when t.ElementType == "bfloat16" => Array.ConvertAll(v, x => (double)BitConverter.UInt32BitsToSingle((uint)x << 16)),
        bool[] v => Array.ConvertAll(v, x => x ? 1.0 : 0.0),
        var other => [.. other.Cast<IConvertible>().Select(x => x.ToDouble(System.Globalization.CultureInfo.InvariantCulture))],
    };

    public static bool IsFloat(NamedTensor t) => t.ElementType is "float32" or "float64" or "float16" or "bfloat16";
}
