using Google.Protobuf;

namespace Espalier.Onnx;

/// <summary>A model: its graph as messages, its weights as views.</summary>
public sealed class OnnxModel : IDisposable
{
    private readonly Dictionary<string, IPayload> _payloads;

    private OnnxModel(ModelProto proto, string? path, Dictionary<string, IPayload> payloads)
        => (Proto, Path, _payloads) = (proto, path, payloads);

    /// <summary>The graph. Do not change it: edit a clone and pass it to <see cref="Derive"/>.</summary>
    public ModelProto Proto { get; }

    /// <summary>Where the model was opened; null for one in memory.</summary>
    public string? Path { get; }

    /// <summary>Opens a file.</summary>
    public static OnnxModel Open(string path) => new(ModelProto.Parser.ParseFrom(File.ReadAllBytes(path)), path, []);

    /// <summary>A model made in memory.</summary>
    public static OnnxModel Wrap(ModelProto proto) => new(proto, null, []);

    /// <summary>A model with another graph and the same weights: <paramref name="edited"/> is a changed clone of <see cref="Proto"/>.</summary>
    public OnnxModel Derive(ModelProto edited) => new(edited, Path, _payloads);

    /// <summary>A new tensor whose bytes come from <paramref name="payload"/> when the model is written.</summary>
    public TensorProto NewTensor(string name, TensorProto.Types.DataType type, IEnumerable<long> dims, IPayload payload)
    {
        using var stream = new MemoryStream();
        payload.CopyTo(stream);
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(stream.ToArray()) };
        tensor.Dims.AddRange(dims);
        return tensor;
    }

    /// <summary>The elements of a tensor of this model.</summary>
    public TensorContent Content(TensorProto tensor) => new(tensor);

    /// <summary>Writes the model, whole or not at all.</summary>
    public void Save(string path) => File.WriteAllBytes(path, ToBytes());

    /// <summary>The model as one array; for models of at most 2 GB.</summary>
    public byte[] ToBytes() => Proto.ToByteArray();

    /// <inheritdoc/>
    public void Dispose() { }
}

/// <summary>Bytes that are produced when a model is written.</summary>
public interface IPayload
{
    /// <summary>Number of bytes.</summary>
    long Length { get; }
    /// <summary>Writes all of them.</summary>
    void CopyTo(Stream destination);
}

/// <summary>Elements of one tensor.</summary>
public sealed class TensorContent
{
    private readonly TensorProto _tensor;
    internal TensorContent(TensorProto tensor) => _tensor = tensor;

    /// <summary>Element type.</summary>
    public TensorProto.Types.DataType Type => (TensorProto.Types.DataType)_tensor.DataType;
    /// <summary>Shape.</summary>
    public IReadOnlyList<long> Dims => _tensor.Dims;
    /// <summary>Number of elements.</summary>
    public long Count => Dims.Aggregate(1L, (a, b) => checked(a * b));

    /// <summary>All elements as float32; for float, double, float16 and bfloat16 tensors and integer ones.</summary>
    public float[] ToFloats() => throw new NotSupportedException();
    /// <summary>All elements as int64; for integer and bool tensors.</summary>
    public long[] ToLongs() => throw new NotSupportedException();
    /// <summary>A payload with only the given indices of each axis (null: all), gathered while writing.</summary>
    public IPayload Gather(IReadOnlyList<int[]?> kept) => throw new NotSupportedException();
    /// <summary>A payload of the same type with other elements.</summary>
    public static IPayload FromFloats(TensorProto.Types.DataType type, float[] values) => throw new NotSupportedException();
    /// <summary>A payload of int64 elements.</summary>
    public static IPayload FromLongs(long[] values) => throw new NotSupportedException();
}
