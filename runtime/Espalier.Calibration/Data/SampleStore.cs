using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Espalier.Calibration.Arrays;

namespace Espalier.Calibration.Data;

/// <summary>
/// Samples, of which only so many bytes are in memory: the others are in a temporary file, and are read every time they are looked at.
/// Each sample is one object all the time: labels go by it.
/// </summary>
internal sealed class SampleStore : IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>
{
    private readonly TensorStore _store;
    private readonly List<Stored> _samples = [];

    private SampleStore(long most) => _store = new(most);

    /// <summary>Takes samples as they come.</summary>
    /// <param name="most">Most bytes in memory.</param>
    /// <param name="leftOut">Sets <see cref="LeftOut"/>.</param>
    public static SampleStore Create(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, long most = 1 << 26,
        string? leftOut = null)
    {
        var store = new SampleStore(most) { LeftOut = leftOut };
        foreach (var sample in samples)
        {
            store._samples.Add(new(store._store, store.Count));
            store._store.Add(sample.Values);
        }
        return store;
    }

    public int Count => _samples.Count;

    /// <summary>What there was beyond the bound on samples, as a sentence; null where everything was read.</summary>
    public string? LeftOut { get; private init; }

    public IReadOnlyDictionary<string, NamedTensor> this[int index] => _samples[index];

    public IEnumerator<IReadOnlyDictionary<string, NamedTensor>> GetEnumerator() => _samples.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>One sample. What it gives is made anew each time.</summary>
    private sealed class Stored(TensorStore store, int index) : IReadOnlyDictionary<string, NamedTensor>
    {
        public int Count => store.Get(index).Count();
        public IEnumerable<string> Keys => store.Get(index).Select(t => t.Name);
        public IEnumerable<NamedTensor> Values => store.Get(index);
        public NamedTensor this[string key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException(key);
        public bool ContainsKey(string key) => Keys.Contains(key, StringComparer.Ordinal);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out NamedTensor value)
            => (value = store.Get(index).FirstOrDefault(t => t.Name == key)) is not null;

        public IEnumerator<KeyValuePair<string, NamedTensor>> GetEnumerator()
            => store.Get(index).Select(t => KeyValuePair.Create(t.Name, t)).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
