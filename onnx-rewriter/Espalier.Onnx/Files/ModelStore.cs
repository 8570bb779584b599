using Espalier.Onnx.Checks;
using Espalier.Onnx.Limits;
using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Files;

/// <summary>
/// What a model and those derived from it share: the open files and the payloads. Closed when the last of them is disposed.
/// </summary>
internal sealed class ModelStore(string? path, SourceFile? file, ByteSource? whole, ExternalFiles? external)
{
    private int _owners = 1;
    private ReadOnlyMemory<byte> _skeleton;

    public PayloadTable Payloads { get; } = new();

    /// <summary>The file as it was read; null for a model made in memory.</summary>
    public ByteSource? Whole => whole;

    /// <summary>Whether tensors were in other files when the model was opened.</summary>
    public bool HadExternal { get; private set; }

    /// <summary>Reads a file, or bytes in memory.</summary>
    public static (ModelStore Store, ModelProto Proto) Read(string? path, SourceFile? file, ReadOnlyMemory<byte> memory, OnnxLimits limits,
        CancellationToken ct)
    {
        ByteSource whole = file is null ? new MemorySource(memory) : new FileSource(file, 0, file.Length);
        var store = new ModelStore(path, file, whole, path is null ? null : new ExternalFiles(path, limits));
        try
        {
            byte[] skeleton = [];
            void Scan(ReadOnlySpan<byte> bytes) => skeleton = store.TakePayloads(bytes, WireScanner.FindPayloads(bytes, limits, path, ct),
                (at, length) => file is null ? new MemorySource(memory.Slice(at, length)) : new FileSource(file, at, length));
            if (file is null)
            {
                Scan(memory.Span);
            }
            else
            {
                file.WithSpan(Scan);
            }
            ct.ThrowIfCancellationRequested();
            var proto = Parse(skeleton, path);
            store._skeleton = skeleton;
            GraphCheck.Run(proto, path, ct);
            store.CheckExternal(proto, ct);
            return (store, proto);
        }
        catch
        {
            store.Release();
            throw;
        }
    }

    private byte[] TakePayloads(ReadOnlySpan<byte> bytes, SplicePlan plan, Func<int, int, ByteSource> part)
    {
        foreach (var splice in plan.Splices)
        {
            Payloads.Add(splice.Token, new(part(splice.ContentAt, splice.ContentLength), splice.Field, splice.Entries));
        }
        var skeleton = new byte[plan.NewLength];
        using var stream = new MemoryStream(skeleton);
        plan.Emit(bytes, stream.Write, splice => stream.Write(PayloadTable.Encode(splice.Field, splice.Token)));
        return skeleton;
    }

    private static ModelProto Parse(byte[] skeleton, string? path)
    {
        try
        {
            var proto = ModelProto.Parser.ParseFrom(skeleton);
            return proto.Graph is not null ? proto
                : throw new OnnxFormatException("there is no graph in it", "It is probably not an ONNX model.", path);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new OnnxFormatException($"protobuf cannot read it: {e.Message}",
                "The file is damaged; get it again or export the model again.", path, inner: e);
        }
    }

    private void CheckExternal(ModelProto proto, CancellationToken ct)
    {
        foreach (var (tensor, _) in ModelTensors.Enumerate(proto).Where(place => ExternalFiles.IsExternal(place.Tensor)))
        {
            ct.ThrowIfCancellationRequested();
            HadExternal = true;
            _ = OpenExternal(tensor);
        }
    }

    private ByteSource OpenExternal(TensorProto tensor) => external is not null
        ? external.Open(tensor)
        : throw new OnnxFormatException($"tensor '{tensor.Name}' is in another file, and a model in memory has no directory",
            "Open the model from its file.");

    /// <summary>
    /// Whether the messages are those that were read: then the file as it was is what to write, however its writer ordered the fields.
    /// </summary>
    public bool IsUnchanged(ReadOnlySpan<byte> serialised)
    {
        return !HadExternal && IsRead(serialised);
    }

    /// <summary>Bytes of the files that the messages were read from; null where they are others.</summary>
    public long? StoredBytes(ModelProto proto)
        => whole is not null && IsRead(proto.ToByteArray()) ? whole.Length + (external?.Length ?? 0) : null;

    private bool IsRead(ReadOnlySpan<byte> serialised)
    {
        if (whole is null)
        {
            return false;
        }
        return serialised.SequenceEqual(_skeleton.Span)
            || serialised.SequenceEqual(ModelProto.Parser.ParseFrom(_skeleton.Span).ToByteArray());
    }

    /// <summary>The elements of a tensor as <c>raw_data</c> would hold them; null for strings and types without a known width.</summary>
    public ByteSource? Elements(TensorProto tensor)
    {
        var type = (DataType)tensor.DataType;
        if (DataTypes.Bits(type) == 0)
        {
            return null;
        }
        if (tensor.Segment is not null)
        {
            throw new OnnxFormatException($"tensor '{tensor.Name}' is stored in segments",
                "No tool writes such models; export it again.", path);
        }
        if (ExternalFiles.IsExternal(tensor))
        {
            return OpenExternal(tensor);
        }
        var payload = Payloads.Find(tensor);
        var source = payload switch
        {
            null => TypedFields.Raw(tensor, type),
            { Field: DataField.Int32 or DataField.Int64 or DataField.UInt64 }
                => new VarintSource(ByteSource.From(payload.Source), payload.Entries, DataTypes.EntryBytes(type)),
            _ => ByteSource.From(payload.Source),
        };
        long expected;
        try
        {
            expected = DataTypes.Bytes(type, GatherSource.Product(tensor.Dims, 0));
        }
        catch (OverflowException)
        {
            expected = -1;
        }
        return source.Length == expected ? source : throw new OnnxFormatException(
            $"tensor '{tensor.Name}' has {source.Length} bytes for [{string.Join(", ", tensor.Dims)}] elements of type {type}",
            "Make shape and elements agree.", path);
    }

    /// <summary>The same to be written only: a caller's payload is not brought into memory for that.</summary>
    public IPayload? Written(TensorProto tensor)
        => !ExternalFiles.IsExternal(tensor) && Payloads.Find(tensor) is { Field: DataField.Raw } payload
            ? payload.Source
            : Elements(tensor);

    public ModelStore AddOwner()
    {
        Interlocked.Increment(ref _owners);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            file?.Dispose();
            external?.Dispose();
        }
    }
}
