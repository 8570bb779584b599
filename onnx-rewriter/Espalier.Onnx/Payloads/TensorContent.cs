using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Payloads;

/// <summary>Elements of one tensor, wherever they are: in <c>raw_data</c>, in a typed field, in the model's file or beside it.</summary>
internal sealed class TensorContent
{
    private readonly TensorProto _tensor;
    private readonly ByteSource? _source;

    /// <param name="source">Its elements as <c>raw_data</c> would hold them; null for strings and types without a known width.</param>
    internal TensorContent(TensorProto tensor, ByteSource? source)
    {
        (_tensor, _source) = (tensor, source);
        Dims = tensor.Dims;
        Count = GatherSource.Product(Dims, 0);
    }

    public DataType Type => (DataType)_tensor.DataType;

    public IReadOnlyList<long> Dims { get; }

    public long Count { get; }

    /// <summary>Number of bytes of the elements as <c>raw_data</c> holds them; 0 for strings.</summary>
    public long ByteLength => _source?.Length ?? 0;

    private ByteSource Source => _source
        ?? throw new NotSupportedException($"The elements of tensor '{_tensor.Name}' ({Type}) have no bytes of a known layout.");

    /// <summary>
    /// All elements as float32; for tensors of floating point numbers (those wider than float32 are rounded), integers and bool.
    /// </summary>
    /// <exception cref="NotSupportedException">Strings, complex numbers and unknown types.</exception>
    public float[] ToFloats() => Elements.ToFloats(Source, Type, Count);

    /// <summary>
    /// Some elements as float32, converted as by <see cref="ToFloats"/>: for sums over tensors that are not to be in memory as a whole.
    /// </summary>
    /// <param name="first">The first element, counted row-major from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the tensor.</exception>
    /// <exception cref="NotSupportedException">Strings, complex numbers and unknown types.</exception>
    public void ReadFloats(long first, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, Count - destination.Length);
        Elements.ReadFloats(Source, Type, first, destination);
    }

    /// <summary>All elements as int64; for integer and bool tensors.</summary>
    /// <exception cref="NotSupportedException">Other types.</exception>
    /// <exception cref="OverflowException">A uint64 element is beyond int64.</exception>
    public long[] ToLongs() => Elements.ToLongs(Source, Type, Count);

    /// <summary>
    /// Copies bytes of the elements, laid out as in <c>raw_data</c>: little endian, row-major, 4 and 2 bit elements packed from
    /// the low bits.
    /// </summary>
    /// <param name="offset">First byte, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the tensor.</exception>
    public void ReadBytes(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Source.Length - destination.Length);
        Source.Read(offset, destination);
    }

    /// <summary>The elements as a payload of the same type and shape, for a tensor under another name.</summary>
    public IPayload AsPayload() => Type == DataType.String ? new StringSource(_tensor.StringData) : Source;

    /// <summary>
    /// A payload with only the given indices of each axis (null: all), gathered while it is written; memory that it takes is
    /// that of the indices.
    /// </summary>
    /// <param name="kept">For every axis the indices that stay, in the order of the result.</param>
    /// <exception cref="ArgumentException">Not one entry per axis, or an index outside its axis.</exception>
    public IPayload Gather(IReadOnlyList<int[]?> kept)
    {
        if (Type != DataType.String)
        {
            return GatherSource.Create(Source, Dims, DataTypes.Bits(Type), kept);
        }
        var numbers = new MemorySource(Elements.FromLongs(DataType.Int32, [.. Enumerable.Range(0, checked((int)Count))]));
        var picked = GatherSource.Create(numbers, Dims, DataTypes.Bits(DataType.Int32), kept);
        return new StringSource([.. Elements.ToLongs(picked, DataType.Int32, picked.Length / 4).Select(i => _tensor.StringData[(int)i])]);
    }

    /// <summary>
    /// A payload of floating point elements of any width; narrower ones round to nearest even, 8 and 4 bit ones saturate.
    /// </summary>
    /// <exception cref="NotSupportedException"><paramref name="type"/> is no floating point type.</exception>
    public static IPayload FromFloats(DataType type, float[] values) => new MemorySource(Elements.FromFloats(type, values));

    /// <summary>A payload of int64 elements.</summary>
    public static IPayload FromLongs(long[] values) => FromLongs(DataType.Int64, values);

    /// <summary>A payload of integer or bool elements of any width.</summary>
    /// <exception cref="OverflowException">A value does not fit the type.</exception>
    public static IPayload FromLongs(DataType type, long[] values) => new MemorySource(Elements.FromLongs(type, values));

    /// <summary>A payload of bytes laid out as in <c>raw_data</c>; they must not change any more.</summary>
    public static IPayload FromBytes(ReadOnlyMemory<byte> bytes) => new MemorySource(bytes);
}
