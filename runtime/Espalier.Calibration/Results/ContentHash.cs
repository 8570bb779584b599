using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Calibration.Results;

/// <summary>A hash of what a result depends on.</summary>
internal sealed class ContentHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public ContentHash Add(string text)
    {
        Add(Encoding.UTF8.GetBytes(text));
        return this;
    }

    public ContentHash Add(long number) => Add(number.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Numbers in rising order, so that sets that are equal give equal hashes; null differs from none.</summary>
    public ContentHash Add(IEnumerable<int>? numbers) => Add(numbers is null ? "all" : string.Join(',', numbers.Order()));

    /// <summary>Bytes with their number before them, so that no two lists run into each other.</summary>
    public ContentHash Add(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(BitConverter.GetBytes((long)bytes.Length));
        _hash.AppendData(bytes);
        return this;
    }

    public ContentHash Add(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        foreach (var sample in samples)
        {
            Add(sample.Count);
            foreach (var tensor in sample.Values.OrderBy(t => t.Name, StringComparer.Ordinal)) Add(tensor);
        }
        return this;
    }

    /// <summary>Settings of a model by the names of their inputs.</summary>
    public ContentHash Add(IReadOnlyDictionary<string, float[]> settings)
    {
        foreach (var (name, values) in settings.OrderBy(s => s.Key, StringComparer.Ordinal))
            Add(name).Add(MemoryMarshal.AsBytes<float>(values));
        return this;
    }

    public byte[] ToBytes() => _hash.GetHashAndReset();

    public string ToText() => Convert.ToHexStringLower(ToBytes());

    public void Dispose() => _hash.Dispose();

    private void Add(NamedTensor tensor)
    {
        Add(tensor.Name).Add(tensor.ElementType).Add(string.Join(',', tensor.Shape));
        switch (tensor.Values)
        {
            case string[] texts: foreach (string text in texts) Add(text); break;
            case Half[] halves: Add(MemoryMarshal.AsBytes<Half>(halves)); break;
            case var numbers:
                Add(MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(numbers), Buffer.ByteLength(numbers)));
                break;
        }
    }
}
