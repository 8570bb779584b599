namespace Espalier.Gradients.Rules.Sampling;

/// <summary>
/// How Resize finds the elements that one of its result is made of, as ONNX Runtime does: in single precision, where a position lies
/// between two.
/// </summary>
internal sealed record Interpolation(string Mode, string Coordinates, string Rounding, float Cubic, bool DropsOutside)
{
    public bool IsNearest => Mode == "nearest";

    /// <summary>Whether positions follow from the sizes, not only from the factor.</summary>
    public bool CountsFromEnds => Coordinates is "align_corners" or "half_pixel_symmetric" or "pytorch_half_pixel";

    public static Interpolation Of(GradientContext context)
    {
        if (context.Int("antialias", 0) != 0) throw new NoGradientException("it filters what it makes smaller (antialias)");
        bool isOld = context.Node.OpType == "Upsample" || context.Opset < 11;
        string mode = context.Text("mode", "nearest");
        string coordinates = isOld ? "asymmetric" : context.Text("coordinate_transformation_mode", "half_pixel");
        if (coordinates is not ("asymmetric" or "half_pixel" or "align_corners" or "pytorch_half_pixel" or "half_pixel_symmetric"))
            throw new NoGradientException($"its coordinates are {coordinates}");
        bool dropsOutside = context.Int("exclude_outside", 0) != 0;
        return mode switch
        {
            "nearest" => new(mode, coordinates, isOld ? "simple" : context.Text("nearest_mode", "round_prefer_floor"), 0, false),
            "linear" or "bilinear" when !dropsOutside => new("linear", coordinates, "", 0, false),
            "cubic" => new(mode, coordinates, "", (float)context.Real("cubic_coeff_a", -0.75), dropsOutside),
            _ => throw new NoGradientException($"its mode is {mode}"),
        };
    }

    /// <summary>A row for each element of the result, a column for each of the operand.</summary>
    public double[] Matrix(long from, long to, float factor)
    {
        var matrix = new double[to * from];
        for (long o = 0; o < to; o++)
            foreach (var (at, weight) in Sources(Position(o, from, to, factor), from, factor))
                matrix[(o * from) + Math.Clamp(at, 0, from - 1)] += weight;
        return matrix;
    }

    private float Position(long o, long from, long to, float factor) => Coordinates switch
    {
        _ when factor == 1 => o,
        "asymmetric" => o / factor,
        "half_pixel" => ((o + 0.5f) / factor) - 0.5f,
        "pytorch_half_pixel" => to > 1 ? ((o + 0.5f) / factor) - 0.5f : 0,
        "align_corners" => to == 1 ? 0 : o * (float)(from - 1) / (to - 1),
        _ => Symmetric(o, from, to, factor),
    };

    private static float Symmetric(long o, long from, long to, float factor)
    {
        float adjustment = to / (factor * from), centre = from / 2f;
        return (centre * (1 - adjustment)) + ((o + 0.5f) / factor) - 0.5f;
    }

    private IEnumerable<(long At, double Weight)> Sources(float position, long from, float factor)
    {
        if (IsNearest) return [(Rounded(position, factor < 1), 1)];
        if (Mode == "cubic") return CubicSources(position, from);
        float inside = Math.Clamp(position, 0, from - 1);
        long low = (long)inside;
        return [(low, 1 - (inside - low)), (low + 1, inside - low)];
    }

    private long Rounded(float position, bool isSmaller) => (long)(Rounding switch
    {
        "simple" => isSmaller ? MathF.Ceiling(position) : MathF.Truncate(position),
        "floor" => MathF.Floor(position),
        "ceil" => MathF.Ceiling(position),
        "round_prefer_floor" => position == MathF.Floor(position) + 0.5f ? MathF.Floor(position) : MathF.Round(position),
        _ => MathF.Round(position, MidpointRounding.AwayFromZero),
    });

    private IEnumerable<(long At, double Weight)> CubicSources(float position, long from)
    {
        long low = (long)MathF.Floor(position);
        double s = position - low, a = Cubic;
        double[] weights = [Far(s + 1), Near(s), Near(1 - s), Far(2 - s)];
        if (DropsOutside)
        {
            for (int k = 0; k < 4; k++)
                if (low - 1 + k < 0 || low - 1 + k >= from) weights[k] = 0;
            double all = weights.Sum();
            weights = [.. weights.Select(w => w / all)];
        }
        return weights.Select((w, k) => (low - 1 + k, w));

        double Near(double d) => ((((a + 2) * d) - (a + 3)) * d * d) + 1;
        double Far(double d) => (((((a * d) - (5 * a)) * d) + (8 * a)) * d) - (4 * a);
    }
}
