using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Trimming;

/// <summary>
/// Padding is no data: where an input of zeros and ones says up to where a sample is filled, every sample is cut there. That the
/// model does not look behind it is not believed but tried: cut samples must give what whole ones give.
/// </summary>
internal static class Padding
{
    /// <summary>Samples that the two are compared on.</summary>
    private const int Tried = 4;

    /// <summary>Far above rounding, far below what a row of padding changes.</summary>
    private const double Tolerance = 1e-3;

    /// <summary>The samples without their padding.</summary>
    /// <param name="notes">Gets what was cut off, or why nothing was.</param>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Trim(OnnxModel model,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, ICollection<string> notes, CancellationToken cancellation)
    {
        var inputs = GraphFacts.Inputs(model);
        foreach (var input in inputs)
        {
            if (input.Type?.TensorType?.Shape is not { Dim: [_, { DimParam: { Length: > 0 } symbol }] }
                || !samples.All(s => s.ContainsKey(input.Name))) continue;
            long[] lengths = [.. samples.Select(s => Filled(s[input.Name]))];
            long all = samples.Sum(s => s[input.Name].Shape[^1]), left = lengths.Sum();
            if (lengths.Contains(0) || left == all) continue;
            List<IReadOnlyDictionary<string, NamedTensor>> cut = [.. samples.Zip(lengths, (s, n) => Cut(s, n, inputs, symbol))];
            int[] padded = [.. Enumerable.Range(0, cut.Count).Where(k => lengths[k] < samples[k][input.Name].Shape[^1]).Take(Tried)];
            if (!AgreeOn(model, [.. padded.Select(k => (samples[k], cut[k]))], cancellation))
            {
                notes.Add($"Padding counts as data: what '{input.Name}' leaves out changes the outputs of the model all the same.");
                continue;
            }
            notes.Add(FormattableString.Invariant($"Padding is no data: {left} of {all} positions of the samples are left, as ")
                + $"'{input.Name}' says.");
            return cut;
        }
        return samples;
    }

    /// <summary>Up to where a sample is filled: the longest of its rows of ones and then zeros; 0 for other numbers.</summary>
    private static long Filled(NamedTensor mask)
    {
        if (mask.Shape.Count != 2 || mask.ElementType == "string") return 0;
        double[] values = OutputComparison.Doubles(mask);
        long longest = 0, width = mask.Shape[1];
        for (long row = 0; row < mask.Shape[0]; row++)
        {
            var own = values.AsSpan((int)(row * width), (int)width);
            int ones = own.IndexOfAnyExcept(1.0);
            if (ones < 0) ones = own.Length;
            if (own[ones..].ContainsAnyExcept(0.0)) return 0;
            longest = Math.Max(longest, ones);
        }
        return longest;
    }

    private static IReadOnlyDictionary<string, NamedTensor> Cut(IReadOnlyDictionary<string, NamedTensor> sample, long length,
        IReadOnlyList<ValueInfoProto> inputs, string symbol)
    {
        var cut = new Dictionary<string, NamedTensor>(sample, StringComparer.Ordinal);
        foreach (var input in inputs)
        {
            if (input.Type?.TensorType?.Shape is not { } shape || !cut.TryGetValue(input.Name, out var tensor)) continue;
            for (int axis = 0; axis < shape.Dim.Count; axis++)
                if (shape.Dim[axis].DimParam == symbol) tensor = Take(tensor, axis, length);
            cut[input.Name] = tensor;
        }
        return cut;
    }

    /// <summary>The first elements along an axis.</summary>
    private static NamedTensor Take(NamedTensor tensor, int axis, long count)
    {
        if (tensor.Shape[axis] <= count) return tensor;
        long inner = tensor.Shape.Skip(axis + 1).Aggregate(1L, (a, b) => a * b);
        long outer = tensor.Shape.Take(axis).Aggregate(1L, (a, b) => a * b);
        var values = Array.CreateInstance(tensor.Values.GetType().GetElementType()!, outer * count * inner);
        for (long o = 0; o < outer; o++)
            Array.Copy(tensor.Values, o * tensor.Shape[axis] * inner, values, o * count * inner, count * inner);
        return tensor with { Shape = [.. tensor.Shape.Select((s, a) => a == axis ? count : s)], Values = values };
    }

    private static bool AgreeOn(OnnxModel model, IReadOnlyList<(IReadOnlyDictionary<string, NamedTensor> Whole,
        IReadOnlyDictionary<string, NamedTensor> Cut)> pairs, CancellationToken cancellation)
    {
        try
        {
            using var session = Sessions.Open(model);
            return pairs.All(p =>
            {
                var (whole, cut) = (session.Run(p.Whole.Values, cancellation), session.Run(p.Cut.Values, cancellation));
                return cut.All(c =>
                {
                    var same = whole[c.Key];
                    for (int axis = 0; axis < c.Value.Shape.Count && same.Shape.Count == c.Value.Shape.Count; axis++)
                        same = Take(same, axis, c.Value.Shape[axis]);
                    return OutputComparison.RelativeError(same, c.Value) <= Tolerance;
                });
            });
        }
        catch (EspalierException)
        {
            // A size that is dynamic by declaration only.
            return false;
        }
    }
}
