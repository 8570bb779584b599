using Espalier.Calibration.Arrays;
using Espalier.Onnx;

namespace Espalier.Calibration.Data;

/// <summary>Arrays of all inputs, cut into samples so that every input has as many.</summary>
internal static class SampleArrays
{
    /// <param name="path">Where they came from, for messages.</param>
    /// <param name="arrays">One for each, by name; others are not looked at.</param>
    /// <exception cref="EspalierException">An array is missing or fits in no way, or the numbers of samples differ: what came
    /// and what would be taken, for every input.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Cut(string path, IReadOnlyList<ValueInfoProto> inputs,
        IReadOnlyDictionary<string, ArrayFile> arrays, int most)
    {
        if (inputs.FirstOrDefault(i => !arrays.ContainsKey(i.Name)) is { } missing)
            throw new EspalierException($"'{path}' has no array '{missing.Name}'; it has "
                + $"{string.Join(", ", arrays.Keys.Order(StringComparer.Ordinal))}, and the model wants "
                + $"{string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}.");
        var batch = BatchAxes.Find(inputs);
        var ways = inputs.Select(i =>
            SampleCut.Enumerate(arrays[i.Name], i.Type?.TensorType?.Shape?.Dim, batch[i.Name], BatchAxes.HasNameOfItsOwn(inputs, i))
                .ToList()).ToList();
        var (count, cuts) = Agree(ways) ?? throw Refusal(path, inputs, arrays, batch, ways);
        if (count == 0) throw new EspalierException($"'{path}' has no samples.");
        return SampleStore.Create(Enumerable.Range(0, (int)Math.Min(count, most))
            .Select(n => inputs.Select((input, i) => cuts[i].Sample(input, n)).ToDictionary(t => t.Name, StringComparer.Ordinal)),
            leftOut: count > most ? FormattableString.Invariant($"Of {count} samples the first {most} are used.") : null);
    }

    /// <summary>
    /// The number of samples of which every input has a way, by the likeliest ways and then the larger number; one sample where
    /// no input counts any.
    /// </summary>
    private static (long Count, IReadOnlyList<SampleCut> Cuts)? Agree(IReadOnlyList<List<SampleCut>> ways)
    {
        var counts = ways.SelectMany(w => w).Where(c => !c.IsGuess).Select(c => c.Samples).OfType<long>().Distinct().DefaultIfEmpty(1);
        var fits = counts.Select(n => (Count: n, At: ways.Select(w => Way(w, n)).ToList())).Where(f => f.At.All(at => at >= 0))
            .OrderBy(f => f.At.Sum()).ThenByDescending(f => f.Count).ToList();
        return fits.Count == 0 ? null : (fits[0].Count, [.. ways.Select((w, i) => w[fits[0].At[i]])]);

        static int Way(List<SampleCut> own, long count) => own.FindIndex(c => c.Samples is null || c.Samples == count);
    }

    private static EspalierException Refusal(string path, IReadOnlyList<ValueInfoProto> inputs,
        IReadOnlyDictionary<string, ArrayFile> arrays, IReadOnlyDictionary<string, int> batch, IReadOnlyList<List<SampleCut>> ways)
    {
        string Of(ValueInfoProto input, int i)
        {
            var likeliest = ways[i].FirstOrDefault(c => !c.IsGuess);
            string found = likeliest is null
                ? "which does not fit"
                : likeliest.Samples is { } n
                    ? FormattableString.Invariant($"{n} sample{(n == 1 ? "" : "s")}")
                    : "the same for every sample";
            return $"'{input.Name}' came as [{string.Join(',', arrays[input.Name].Shape)}], {found}; it is taken as "
                + $"{SampleCut.Layouts(input.Type?.TensorType?.Shape?.Dim, batch[input.Name])}.";
        }
        string what = ways.Any(w => w.Count == 0)
            ? "does not fit the model's inputs"
            : "has not the same number of samples for every input";
        return new($"'{path}' {what}: {string.Join(' ', inputs.Select(Of))}");
    }
}
