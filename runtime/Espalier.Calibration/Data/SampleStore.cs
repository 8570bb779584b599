using System.Collections;
using Espalier.Calibration.Arrays;

namespace Espalier.Calibration.Data;

/// <summary>
/// Samples, of which only so many bytes are in memory: the others are in a temporary file, and are read every time they are asked for.
/// </summary>
internal sealed class SampleStore : IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>
{
    private readonly TensorStore _store;

    private SampleStore(long most) => _store = new(most);

    /// <summary>Takes samples as they come.</summary>
    /// <param name="most">Most bytes in memory.</param>
    /// <param name="leftOut">Sets <see cref="LeftOut"/>.</param>
    public static SampleStore Create(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, long most = 1 << 26,
        string? leftOut = null)
    {
        var store = new SampleStore(most) { LeftOut = leftOut };
        foreach (var sample in samples) store._store.Add(sample.Values);
        return store;
    }

    public int Count => _store.Count;

    /// <summary>What there was beyond the bound on samples, as a sentence; null where everything was read.</summary>
    public string? LeftOut { get; init; }

    public IReadOnlyDictionary<string, NamedTensor> this[int index]
        => _store.Get(index).ToDictionary(t => t.Name, StringComparer.Ordinal);

    public IEnumerator<IReadOnlyDictionary<string, NamedTensor>> GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
