using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Payloads;

/// <summary>
/// What the walk has seen of one tensor, and whether it fits together: the shape times the width of the type must be the bytes
/// that are there.
/// </summary>
internal sealed class TensorFacts
{
    private long _count = 1, _guard = 1;
    private bool _overflow, _segment;
    private int _rank;
    private long _type, _location;

    public int At { get; private set; }

    /// <summary>Where its name is in the file, once that has been seen.</summary>
    public Range Name { get; private set; }

    /// <summary>The data field that has been seen, and whether in the packed form.</summary>
    public DataField Seen { get; private set; }
    private bool _packed;

    /// <summary>Bytes of <c>raw_data</c>, entries of a typed field.</summary>
    private long _amount;

    public void Reset(int at)
    {
        (At, _count, _guard, _overflow, _segment, _rank, _type, _location) = (at, 1, 1, false, false, 0, 0, 0);
        (Seen, _packed, _amount, Name) = (DataField.None, false, 0, default);
    }

    /// <summary>One more dimension; the text says what is wrong with it, as the rest of a sentence on the tensor.</summary>
    public string? AddDim(long dim, int limit)
    {
        if (dim < 0)
        {
            return $"has the dimension {dim}";
        }
        if (++_rank > limit)
        {
            return $"has more than {limit} dimensions";
        }
        // Strides are products too: they must fit even when another dimension is 0. The widest element has 16 bytes.
        var (wide, factor) = ((UInt128)(ulong)_guard, (UInt128)(ulong)Math.Max(1, dim));
        _overflow |= wide * factor > long.MaxValue / 16;
        _guard = _overflow ? 1 : (long)(wide * factor);
        _count = _overflow ? 0 : _count * dim;
        return null;
    }

    public void SetName(Range name) => Name = name;
    public void SetType(long type) => _type = type;
    public void SetLocation(long location) => _location = location;
    public void SetSegment() => _segment = true;

    /// <summary>Elements in a field; the text says what is wrong with that.</summary>
    public string? AddData(DataField field, long amount, bool packed)
    {
        if (packed && amount == 0)
        {
            return null;
        }
        if (Seen != DataField.None && Seen != field)
        {
            return "has elements in two fields";
        }
        // In pieces the field could not be taken out as a whole. No writer does this.
        if (Seen == field && (packed || _packed))
        {
            return "has its elements in several pieces";
        }
        (Seen, _packed, _amount) = (field, packed, _amount + amount);
        return null;
    }

    /// <summary>Whether all fits together; the text says what does not.</summary>
    public string? Check()
    {
        if (_overflow)
        {
            return "has dimensions that multiply to more than a file can hold";
        }
        var type = (DataType)_type;
        var own = DataTypes.Field(type);
        if (_type != (int)type || own == DataField.None || _segment || _location == (long)DataLocation.External)
        {
            // An unknown type is left alone; external data are checked when the files are opened.
            return _location == (long)DataLocation.External && Seen != DataField.None ? "has elements both here and in another file" : null;
        }
        if (Seen == DataField.None)
        {
            return _count == 0 ? null : $"has none of its {_count} elements";
        }
        if (Seen == DataField.Raw)
        {
            var expected = own == DataField.String ? -1 : DataTypes.Bytes(type, _count);
            return expected == _amount ? null
                : expected < 0 ? "of strings has raw data"
                : $"of {_count} elements of type {type} needs {expected} bytes and has {_amount}";
        }
        if (Seen != own)
        {
            return $"of type {type} has its elements in the field for {Seen}";
        }
        var entries = own == DataField.String ? _count : DataTypes.Bytes(type, _count) / DataTypes.EntryBytes(type);
        return entries == _amount ? null : $"of {_count} elements of type {type} needs {entries} entries and has {_amount}";
    }
}
