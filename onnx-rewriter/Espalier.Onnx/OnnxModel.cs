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
        var tensor = new TensorProto { Name = name, DataType = (int)type };
        tensor.Dims.AddRange(dims);
        if (payload is StringSource strings)
        {
            tensor.StringData.AddRange(strings.Values);
        }
        else
        {
            tensor.RawData = ByteString.CopyFrom(ByteSource.Of(payload).ToArray());
        }
        return tensor;
    }

    /// <summary>The elements of a tensor of this model.</summary>
    public TensorContent Content(TensorProto tensor)
    {
        var type = (TensorProto.Types.DataType)tensor.DataType;
        return new(tensor, ElementTypes.Bits(type) > 0 ? TypedFields.Raw(tensor, type) : null);
    }

    /// <summary>Writes the model, whole or not at all.</summary>
    public void Save(string path) => File.WriteAllBytes(path, ToBytes());

    /// <summary>The model as one array; for models of at most 2 GB.</summary>
    public byte[] ToBytes() => Proto.ToByteArray();

    /// <inheritdoc/>
    public void Dispose() { }
}
