using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Files;

/// <summary>Where the elements of a model go when they are moved between the model's file and the one beside it.</summary>
internal sealed class ExternalLayout
{
    /// <summary>Every tensor begins at a multiple of this: what Windows maps at; the format asks for it.</summary>
    public const int Alignment = 64 * 1024;

    /// <summary>In the place of a hash that is not known yet: the length of the main file depends on it only by its own.</summary>
    public const string NoHash = "0000000000000000";

    private readonly List<StringStringEntryProto> _locations = [];

    private ExternalLayout(ModelProto proto, PayloadTable payloads) => (Proto, Payloads) = (proto, payloads);

    /// <summary>A clone of the messages with the tensors saying where their elements are.</summary>
    public ModelProto Proto { get; }

    /// <summary>What the tokens that are left in the messages stand for.</summary>
    public PayloadTable Payloads { get; }

    /// <summary>The second file: elements by the place where they begin, in order.</summary>
    public List<(long Offset, IPayload Source)> Parts { get; } = [];

    /// <summary>Bytes of the second file.</summary>
    public long Length => Parts.Count == 0 ? 0 : Parts[^1].Offset + Parts[^1].Source.Length;

    /// <summary>The messages with every tensor in the model's own file.</summary>
    public static (ModelProto Proto, PayloadTable Payloads) Inline(ModelProto proto, ModelStore store)
    {
        var (clone, payloads) = (proto.Clone(), new PayloadTable(store.Payloads));
        foreach (var (tensor, _) in ModelTensors.Enumerate(clone).Where(place => ExternalFiles.IsExternal(place.Tensor)))
        {
            Inline(tensor, store.Elements(tensor)!, payloads);
        }
        return (clone, payloads);
    }

    private static void Inline(TensorProto tensor, IPayload source, PayloadTable payloads)
    {
        tensor.ClearDataLocation();
        tensor.ExternalData.Clear();
        payloads.Attach(tensor, source);
    }

    /// <summary>
    /// The messages with large initializers in a second file. A tensor of an attribute goes there only if it was in another file before:
    /// not every reader looks for external data there.
    /// </summary>
    public static ExternalLayout Create(ModelProto proto, ModelStore store, string fileName, long threshold)
    {
        var layout = new ExternalLayout(proto.Clone(), new PayloadTable(store.Payloads));
        var places = new Dictionary<object, long>();
        long end = 0;
        foreach (var (tensor, isInitializer) in ModelTensors.Enumerate(layout.Proto))
        {
            var wasExternal = ExternalFiles.IsExternal(tensor);
            if ((!isInitializer && !wasExternal) || store.Written(tensor) is not { } source)
            {
                continue;
            }
            if (source.Length < Math.Max(1, threshold))
            {
                if (wasExternal)
                {
                    Inline(tensor, source, layout.Payloads);
                }
                continue;
            }
            // Tensors that share their elements go on sharing them.
            object key = source is FileSource part ? part.Key : source;
            if (!places.TryGetValue(key, out var offset))
            {
                offset = checked(end + Alignment - 1) / Alignment * Alignment;
                end = checked(offset + source.Length);
                places.Add(key, offset);
                layout.Parts.Add((offset, source));
            }
            layout.Externalise(tensor, fileName, offset, source.Length);
        }
        return layout;
    }

    private void Externalise(TensorProto tensor, string fileName, long offset, long length)
    {
        tensor.ClearRawData();
        tensor.FloatData.Clear();
        tensor.DoubleData.Clear();
        tensor.Int32Data.Clear();
        tensor.Int64Data.Clear();
        tensor.Uint64Data.Clear();
        tensor.DataLocation = DataLocation.External;
        tensor.ExternalData.Clear();
        _locations.Add(new StringStringEntryProto { Key = "location", Value = fileName });
        tensor.ExternalData.Add(_locations[^1]);
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = length.ToString(CultureInfo.InvariantCulture) });
    }

    /// <summary>Says what the second file is called.</summary>
    public void Place(string fileName)
    {
        foreach (var location in _locations) location.Value = fileName;
    }

    /// <summary>Writes the second file. Between the parts are holes, which take no room on disks that know them.</summary>
    /// <returns>A hash of what is in it.</returns>
    public string WriteTo(FileStream file, CancellationToken ct)
    {
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> at = stackalloc byte[sizeof(long)];
        foreach (var (offset, source) in Parts)
        {
            file.Position = offset;
            using var part = SHA256.Create();
            using (var hashed = new CryptoStream(file, part, CryptoStreamMode.Write, leaveOpen: true))
            using (var stream = new CheckedStream(hashed, ct)) stream.WritePayload(source);
            BinaryPrimitives.WriteInt64LittleEndian(at, offset);
            whole.AppendData(at);
            whole.AppendData(part.Hash!);
        }
        return Convert.ToHexStringLower(whole.GetHashAndReset())[..NoHash.Length];
    }
}
