using System.Text;
using System.Text.Unicode;
using Espalier.Onnx.Limits;
using Espalier.Onnx.Payloads;

namespace Espalier.Onnx.Wire;

/// <summary>
/// Walks the wire format of a model, once and without recursion: a stack of at most a hundred messages is all that input can make it keep.
/// It counts what would become objects, checks every tensor's shape against its bytes, and finds the payloads that are not to
/// become objects.
/// </summary>
internal ref struct WireScanner
{
    /// <summary>Payloads from this size on stay out of the messages.</summary>
    public const int LargePayload = 1024;

    /// <summary>Google.Protobuf refuses more; and it recurses, as far as we let it.</summary>
    private const int MessageDepth = 100;
    private const string Damaged = "The file is damaged or was cut short; get it again or export the model again.";
    private const string Stripped = "If its weights were stripped, get the file that has them.";
    private const string TooMuch = "If the model is meant to be like this, open it with higher OnnxLimits.";

    private struct Frame
    {
        public WireMessage Message;
        public int End, LengthAt, ContentAt, Patch;
        public long Delta;
        public uint Seen;
    }

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string? _path;
    private readonly OnnxLimits _limits;
    private readonly bool _writing;
    private readonly Frame[] _stack = new Frame[MessageDepth];
    private readonly TensorFacts _tensor = new();
    private readonly SplicePlan _plan = new();
    private int _depth, _at, _graphs;
    private long _nodes, _initializers, _attributes, _decoded;

    private WireScanner(ReadOnlySpan<byte> bytes, OnnxLimits limits, string? path, bool writing)
    {
        _bytes = bytes;
        (_limits, _path, _writing) = (limits, path, writing);
    }

    /// <summary>Finds the large payloads of a file and gives each a token.</summary>
    /// <exception cref="OnnxFormatException">Whatever is wrong with the file.</exception>
    public static SplicePlan FindPayloads(ReadOnlySpan<byte> bytes, OnnxLimits limits, string? path, CancellationToken ct)
        => new WireScanner(bytes, limits, path, writing: false).Walk(null, ct);

    /// <summary>Finds the tokens in messages that were serialised.</summary>
    /// <param name="lengthOf">Bytes of the payload of a token.</param>
    public static SplicePlan FindTokens(ReadOnlySpan<byte> bytes, Func<long, long> lengthOf, CancellationToken ct)
        => new WireScanner(bytes, OnnxLimits.None, null, writing: true).Walk(lengthOf, ct);

    private SplicePlan Walk(Func<long, long>? lengthOf, CancellationToken ct)
    {
        _stack[0] = new() { Message = WireSchema.Model, End = _bytes.Length, Patch = -1 };
        for (var fields = 0; ; fields++)
        {
            if (fields % 4096 == 0)
            {
                ct.ThrowIfCancellationRequested();
            }
            ref var frame = ref _stack[_depth];
            if (_at < frame.End)
            {
                ReadField(ref frame, lengthOf);
            }
            else if (_depth > 0)
            {
                Close(ref frame);
            }
            else
            {
                _plan.NewLength = _bytes.Length + frame.Delta;
                return _plan;
            }
        }
    }

    private void ReadField(ref Frame frame, Func<long, long>? lengthOf)
    {
        var start = _at;
        var tag = Number(frame.End, start);
        var (number, wire) = (tag >> 3, (int)(tag & 7));
        if (number is 0 or > 0x1FFF_FFFF)
        {
            throw Bad($"{number} is no number of a field", start, Damaged);
        }
        var field = frame.Message.Field((uint)number);
        if (wire == WireNumber.Bytes)
        {
            var lengthAt = _at;
            var length = Number(frame.End, start);
            if (length > (ulong)(frame.End - _at))
            {
                throw Bad($"a field of {frame.Message.Name} says that it has {length} bytes where {frame.End - _at} are left",
                    start, Damaged);
            }
            ReadBytes(ref frame, field, start, lengthAt, (int)length, lengthOf);
            return;
        }
        ulong value = 0;
        var content = _at;
        switch (wire)
        {
            case WireNumber.Varint:
                value = Number(frame.End, start);
                break;
            case WireNumber.Fixed32 or WireNumber.Fixed64:
                _at += wire == WireNumber.Fixed32 ? 4 : 8;
                if (_at > frame.End)
                {
                    throw Bad($"a field of {frame.Message.Name} ends after the message", start, Damaged);
                }
                break;
            default:
                throw Bad($"a field of {frame.Message.Name} is stored in a way (wire type {wire}) that models do not use", start, Damaged);
        }
        ReadScalar(field, start, wire, value);
    }

    private void ReadScalar(WireField? field, int start, int wire, ulong value)
    {
        var expected = field?.Shape switch
        {
            FieldShape.Varint => WireNumber.Varint,
            FieldShape.Fixed32 => WireNumber.Fixed32,
            FieldShape.Fixed64 => WireNumber.Fixed64,
            _ => -1,
        };
        if (field is null || wire != expected)
        {
            // An unknown field, or one that is unknown in this form, is kept as it is.
            Spend(64);
            return;
        }
        Spend(field.Repeated ? 8 : 0);
        switch (field.Role)
        {
            case FieldRole.TensorDims:
                Require(_tensor.AddDim((long)value, _limits.Rank), start);
                break;
            case FieldRole.TensorType:
                _tensor.SetType((int)value);
                break;
            case FieldRole.TensorLocation:
                _tensor.SetLocation((int)value);
                break;
            case FieldRole.TensorData:
                Require(_tensor.AddData(field.Data, 1, packed: false), start);
                break;
        }
    }

    private void ReadBytes(ref Frame frame, WireField? field, int start, int lengthAt, int length, Func<long, long>? lengthOf)
    {
        var content = _bytes.Slice(_at, length);
        switch (field)
        {
            case null or { Shape: not FieldShape.Message and not FieldShape.Text and not FieldShape.Bytes, Repeated: false }:
                Spend(64 + length);
                break;
            case { Shape: FieldShape.Message }:
                Open(ref frame, field, start, lengthAt, length);
                return;
            case { Role: FieldRole.TensorData }:
                ReadData(ref frame, field.Data, start, lengthAt, length, lengthOf);
                return;
            case { Role: FieldRole.TensorDims }:
                for (var end = _at + length; _at < end;)
                {
                    Require(_tensor.AddDim((long)Number(end, start), _limits.Rank), start);
                }
                return;
            case { Shape: FieldShape.Text }:
                if (field.IsName && length > _limits.NameLength)
                {
                    throw Bad($"{field.Name} of {frame.Message.Name} is {length} bytes long; the limit is {_limits.NameLength}",
                        start, TooMuch);
                }
                if (!Utf8.IsValid(content))
                {
                    throw Bad($"{field.Name} of {frame.Message.Name} is not UTF-8", start, "Export the model again with text in UTF-8.");
                }
                if (field.Role == FieldRole.TensorName)
                {
                    _tensor.SetName(_at..(_at + length));
                }
                Spend(32 + (2L * length));
                break;
            case { Shape: FieldShape.Varint }:
                Spend(8L * length);
                _ = Entries(content, start);
                break;
            default:
                Spend(32 + length);
                break;
        }
        _at += length;
    }

    /// <summary>A data field of a tensor, in one piece.</summary>
    private void ReadData(ref Frame frame, DataField data, int start, int lengthAt, int length, Func<long, long>? lengthOf)
    {
        var content = _bytes.Slice(_at, length);
        if (_writing)
        {
            if (data != DataField.String && PayloadTable.TokenOf(data, content) is { } token)
            {
                AddSplice(ref frame, lengthAt, new(data, _at, length, lengthOf!(token), 0, token));
            }
            _at += length;
            return;
        }
        var width = data switch { DataField.Float => 4, DataField.Double => 8, _ => 1 };
        if (length % width != 0)
        {
            throw Bad($"{length} bytes are no whole number of elements", start, Damaged);
        }
        var entries = data switch
        {
            DataField.Raw => length,
            DataField.String => 1,
            DataField.Float or DataField.Double => length / width,
            _ => Entries(content, start),
        };
        Require(_tensor.AddData(data, entries, packed: data != DataField.String), start);
        if (length >= LargePayload && data != DataField.String)
        {
            var token = PayloadTable.NewToken();
            AddSplice(ref frame, lengthAt, new(data, _at, length, PayloadTable.Encode(data, token).Length, entries, token));
        }
        else
        {
            Spend(32 + (data is DataField.Int32 or DataField.Int64 or DataField.UInt64 ? 8L * length : length));
        }
        _at += length;
    }

    /// <summary>Counts the numbers of a packed field: every one ends with the first byte below 128.</summary>
    private readonly long Entries(ReadOnlySpan<byte> content, int start)
    {
        long entries = 0;
        for (int at = 0, begin = 0; at < content.Length; at++)
        {
            if (content[at] < 0x80)
            {
                entries++;
                begin = at + 1;
            }
            else if (at - begin >= WireNumber.MaxVarint - 1 || at == content.Length - 1)
            {
                throw Bad("a number does not end where it should", start, Damaged);
            }
        }
        return entries;
    }

    private void Open(ref Frame frame, WireField field, int start, int lengthAt, int length)
    {
        var message = field.Message!;
        var bit = 1u << field.Number;
        if (!field.Repeated && (frame.Seen & bit) != 0)
        {
            throw Bad($"{field.Name} of {frame.Message.Name} is there twice", start, Damaged);
        }
        frame.Seen |= bit;
        Spend(message.ObjectBytes);
        Count(ref _nodes, field.Role == FieldRole.Node, _limits.Nodes, "nodes", start);
        Count(ref _initializers, field.Role == FieldRole.Initializer, _limits.Initializers, "initializers", start);
        Count(ref _attributes, field.Role == FieldRole.Attribute, _limits.Attributes, "attributes", start);
        if (field.Role == FieldRole.Graph && ++_graphs > _limits.NestingDepth)
        {
            throw Bad($"graphs are nested more than {_limits.NestingDepth} deep", start, TooMuch);
        }
        if (field.Role == FieldRole.TensorSegment)
        {
            _tensor.SetSegment();
        }
        if (_depth + 1 == MessageDepth)
        {
            throw Bad($"messages are nested {MessageDepth} deep, which protobuf does not read", start, "Flatten the model's subgraphs.");
        }
        if (message.IsTensor)
        {
            _tensor.Reset(start);
        }
        _stack[++_depth] = new() { Message = message, End = _at + length, LengthAt = lengthAt, ContentAt = _at, Patch = -1 };
    }

    private void Close(ref Frame frame)
    {
        if (frame.Message.IsTensor && !_writing)
        {
            Require(_tensor.Check(), _tensor.At, _tensor.Seen == DataField.None ? Stripped : Damaged);
        }
        _graphs -= frame.Message.Name == nameof(GraphProto) ? 1 : 0;
        _depth--;
        if (frame.Patch >= 0)
        {
            var length = frame.End - frame.ContentAt + frame.Delta;
            _plan.Patches[frame.Patch] = _plan.Patches[frame.Patch] with { Length = length };
            _stack[_depth].Delta += frame.Delta + WireNumber.Size((ulong)length) - (frame.ContentAt - frame.LengthAt);
        }
    }

    private void AddSplice(ref Frame frame, int lengthAt, Splice splice)
    {
        // Lengths of the enclosing messages come before the field, outermost first, and are known when the messages close.
        for (var i = 1; i <= _depth; i++)
        {
            if (_stack[i].Patch < 0)
            {
                _stack[i].Patch = _plan.Patches.Count;
                _plan.Patches.Add(new(_stack[i].LengthAt, _stack[i].ContentAt - _stack[i].LengthAt, 0, -1));
            }
        }
        var old = splice.ContentAt - lengthAt + splice.ContentLength;
        _plan.Patches.Add(new(lengthAt, old, splice.NewLength, _plan.Splices.Count));
        _plan.Splices.Add(splice);
        frame.Delta += splice.NewLength + WireNumber.Size((ulong)splice.NewLength) - old;
    }

    private ulong Number(int end, int start)
        => WireNumber.TryRead(_bytes, ref _at, end, out var value)
            ? value
            : throw Bad("a number does not end where it should", start, Damaged);

    private readonly void Count(ref long counter, bool one, int limit, string what, int at)
    {
        if (one && ++counter > limit)
        {
            throw Bad($"there are more than {limit} {what}", at, TooMuch);
        }
    }

    private void Spend(long bytes)
    {
        if ((_decoded += bytes) > _limits.DecodedBytes)
        {
            throw Bad($"the graph without its weights takes more than {_limits.DecodedBytes} bytes of memory", _at, TooMuch);
        }
    }

    private readonly void Require(string? problem, int at, string advice = Damaged)
    {
        if (problem is not null && !_writing)
        {
            // Its name may come after its elements, and then is not known yet.
            var name = Encoding.UTF8.GetString(_bytes[_tensor.Name]);
            throw Bad($"{(name.Length > 0 ? $"the tensor '{name}'" : "a tensor")} {problem}", at, advice);
        }
    }

    private readonly OnnxFormatException Bad(string what, long at, string advice) => new(what, advice, _path, at);
}
