using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Inputs;

/// <summary>Joins samples of one shape along the batch axis, where the model has one.</summary>
internal sealed class SampleBatches
{
    private readonly int _limit;
    private readonly long _elements;

    /// <param name="most">Most samples in a batch.</param>
    /// <param name="elements">Most elements of all inputs of a batch together; a single sample may be larger.</param>
    public SampleBatches(OnnxModel model, int most, long elements)
    {
        _limit = HasBatchAxis(model) ? Math.Max(1, most) : 1;
        _elements = elements;
    }

    /// <summary>
    /// Axis 0 of every input is its batch axis and has one name in all of them: then rows of it are independent samples. A single input of
    /// rank 1 is taken for a sequence.
    /// </summary>
    private static bool HasBatchAxis(OnnxModel model)
    {
        var inputs = GraphFacts.Inputs(model);
        if (inputs.Count == 0 || inputs.Any(i => i.Type?.TensorType?.Shape is not { Dim.Count: >= 2 })
            || BatchAxes.Find(inputs).Values.Any(axis => axis != 0)) return false;
        var names = inputs.Select(i => i.Type.TensorType.Shape.Dim[0].DimParam).Distinct(StringComparer.Ordinal).ToList();
        return inputs.Count == 1 || (names.Count == 1 && names[0].Length > 0);
    }

    /// <summary>Batches, in the order in which they fill up.</summary>
    public IEnumerable<IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>> Of(
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
        => Places(samples).Select(batch => (IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>)[.. batch.Select(i => samples[i])]);

    /// <summary>The same joined, each when it is asked for.</summary>
    public IReadOnlyList<IReadOnlyList<NamedTensor>> Joined(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var places = Places(samples).ToList();
        return new Picked<IReadOnlyList<NamedTensor>>(places.Count, b => Join([.. places[b].Select(i => samples[i])]));
    }

    /// <summary>Places of the samples of each batch.</summary>
    private IEnumerable<List<int>> Places(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var open = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        for (int i = 0; i < samples.Count; i++)
        {
            if (_limit == 1)
            {
                yield return [i];
                continue;
            }
            // A sample may lie in a file: it is read once here.
            var sample = samples[i].OrderBy(p => p.Key, StringComparer.Ordinal).ToList();
            string key = string.Join(';', sample.Select(p => $"{p.Key} {string.Join(',', p.Value.Shape)}"));
            if (!open.TryGetValue(key, out var list)) open.Add(key, list = []);
            list.Add(i);
            long size = sample.Sum(p => p.Value.Values.LongLength);
            if (list.Count < Math.Min(_limit, Math.Max(1, _elements / Math.Max(1, size)))) continue;
            open.Remove(key);
            yield return list;
        }
        foreach (var list in open.Values) yield return list;
    }

    /// <summary>Whether all samples have inputs of the same shapes.</summary>
    public static bool OfOneShape(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var first = samples[0].ToDictionary(StringComparer.Ordinal);
        return samples.All(s => s.Count == first.Count
            && s.All(p => first.TryGetValue(p.Key, out var own) && own.Shape.SequenceEqual(p.Value.Shape)));
    }

    /// <summary>One batch as inputs.</summary>
    public static IReadOnlyList<NamedTensor> Join(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        if (samples.Count == 1) return [.. samples[0].Values];
        var joined = new List<NamedTensor>();
        foreach (var (name, first) in samples[0])
        {
            var values = Array.CreateInstance(first.Values.GetType().GetElementType()!, first.Values.LongLength * samples.Count);
            for (int i = 0; i < samples.Count; i++)
                Array.Copy(samples[i][name].Values, 0, values, i * first.Values.LongLength, first.Values.LongLength);
            joined.Add(first with { Shape = [first.Shape[0] * samples.Count, .. first.Shape.Skip(1)], Values = values });
        }
        return joined;
    }
}
