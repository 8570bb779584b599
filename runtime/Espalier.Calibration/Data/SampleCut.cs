using System.Globalization;
using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Dimension = Espalier.Onnx.TensorShapeProto.Types.Dimension;

namespace Espalier.Calibration.Data;

/// <summary>One way to take an array as samples of an input.</summary>
/// <param name="Shape">Shape of one sample, as the model gets it.</param>
/// <param name="Axis">The array's axis along which samples lie.</param>
/// <param name="Step">How many of its indices a sample takes; 0 where every sample is the whole array.</param>
/// <param name="Samples">How many there are; null where the array is the same for as many as the other inputs have.</param>
internal sealed record SampleCut(ArrayFile Array, long[] Shape, int Axis, long Step, long? Samples)
{
    /// <summary>Taken only where another input says that there are as many: the axis in front has a name of its own.</summary>
    public bool IsGuess { get; init; }

    public NamedTensor Sample(ValueInfoProto input, long index)
    {
        long inner = Step * Product(Array.Shape.Skip(Axis + 1)), all = Product(Shape);
        var part = Step == 0 ? new ArrayPart(0, all, 0, all) : new ArrayPart(index * inner, inner, Product(Array.Shape.Skip(Axis)), all);
        return Array.Slice(input.Name, part, Shape, GraphFacts.ElementName(input.Type!.TensorType.ElemType));
    }

    /// <summary>Every way in which an array fits an input, the likeliest first.</summary>
    /// <param name="dims">The input's declared shape; null where it has none.</param>
    /// <param name="batch">Its batch axis; −1 for none.</param>
    /// <param name="named">Its axis 0 has a name of its own, which may be one more word for the batch.</param>
    public static IEnumerable<SampleCut> Enumerate(ArrayFile array, IReadOnlyList<Dimension>? dims, int batch, bool named)
    {
        long[] shape = array.Shape;
        if (dims is null)
        {
            yield return shape.Length == 0 ? new(array, [], 0, 0, null) : new(array, [1, .. shape[1..]], 0, 1, shape[0]);
            yield break;
        }
        bool scalar = dims.Count == 0;
        long? first = !scalar && batch < 0 && dims[0] is { HasDimValue: true, DimValue: > 0 } d ? d.DimValue : null;
        if (shape.Length == dims.Count + 1 && Fits(shape[1..], dims))
            yield return new(array, shape[1..], 0, scalar && shape[0] == 1 ? 0 : 1, scalar && shape[0] == 1 ? null : shape[0]);
        if (batch >= 0 && Fits(shape, dims, batch)) yield return new(array, With(shape, batch, 1), batch, 1, shape[batch]);
        if (first is { } size && Fits(shape, dims, 0) && shape[0] % size == 0)
            yield return new(array, With(shape, 0, size), 0, size, shape[0] / size);
        if (batch < 0 && named && Fits(shape, dims)) yield return new(array, With(shape, 0, 1), 0, 1, shape[0]) { IsGuess = true };
        if (batch < 0 && Fits(shape, dims)) yield return new(array, shape, 0, 0, null);
        // [samples, 28, 28] for [batch, 1, 28, 28]: axes of one element may be missing, or there are more of them.
        if ((batch == 0 || first is not null) && shape.Length > 0 && shape[0] % (first ?? 1) == 0
            && Spread(shape[1..], dims, first ?? 1) is { } spread)
            yield return new(array, spread, 0, first ?? 1, shape[0] / (first ?? 1));
        // One sample without its batch axis; one number for axes of one element.
        if (batch >= 0 && shape.Length == dims.Count - 1 && Fits([.. shape[..batch], 1, .. shape[batch..]], dims))
            yield return new(array, [.. shape[..batch], 1, .. shape[batch..]], 0, 0, 1);
        if (shape.Length == 0 && !scalar && Fits([.. dims.Select(_ => 1L)], dims))
            yield return new(array, [.. dims.Select(_ => 1L)], 0, 0, null);
    }

    /// <summary>The layouts that an input is taken in, for messages.</summary>
    public static string Layouts(IReadOnlyList<Dimension>? dims, int batch)
    {
        if (dims is null) return "[n,…], n samples";
        string[] wanted = [.. dims.Select(Text)];
        string Shape(IEnumerable<string> of) => $"[{string.Join(',', of)}]";
        var layouts = new List<string> { Shape(["n", .. wanted]) };
        if (batch >= 0) layouts.Add(Shape(wanted.Select((t, axis) => axis == batch ? "n" : t)));
        else if (dims.Count > 0 && dims[0] is { HasDimValue: true, DimValue: > 0 } first)
            layouts.Add(Shape([first.DimValue == 1 ? "n" : $"n·{Text(first)}", .. wanted[1..]]));
        return $"{string.Join(" or ", layouts)}, n samples{(batch < 0 ? $", or as {Shape(wanted)}, the same for every sample" : "")}";
    }

    /// <summary>A declared shape, for messages.</summary>
    private static string Text(Dimension d)
        => d.HasDimValue ? d.DimValue.ToString(CultureInfo.InvariantCulture) : d.HasDimParam && d.DimParam.Length > 0 ? d.DimParam : "?";

    private static bool Fits(long[] shape, IReadOnlyList<Dimension> dims, int except = -1)
        => shape.Length == dims.Count
            && !shape.Where((size, axis) => axis != except && dims[axis] is { HasDimValue: true, DimValue: > 0 } d
                && d.DimValue != size).Any();

    /// <summary>The axes behind the first, put where the model has them; null where they do not fit.</summary>
    private static long[]? Spread(long[] rest, IReadOnlyList<Dimension> dims, long first)
    {
        var sizes = rest.Where(size => size != 1).ToList();
        var shape = new long[dims.Count];
        int next = 0;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            if (axis == 0) shape[axis] = first;
            else if (dims[axis] is { HasDimValue: true, DimValue: 1 }) shape[axis] = 1;
            else if (next < sizes.Count) shape[axis] = sizes[next++];
            else return null;
        }
        return next == sizes.Count && Fits(shape, dims, 0) ? shape : null;
    }

    private static long[] With(long[] shape, int axis, long size) => [.. shape[..axis], size, .. shape[(axis + 1)..]];

    private static long Product(IEnumerable<long> sizes) => sizes.Aggregate(1L, (a, b) => checked(a * b));
}
