using Espalier.Onnx.Checks;
using Espalier.Onnx.Files;
using Espalier.Onnx.Limits;
using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx;

/// <summary>
/// A model: its graph as messages, its weights as views of the file. Large payloads never become objects: in the messages a short token
/// stands for each, which survives cloning; <see cref="Content"/> gives the elements, and writing puts them back.
/// </summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly ModelStore _store;
    private int _disposed;

    private OnnxModel(ModelProto proto, string? path, ModelStore store) => (Proto, Path, _store) = (proto, path, store);

    /// <summary>The graph. Do not change it: edit a clone and pass it to <see cref="Derive"/>.</summary>
    public ModelProto Proto { get; }

    /// <summary>Where the model was opened; null for one in memory.</summary>
    public string? Path { get; }

    /// <summary>
    /// Opens a file; its weights stay there. It must not be changed in place while the model is open; replacing it by a rename is safe.
    /// </summary>
    /// <param name="limits">What it may demand; null for <see cref="OnnxLimits.Default"/>.</param>
    /// <exception cref="OnnxFormatException">It is no well-formed model, or exceeds the limits.</exception>
    /// <exception cref="IOException">It is not there or cannot be read.</exception>
    public static OnnxModel Open(string path, OnnxLimits? limits = null, CancellationToken ct = default)
    {
        limits ??= OnnxLimits.Default;
        var stream = SourceFile.OpenStream(path);
        SourceFile? file = null;
        try
        {
            CheckSize(stream.Length, limits, path);
            file = new SourceFile(stream);
            var (store, proto) = ModelStore.Read(path, file, default, limits, ct);
            return new(proto, path, store);
        }
        catch
        {
            stream.Dispose();
            file?.Dispose();
            throw;
        }
    }

    /// <summary>A model from bytes in memory, which must not change any more. Large payloads stay views of them.</summary>
    /// <exception cref="OnnxFormatException">They are no well-formed model, exceed the limits, or name another file.</exception>
    public static OnnxModel Parse(ReadOnlyMemory<byte> bytes, OnnxLimits? limits = null, CancellationToken ct = default)
    {
        limits ??= OnnxLimits.Default;
        CheckSize(bytes.Length, limits, null);
        var (store, proto) = ModelStore.Read(null, null, bytes, limits, ct);
        return new(proto, null, store);
    }

    private static void CheckSize(long length, OnnxLimits limits, string? path)
    {
        if (length == 0)
        {
            throw new OnnxFormatException("it is empty", "Get the file again or export the model again.", path);
        }
        var limit = Math.Min(limits.FileSize, int.MaxValue);
        if (length > limit)
        {
            throw new OnnxFormatException($"it has {length} bytes; the limit is {limit}",
                "A model of 2 GiB or more keeps its weights in external data.", path);
        }
    }

    /// <summary>A model made in memory.</summary>
    public static OnnxModel Wrap(ModelProto proto) => new(proto, null, new ModelStore(null, null, null, null));

    /// <summary>
    /// A model with another graph and the same weights: <paramref name="edited"/> is a changed clone of <see cref="Proto"/>.
    /// It keeps the files open after this model is disposed, until it is disposed itself.
    /// </summary>
    public OnnxModel Derive(ModelProto edited)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return new(edited, Path, _store.AddOwner());
    }

    /// <summary>Checks the graph as opening a file does: an edited one may have become none.</summary>
    /// <exception cref="OnnxFormatException">What is wrong, and where.</exception>
    public void Check(CancellationToken ct = default) => GraphCheck.Run(Proto, null, ct);

    /// <summary>A new tensor whose bytes come from <paramref name="payload"/> when the model, or one derived from it, is written.</summary>
    /// <param name="name">Its name; empty for one in an attribute.</param>
    /// <param name="payload">The elements as <c>raw_data</c> holds them.</param>
    /// <exception cref="ArgumentException">Shape and payload do not agree.</exception>
    public TensorProto NewTensor(string name, DataType type, IEnumerable<long> dims, IPayload payload)
    {
        var tensor = new TensorProto { DataType = (int)type };
        tensor.Dims.AddRange(dims);
        if (name.Length > 0)
        {
            tensor.Name = name;
        }
        if (payload is StringSource strings)
        {
            tensor.StringData.AddRange(strings.Values);
            return tensor;
        }
        var expected = DataTypes.Bytes(type, GatherSource.Product(tensor.Dims, 0));
        if (payload.Length != expected)
        {
            throw new ArgumentException($"[{string.Join(", ", tensor.Dims)}] elements of type {type} take {expected} bytes; the payload "
                + $"has {payload.Length}.", nameof(payload));
        }
        if (payload.Length < WireScanner.LargePayload)
        {
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(ByteSource.From(payload).ToArray());
        }
        else
        {
            _store.Payloads.Attach(tensor, payload);
        }
        return tensor;
    }

    /// <summary>The elements of a tensor of this model, or of one that it derives from.</summary>
    /// <exception cref="OnnxFormatException">Its shape and its bytes do not agree (only in a model made in memory).</exception>
    public TensorContent Content(TensorProto tensor) => new(tensor, _store.Elements(tensor));

    /// <summary>
    /// Writes the model, whole or not at all. One that has not been changed is written byte for byte as it was read. The path
    /// may be the one that the model was opened from (Windows may refuse to replace an open file).
    /// </summary>
    /// <param name="path">The file; external data go to a file of this name with a hash of them and <c>.data</c> appended.</param>
    /// <param name="options">Where the weights go; null for the defaults.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <returns>Names of the files that were written, the model's own first.</returns>
    /// <exception cref="NotSupportedException">The model does not fit one file and <see cref="OnnxSaveOptions.ExternalData"/>
    /// is false.</exception>
    /// <exception cref="IOException">The file cannot be written or replaced.</exception>
    public IReadOnlyList<string> Save(string path, OnnxSaveOptions? options = null, CancellationToken ct = default)
    {
        using var output = new OutputFiles();
        return Save(output, path, options, ct);
    }

    /// <summary>Writes the model together with other files, which get their names right before it.</summary>
    /// <param name="output">The other files; it is committed.</param>
    /// <inheritdoc cref="Save(string, OnnxSaveOptions?, CancellationToken)"/>
    /// <param name="path"/>
    /// <param name="options"/>
    /// <param name="ct"/>
    public IReadOnlyList<string> Save(OutputFiles output, string path, OnnxSaveOptions? options = null, CancellationToken ct = default)
        => ModelWriter.Save(Proto, _store, path, options ?? new(), output, ct);

    /// <summary>Writes the model as one file, external data included.</summary>
    /// <exception cref="NotSupportedException">It does not fit one file.</exception>
    public void Save(Stream destination, CancellationToken ct = default)
        => ModelWriter.Whole(Proto, _store, ct).RequireOneFile().WriteTo(destination, ct);

    /// <summary>
    /// Bytes that <see cref="Save(Stream, CancellationToken)"/> would write, at any size: the model as one file, external data
    /// included. Nothing is written.
    /// </summary>
    public long ByteLength => ModelWriter.Whole(Proto, _store, default).Length;

    /// <summary>
    /// Bytes of the model's files, external data included: those that it was opened from, or those that would be written where
    /// it is not what they hold.
    /// </summary>
    public long FileBytes => _store.StoredBytes(Proto) ?? WrittenBytes();

    /// <summary>
    /// Bytes of the files that <see cref="Save(string, OnnxSaveOptions?, CancellationToken)"/> would write by default. Nothing is written.
    /// </summary>
    /// <param name="name">Name of the file, which tensors in the one beside it state; null for that of the file that was opened.</param>
    public long WrittenBytes(string? name = null)
        => ModelWriter.LengthOf(Proto, _store, name ?? System.IO.Path.GetFileName(Path) ?? "model.onnx", new(), default);

    /// <summary>The model as one array, external data included; for models below 2 GiB.</summary>
    /// <exception cref="NotSupportedException">It is larger.</exception>
    public byte[] ToBytes()
    {
        var writer = ModelWriter.Whole(Proto, _store, default).RequireOneFile();
        var bytes = new byte[writer.Length <= Array.MaxLength
            ? writer.Length
            : throw new NotSupportedException($"The model has {writer.Length} bytes, more than an array.")];
        using var stream = new MemoryStream(bytes);
        writer.WriteTo(stream, default);
        return bytes;
    }

    /// <summary>
    /// Closes the files once the models derived from this one are disposed too. Payloads of them cannot be read afterwards.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _store.Release();
        }
    }
}
