using Espalier.Onnx;
using Google.Protobuf.Collections;
using Dimension = Espalier.Onnx.TensorShapeProto.Types.Dimension;

namespace Espalier.Calibration.Data;

/// <summary>
/// Which axis of each input counts independent samples, as far as the declared shapes say. A dimension whose name has "batch"
/// in it is one, and then no other is. Else it is a dynamic axis 0, unless its name stands twice in the input ([s, s], a mask),
/// or on a later axis of an input that has another name in front ([s] beside [b, s]: positions), or some input has a size of
/// its own (edges of a graph): then a sample is whatever comes at once. What is batched in one input is in all that have the
/// name, on whatever axis ([2, b, 64], a state).
/// </summary>
internal static class BatchAxes
{
    /// <summary>The batch axis of every input by name; −1 where it has none.</summary>
    public static IReadOnlyDictionary<string, int> Find(IReadOnlyList<ValueInfoProto> inputs)
    {
        var shapes = inputs.ToDictionary(i => i.Name,
            i => (IReadOnlyList<Dimension>)(i.Type?.TensorType?.Shape?.Dim ?? new RepeatedField<Dimension>()), StringComparer.Ordinal);
        var symbols = Symbols([.. shapes.Values]);
        return shapes.ToDictionary(s => s.Key, s => AxisOf(s.Value, symbols), StringComparer.Ordinal);
    }

    /// <summary>Whether nothing but axis 0 of this input has its name.</summary>
    public static bool HasNameOfItsOwn(IReadOnlyList<ValueInfoProto> inputs, ValueInfoProto input)
        => input.Type?.TensorType?.Shape is { Dim: [{ DimParam: { Length: > 0 } name }, ..] }
            && inputs.Sum(i => i.Type?.TensorType?.Shape?.Dim.Count(d => d.DimParam == name) ?? 0) == 1;

    private static int AxisOf(IReadOnlyList<Dimension> dims, IReadOnlySet<string> symbols)
    {
        for (int axis = 0; axis < dims.Count; axis++)
            if (symbols.Contains(dims[axis].DimParam) && dims.Count(d => d.DimParam == dims[axis].DimParam) == 1) return axis;
        // Of a nameless one nothing else is known; alone it is the length of a sequence.
        return dims.Count > 1 && IsOpen(dims[0]) && dims[0].DimParam.Length == 0 ? 0 : -1;
    }

    private static IReadOnlySet<string> Symbols(IReadOnlyList<IReadOnlyList<Dimension>> shapes)
    {
        var all = shapes.SelectMany(s => s).Where(IsOpen).Select(d => d.DimParam).Where(n => n.Length > 0)
            .ToHashSet(StringComparer.Ordinal);
        if (all.Where(n => n.Contains("batch", StringComparison.OrdinalIgnoreCase))
            .ToHashSet(StringComparer.Ordinal) is { Count: > 0 } named) return named;
        var found = shapes.Where(s => s.Count > 1).Select(s => s[0].DimParam).Where(n => n.Length > 0 && shapes.All(s => Allows(s, n)))
            .ToHashSet(StringComparer.Ordinal);
        var batched = shapes.Where(s => AxisOf(s, found) >= 0).SelectMany(s => s).Select(d => d.DimParam).ToHashSet(StringComparer.Ordinal);
        bool ownSizes = shapes.Any(s => AxisOf(s, found) < 0
            && s.Any(d => IsOpen(d) && !batched.Contains(d.DimParam) && s.Count(o => o.DimParam == d.DimParam) == 1));
        return ownSizes ? new HashSet<string>() : found;
    }

    private static bool Allows(IReadOnlyList<Dimension> shape, string name)
    {
        int first = shape.Select(d => d.DimParam).ToList().IndexOf(name);
        return first <= 0 ? shape.Count(d => d.DimParam == name) <= 1 : shape[0].DimParam.Length == 0;
    }

    private static bool IsOpen(Dimension d) => !(d.HasDimValue && d.DimValue > 0);
}
