
namespace Espalier.Onnx.Limits;

/// <summary>
/// What a file may demand of the reader. Counts are taken while the wire format is walked, before any object is built: two
/// bytes of a file can become 440 bytes of objects, so that ten megabytes of empty tensors would otherwise take gigabytes. The
/// defaults let through every model that ONNX Runtime runs and keep a hostile one below about a gigabyte.
/// </summary>
internal sealed record OnnxLimits
{
    public static OnnxLimits Default { get; } = new();

    /// <summary>Bytes of the model file; protobuf itself ends at 2 GiB − 1, larger models keep their weights in external data.</summary>
    public long FileSize { get; init; } = int.MaxValue;
    /// <summary>Bytes of one external data file.</summary>
    public long ExternalFileSize { get; init; } = 1L << 40;
    /// <summary>Different external data files.</summary>
    public int ExternalFiles { get; init; } = 4096;
    /// <summary>Nodes, those of subgraphs and functions included.</summary>
    public int Nodes { get; init; } = 500_000;
    /// <summary>Initializers of all graphs, sparse ones included.</summary>
    public int Initializers { get; init; } = 500_000;
    /// <summary>Attributes of all nodes.</summary>
    public int Attributes { get; init; } = 1_000_000;
    /// <summary>Dimensions of one tensor.</summary>
    public int Rank { get; init; } = 64;
    /// <summary>Bytes of a name (of values, nodes, operators, domains and the like; not documentation and metadata).</summary>
    public int NameLength { get; init; } = 64 * 1024;
    /// <summary>Graphs inside each other (If, Loop, Scan); protobuf itself ends at about 33.</summary>
    public int NestingDepth { get; init; } = 24;
    /// <summary>Memory of the messages, estimated: everything but the large payloads, which stay in the file.</summary>
    public long DecodedBytes { get; init; } = 1L << 30;

    /// <summary>For what this library has written itself.</summary>
    internal static OnnxLimits None { get; } = new()
    {
        FileSize = long.MaxValue,
        Nodes = int.MaxValue,
        Initializers = int.MaxValue,
        Attributes = int.MaxValue,
        Rank = int.MaxValue,
        NameLength = int.MaxValue,
        NestingDepth = int.MaxValue,
        DecodedBytes = long.MaxValue,
    };
}
