using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.TestKit.Adversaries;

/// <summary>
/// Changes of what stands in a model rather than of how it hangs together: values of attributes, dimensions,
/// element types, bytes of weights,
/// stated shapes. What makes models larger is in <see cref="GrowthMutations"/>.
/// </summary>
internal static class ContentMutations
{
    private static readonly long[] Numbers =
        [-1, 0, 1, 2, 3, 5, 64, 1 << 16, int.MaxValue, int.MinValue, 1L << 31, 1L << 32, long.MaxValue, long.MinValue,
            long.MaxValue / 2 + 1];

    private static readonly string[] Texts =
    [
        "", "a", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "DCR", "CRD", "edge", "reflect", "linear", "bidirectional",
            "tf_crop_and_resize",
        "ij,jk->ik", "bij,bjk->bik", "...i,ij->...j", "ii->i", "ij->", "->", ",", "i j , j k", "iij,jk->kki", "BNSH", "\u00e9\u4e2d",
    ];

    private static readonly string[] Domains = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

    private static readonly (string Name, Func<Random, ModelProto, bool> Change)[] List =
    [
        ("a number of an attribute", (r, m) => Attribute(r, m, a => a.HasI, a => a.I = Number(r, a.I))),
        ("a fraction of an attribute", (r, m) => Attribute(r, m, a => a.HasF, a => a.F = Fraction(r))),
        ("a text of an attribute", (r, m) => Attribute(r, m, a => a.HasS, a => a.S = ByteString.CopyFromUtf8(Text(r, a.S)))),
        ("a number in a list of an attribute", (r, m) => Attribute(r, m, a => a.Ints.Count > 0, a => Element(r, a.Ints))),
        ("a list of an attribute of another length", (r, m) => Attribute(r, m, a => a.Ints.Count > 0, a => Resize(r, a.Ints))),
        ("a tensor of an attribute", (r, m) => Attribute(r, m, a => a.T is not null, a => Any(r, a.T))),
        ("a weight of another size", (r, m) => Weight(r, m, t => Fit(r, t, t.Dims.Count == 0 ? [1] : Changed(r, t.Dims)))),
        ("a dimension of a weight without its elements", (r, m) => Weight(r, m, t => Dims(r, t))),
        ("a weight with axes in another order", (r, m) => Weight(r, m, t => Fit(r, t, [.. t.Dims.Reverse()]))),
        ("a weight of no elements", (r, m) => Weight(r, m, t
            => Fit(r, t, [.. t.Dims.Select((d, k) => k == 0 ? 0 : d).DefaultIfEmpty(0)]))),
        ("a weight of one element", (r, m) => Weight(r, m, t => Fit(r, t, r.Next(2) == 0 ? [] : [.. t.Dims.Select(_ => 1L)]))),
        ("an element type without its elements", (r, m) => Weight(r, m, t => t.DataType = r.Next(-1, 30))),
        ("a weight of another element type", (r, m) => Weight(r, m, t => { t.DataType = r.Next(1, 27); Fit(r, t, [.. t.Dims]); })),
        ("elements of another length", (r, m) => Weight(r, m, t => Cut(r, t))),
        ("elements in another field", (r, m) => Weight(r, m, t => Move(r, t))),
        ("an integer among the weights", (r, m) => Weight(r, m, t => Integer(r, t), IsInteger)),
        ("integers of another length", (r, m) => Weight(r, m, t => Fit(r, t, [r.Next(6)]), IsInteger)),
        ("odd floating-point numbers", (r, m) => Weight(r, m, t => Odd(r, t))),
        ("external elements", (r, m) => Weight(r, m, t => External(r, t))),
        ("a weight that is an input too", (r, m) => Weight(r, m, t => m.Graph.Input.Add(SmallModels.Value(t.Name, [.. t.Dims])))),
        ("a weight that becomes an input", (r, m) => ToInput(r, m)),
        ("an input that becomes a weight", (r, m) => ToWeight(r, m)),
        ("a size of an input or output", (r, m) => Value(r, m, (_, s) => s.Dim[r.Next(s.Dim.Count)] = Dimension(r))),
        ("a rank of an input or output", (r, m) => Value(r, m, (_, s) => Rank(r, s))),
        ("an element type of an input or output", (r, m) => Value(r, m, (v, _) => v.Type.TensorType.ElemType = r.Next(0, 30))),
        ("an input or output that is no tensor", (r, m) => Value(r, m, (v, _) => v.Type = NoTensor(r, v.Type))),
        ("an input or output without a shape", (r, m) => Value(r, m, (v, _) => v.Type.TensorType.Shape = null)),
        ("a stated shape inside", (r, m) => Stated(r, m)),
        ("the operator of another domain", (r, m) => Nodes(r, m, n => n.Domain = GraphMutations.Pick(r, Domains))),
        ("a sparse initializer", (r, m) => Sparse(r, m)),
    ];

    /// <summary>
    /// Changes the model and says what was done; null where the change that was drawn does not apply to it.
    /// </summary>
    public static string? Apply(Random random, ModelProto model)
    {
        var (name, change) = List[random.Next(List.Length)];
        return change(random, model) ? name : null;
    }

    /// <summary>A number of the kind that breaks arithmetic, or one near to what was there.</summary>
    internal static long Number(Random random, long now) => random.Next(3) switch
    {
        0 => unchecked(now + random.Next(-2, 3)),
        1 => unchecked(random.Next(2) == 0 ? now * 2 : -now),
        _ => GraphMutations.Pick(random, Numbers),
    };

    private static float Fraction(Random random)
        => GraphMutations.Pick(random, [0f, -0f, 1f, -1f, 0.5f, 1e-30f, 3e38f, float.NaN, float.PositiveInfinity, float.NegativeInfinity]);

    private static string Text(Random random, ByteString now)
    {
        if (now.Length == 0 || random.Next(2) == 0) return GraphMutations.Pick(random, Texts);
        var text = now.ToStringUtf8();
        int at = random.Next(text.Length);
        return random.Next(3) switch
        {
            0 => text.Remove(at, 1),
            1 => text.Insert(at, text[random.Next(text.Length)].ToString()),
            _ => text[..at] + text[random.Next(text.Length)] + text[(at + 1)..],
        };
    }

    private static void Element(Random random, IList<long> list)
    {
        int at = random.Next(list.Count);
        list[at] = Number(random, list[at]);
    }

    private static void Resize(Random random, IList<long> list)
    {
        int length = GraphMutations.Pick(random, [0, 1, list.Count - 1, list.Count + 1, list.Count * 2, 1000]);
        while (list.Count > Math.Max(0, length)) list.RemoveAt(list.Count - 1);
        while (list.Count < length) list.Add(list[random.Next(list.Count)]);
    }

    private static void Any(Random random, TensorProto tensor)
    {
        switch (random.Next(5))
        {
            case 0: Dims(random, tensor); break;
            case 1: Fit(random, tensor, tensor.Dims.Count == 0 ? [1] : Changed(random, tensor.Dims)); break;
            case 2: Cut(random, tensor); break;
            case 3: tensor.DataType = random.Next(-1, 30); break;
            default: Integer(random, tensor); break;
        }
    }

    private static void Dims(Random random, TensorProto tensor)
    {
        if (tensor.Dims.Count == 0 || random.Next(6) == 0) tensor.Dims.Add(Number(random, 1));
        else if (random.Next(4) == 0) tensor.Dims.RemoveAt(random.Next(tensor.Dims.Count));
        else Element(random, tensor.Dims);
    }

    private static long[] Changed(Random random, IEnumerable<long> dims)
    {
        long[] changed = [.. dims];
        int at = random.Next(changed.Length);
        changed[at] = random.Next(3) == 0 ? random.Next(9) : Math.Clamp(changed[at] + random.Next(-2, 3), 0, 4096);
        return changed;
    }

    /// <summary>
    /// Gives the tensor these dimensions and as many bytes as they need, its own over and over; not more than
    /// a megabyte.
    /// </summary>
    private static void Fit(Random random, TensorProto tensor, long[] dims)
    {
        long count = dims.Aggregate(1L, (a, d) => Math.Min(1L << 40, a * Math.Clamp(d, 0, 1 << 20)));
        int bits = DataTypes.Bits((DataType)tensor.DataType);
        if (bits == 0 || count * bits > 8L << 20) return;
        var bytes = new byte[(count * bits + 7) / 8];
        var own = tensor.RawData.Span;
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = own.Length > 0 ? own[i % own.Length] : bits == 32 && i % 4 == 3 ? (byte)0x3D : (byte)random.Next(2);
        Clear(tensor);
        tensor.Dims.Clear();
        tensor.Dims.AddRange(dims);
        tensor.RawData = UnsafeByteOperations.UnsafeWrap(bytes);
    }

    private static void Clear(TensorProto tensor)
    {
        tensor.FloatData.Clear();
        tensor.Int32Data.Clear();
        tensor.Int64Data.Clear();
        tensor.DoubleData.Clear();
        tensor.Uint64Data.Clear();
        tensor.StringData.Clear();
        tensor.ClearRawData();
    }

    private static void Cut(Random random, TensorProto tensor)
    {
        if (!tensor.HasRawData)
        {
            if (tensor.FloatData.Count > 0) tensor.FloatData.RemoveAt(0);
            else if (tensor.Int64Data.Count > 0) tensor.Int64Data.RemoveAt(0);
            else tensor.RawData = ByteString.CopyFrom(0, 0, 0, 0);
            return;
        }
        var raw = tensor.RawData.Span;
        int length = GraphMutations.Pick(random, [0, 1, raw.Length - 1, raw.Length + 1, raw.Length / 2, raw.Length + 4]);
        var bytes = new byte[Math.Max(0, length)];
        raw[..Math.Min(raw.Length, bytes.Length)].CopyTo(bytes);
        tensor.RawData = UnsafeByteOperations.UnsafeWrap(bytes);
    }

    private static void Move(Random random, TensorProto tensor)
    {
        int count = (int)Math.Clamp(tensor.Dims.Aggregate(1L, (a, d) => Math.Min(1L << 20, a * Math.Max(0, d))), 0, 1 << 16);
        if (random.Next(3) > 0) Clear(tensor);
        switch (random.Next(5))
        {
            case 0: tensor.FloatData.AddRange(Enumerable.Repeat(0.5f, count)); break;
            case 1: tensor.Int32Data.AddRange(Enumerable.Repeat(random.Next(-1, 300), count)); break;
            case 2: tensor.Int64Data.AddRange(Enumerable.Repeat(Number(random, 1), count)); break;
            case 3: tensor.DoubleData.AddRange(Enumerable.Repeat(0.5, count)); break;
            default: tensor.StringData.AddRange(Enumerable.Repeat(ByteString.CopyFromUtf8("a"), count)); break;
        }
    }

    private static bool IsInteger(TensorProto tensor) => tensor.DataType is (int)DataType.Int64 or (int)DataType.Int32;

    private static void Integer(Random random, TensorProto tensor)
    {
        if (tensor.Int64Data.Count > 0) Element(random, tensor.Int64Data);
        else if (tensor.Int32Data.Count > 0) tensor.Int32Data[random.Next(tensor.Int32Data.Count)] = unchecked((int)Number(random, 1));
        else if (tensor.RawData.Length >= 8)
        {
            var bytes = tensor.RawData.ToByteArray();
            var at = bytes.AsSpan(8 * random.Next(bytes.Length / 8), 8);
            BitConverter.TryWriteBytes(at, Number(random, BitConverter.ToInt64(at)));
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(bytes);
        }
    }

    private static void Odd(Random random, TensorProto tensor)
    {
        if (tensor.FloatData.Count > 0) tensor.FloatData[random.Next(tensor.FloatData.Count)] = Fraction(random);
        else if (tensor.RawData.Length is >= 4 and < 1 << 20)
        {
            var bytes = tensor.RawData.ToByteArray();
            BitConverter.TryWriteBytes(bytes.AsSpan(4 * random.Next(bytes.Length / 4), 4), Fraction(random));
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(bytes);
        }
    }

    private static void External(Random random, TensorProto tensor)
    {
        if (random.Next(3) > 0) Clear(tensor);
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        (string, string)[] entries = [("location", GraphMutations.Pick(random,
            ["weights.bin", "../x", "/etc/hostname", "", "a/b", "C:\\x"])),
            ("offset", Number(random, 0).ToString(System.Globalization.CultureInfo.InvariantCulture)), ("length", "x"), ("mine", "1")];
        foreach (var (key, value) in entries.Take(random.Next(entries.Length + 1)))
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    private static bool ToInput(Random random, ModelProto model)
    {
        if (model.Graph.Initializer.Count == 0) return false;
        var tensor = GraphMutations.Pick(random, model.Graph.Initializer);
        model.Graph.Initializer.Remove(tensor);
        if (model.Graph.Input.All(i => i.Name != tensor.Name))
        {
            var value = SmallModels.Value(tensor.Name, [.. tensor.Dims]);
            value.Type.TensorType.ElemType = tensor.DataType;
            model.Graph.Input.Add(value);
        }
        return true;
    }

    private static bool ToWeight(Random random, ModelProto model)
    {
        if (model.Graph.Input.Count == 0) return false;
        var input = GraphMutations.Pick(random, model.Graph.Input);
        if (input.Type?.TensorType is not { Shape: { } shape } type
            || model.Graph.Initializer.Any(t => t.Name == input.Name)) return false;
        var tensor = new TensorProto { Name = input.Name, DataType = type.ElemType };
        Fit(random, tensor, [.. shape.Dim.Select(d => d.HasDimValue && d.DimValue > 0 ? d.DimValue : 2)]);
        model.Graph.Input.Remove(input);
        model.Graph.Initializer.Add(tensor);
        return true;
    }

    private static TensorShapeProto.Types.Dimension Dimension(Random random) => random.Next(4) switch
    {
        0 => new() { DimParam = GraphMutations.Pick(random, ["n", "batch", "", "n + 1"]) },
        1 => new(),
        _ => new() { DimValue = Number(random, random.Next(1, 17)) },
    };

    private static void Rank(Random random, TensorShapeProto shape)
    {
        if (random.Next(3) == 0) shape.Dim.RemoveAt(random.Next(shape.Dim.Count));
        else for (int more = random.Next(8) == 0 ? 80 : 1; more > 0; more--) shape.Dim.Insert(random.Next(shape.Dim.Count + 1),
            Dimension(random));
    }

    private static TypeProto NoTensor(Random random, TypeProto type) => random.Next(4) switch
    {
        0 => new() { SequenceType = new() { ElemType = type } },
        1 => new() { OptionalType = new() { ElemType = type } },
        2 => new() { MapType = new() { KeyType = (int)DataType.Int64, ValueType = type } },
        _ => new(),
    };

    private static bool Stated(Random random, ModelProto model)
    {
        var names = GraphMutations.Bodies(model).SelectMany(b => b).SelectMany(n => n.Output).Where(o => o.Length > 0).ToList();
        if (names.Count == 0) return false;
        var value = SmallModels.Value(GraphMutations.Pick(random, names));
        for (int k = random.Next(6); k > 0; k--) value.Type.TensorType.Shape.Dim.Add(Dimension(random));
        GraphMutations.Pick(random, [.. model.Graph.WithSubgraphs()]).ValueInfo.Add(value);
        return true;
    }

    private static bool Sparse(Random random, ModelProto model)
    {
        var names = GraphMutations.Names(model);
        var sparse = new SparseTensorProto
        {
            Values = SmallModels.Weight(names.Count == 0 || random.Next(2) == 0 ? "sparse" : GraphMutations.Pick(random, names), 2),
            Indices = SmallModels.Longs("", 0, random.Next(-1, 9)),
        };
        for (int k = random.Next(4); k > 0; k--) sparse.Dims.Add(Number(random, 4));
        model.Graph.SparseInitializer.Add(sparse);
        return true;
    }

    private static bool Nodes(Random random, ModelProto model, Action<NodeProto> change)
    {
        var all = GraphMutations.Bodies(model).SelectMany(b => b).ToList();
        if (all.Count == 0) return false;
        change(GraphMutations.Pick(random, all));
        return true;
    }

    private static bool Attribute(Random random, ModelProto model, Func<AttributeProto, bool> which, Action<AttributeProto> change)
    {
        var all = GraphMutations.Bodies(model).SelectMany(b => b).SelectMany(n => n.Attribute).Where(which).ToList();
        if (all.Count == 0) return false;
        change(GraphMutations.Pick(random, all));
        return true;
    }

    private static bool Weight(Random random, ModelProto model, Action<TensorProto> change, Func<TensorProto, bool>? which = null)
    {
        var all = model.Graph.WithSubgraphs().SelectMany(g => g.Initializer)
            .Concat(GraphMutations.Bodies(model).SelectMany(b => b).SelectMany(n => n.Attribute).Where(a => a.T is not null)
                .Select(a => a.T))
            .Where(t => which is null || which(t)).ToList();
        if (all.Count == 0) return false;
        change(GraphMutations.Pick(random, all));
        return true;
    }

    private static bool Value(Random random, ModelProto model, Action<ValueInfoProto, TensorShapeProto> change)
    {
        var all = model.Graph.WithSubgraphs().SelectMany(g => g.Input.Concat(g.Output))
            .Where(v => v.Type?.TensorType?.Shape?.Dim.Count > 0).ToList();
        if (all.Count == 0) return false;
        var value = GraphMutations.Pick(random, all);
        change(value, value.Type.TensorType.Shape);
        return true;
    }
}
