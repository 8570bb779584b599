using Espalier.Onnx;

namespace Espalier.Calibration.Inputs;

/// <summary>
/// Sizes of inputs where a model leaves them open: those that are given, by the name of the dimension or as <c>input:axis</c>, else
/// what names say (a batch, a past, a sum), else one of two defaults.
/// </summary>
/// <param name="spatial">Size of the spatial axes of inputs of rank 4.</param>
/// <param name="sequence">Size of other axes but the first.</param>
internal sealed class InputSizes(IReadOnlyList<ValueInfoProto> inputs, IReadOnlyDictionary<string, long>? given, long spatial,
    long sequence)
{
    private const long DefaultPast = 16;

    private readonly IReadOnlyDictionary<string, long> _given = given ?? new Dictionary<string, long>();
    private readonly List<string> _symbols = [.. inputs.SelectMany(i => i.Type?.TensorType?.Shape?.Dim ?? []).Where(d => d.HasDimParam)
        .Select(d => d.DimParam).Distinct(StringComparer.Ordinal)];

    public long[] Shape(ValueInfoProto input)
        => input.Type.TensorType.Shape is not { } shape ? []
            : [.. Enumerable.Range(0, shape.Dim.Count).Select(a => Size(input.Name, shape, a))];

    private long Size(string input, TensorShapeProto shape, int axis)
    {
        var dim = shape.Dim[axis];
        if (dim.HasDimValue && dim.DimValue > 0) return dim.DimValue;
        if (_given.TryGetValue($"{input}:{axis}", out long size)) return size;
        if (dim.HasDimParam && dim.DimParam.Length > 0) return Named(dim.DimParam, Default(shape, axis));
        // A nameless size beside fixed ones (a state [2, ?, 128]) is a batch.
        bool besideFixed = shape.Dim.Count != 4 && shape.Dim.Any(d => d.HasDimValue && d.DimValue > 0);
        return besideFixed ? 1 : Default(shape, axis);
    }

    private long Default(TensorShapeProto shape, int axis) => axis == 0 ? 1 : shape.Dim.Count == 4 && axis >= 2 ? spatial : sequence;

    private long Named(string symbol, long otherwise)
    {
        if (_given.TryGetValue(symbol, out long size)) return size;
        if (symbol.Contains('+'))
            return symbol.Split('+', StringSplitOptions.TrimEntries)
                .Sum(part => long.TryParse(part, out long n) ? n : Named(part, sequence));
        if (Has(symbol, "batch")) return 1;
        if (Has(symbol, "past")) return DefaultPast;
        if (Has(symbol, "total"))
            return _symbols.Where(s => s != symbol && !s.Contains('+') && !Has(s, "batch") && (Has(s, "past") || Has(s, "seq"))
                && !Has(s, "total")).Sum(s => Named(s, sequence));
        return otherwise;

        static bool Has(string s, string part) => s.Contains(part, StringComparison.OrdinalIgnoreCase);
    }
}
