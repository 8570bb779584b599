using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Espalier.Onnx.Payloads;
using Google.Protobuf;

namespace Espalier.Onnx.Wire;

/// <summary>A payload that was taken out of its tensor.</summary>
/// <param name="Source">The bytes of the field: elements, or the numbers of the wire format for the integer fields.</param>
/// <param name="Field">The field that they belong in.</param>
/// <param name="Entries">Numbers in it, for a typed field.</param>
internal sealed record Payload(IPayload Source, DataField Field, long Entries);

/// <summary>
/// The payloads of a model and of all that are derived from it. In the messages a token stands for each: six integers in the
/// tensor's own data field, four of which are a secret of this process, so that no file can hold one. Being data of the field
/// they survive cloning.
/// </summary>
/// <param name="parent">Looked into for tokens that this table does not have.</param>
internal sealed class PayloadTable(PayloadTable? parent = null)
{
    private const int Words = 6, Secret = 4;
    // Every word is a positive int32 that as a float32, and as the upper half of a float64, is a normal number: all fields keep its bits.
    private const int Lowest = 0x0080_0000, Range = 0x7F00_0000, IdBits = 22;

    private static readonly int[] SecretWords = [.. Enumerable.Range(0, Secret)
        .Select(_ => Lowest + RandomNumberGenerator.GetInt32(Range))];
    private static long _lastId;

    private readonly ConcurrentDictionary<long, Payload> _payloads = [];

    /// <summary>A new token, of no payload yet.</summary>
    public static long NewToken() => Interlocked.Increment(ref _lastId);

    public void Add(long token, Payload payload) => _payloads[token] = payload;

    /// <exception cref="InvalidOperationException">The token is of a model that this one does not descend from.</exception>
    public Payload this[long token] => _payloads.TryGetValue(token, out var payload)
        ? payload
        : parent is not null ? parent[token]
        : throw new InvalidOperationException(
            "A tensor holds the weights of another model. Derive from that model, or make the tensor with NewTensor.");

    /// <summary>The payload of a tensor, or null when its elements are in the message.</summary>
    public Payload? Find(TensorProto tensor) => TokenOf(tensor) is { } token ? this[token] : null;

    private static int[] WordsOf(long token)
        => [.. SecretWords, Lowest + (int)(token & ((1 << IdBits) - 1)), Lowest + (int)(token >> IdBits)];

    private static long? TokenOf(ReadOnlySpan<int> words)
        => words.Length == Words && words[..Secret].SequenceEqual(SecretWords)
            ? ((long)(words[5] - Lowest) << IdBits) | (long)(words[4] - Lowest)
            : null;

    public static long? TokenOf(TensorProto tensor)
    {
        if (tensor.RawData.Length == Words * 4)
        {
            return TokenOf(DataField.Raw, tensor.RawData.Span);
        }
        Span<int> words = stackalloc int[Words];
        if (tensor.FloatData.Count == Words)
        {
            for (var i = 0; i < Words; i++)
            {
                words[i] = BitConverter.SingleToInt32Bits(tensor.FloatData[i]);
            }
            return TokenOf(words);
        }
        if (tensor.DoubleData.Count == Words / 2)
        {
            for (var i = 0; i < Words; i++)
            {
                words[i] = (int)(BitConverter.DoubleToInt64Bits(tensor.DoubleData[i / 2]) >> (i % 2 * 32));
            }
            return TokenOf(words);
        }
        return tensor switch
        {
            { Int32Data.Count: Words } => TokenOf([.. tensor.Int32Data]),
            { Int64Data.Count: Words } => TokenOf([.. tensor.Int64Data.Select(v => (int)v)]),
            { Uint64Data.Count: Words } => TokenOf([.. tensor.Uint64Data.Select(v => (int)v)]),
            _ => null,
        };
    }

    /// <summary>The token in the content of a data field on the wire, or null.</summary>
    public static long? TokenOf(DataField field, ReadOnlySpan<byte> content)
    {
        Span<int> words = stackalloc int[Words];
        if (field is DataField.Int32 or DataField.Int64 or DataField.UInt64)
        {
            var at = 0;
            for (var i = 0; i < Words; i++)
            {
                if (!WireNumber.TryRead(content, ref at, content.Length, out var value))
                {
                    return null;
                }
                words[i] = (int)value;
            }
            return at == content.Length ? TokenOf(words) : null;
        }
        if (content.Length != Words * 4)
        {
            return null;
        }
        for (var i = 0; i < Words; i++)
        {
            words[i] = BinaryPrimitives.ReadInt32LittleEndian(content[(i * 4)..]);
        }
        return TokenOf(words);
    }

    /// <summary>The token as the content of a data field.</summary>
    public static ReadOnlySpan<byte> Encode(DataField field, long token)
    {
        var bytes = new byte[Words * WireNumber.MaxVarint];
        var at = 0;
        foreach (var word in WordsOf(token))
        {
            if (field is DataField.Int32 or DataField.Int64 or DataField.UInt64)
            {
                at += WireNumber.Write(bytes.AsSpan(at), (ulong)word);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), word);
                at += 4;
            }
        }
        return bytes.AsSpan(0, at);
    }

    /// <summary>Puts a payload into the table and its token into the tensor's <c>raw_data</c>.</summary>
    public void Attach(TensorProto tensor, IPayload source)
    {
        var token = NewToken();
        Add(token, new(source, DataField.Raw, 0));
        tensor.RawData = ByteString.CopyFrom(Encode(DataField.Raw, token));
    }
}
