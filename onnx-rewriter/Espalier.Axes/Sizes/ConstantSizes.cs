using Espalier.Onnx;
using static Espalier.Axes.Sizes.SizeValue;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Sizes;

/// <summary>Constants of the file, read as sizes.</summary>
internal static class ConstantSizes
{
    /// <summary>The elements of an integer constant; null for other types and where there are more than the limit.</summary>
    public static SizeTensor? OfConstant(OnnxModel model, TensorProto tensor, int limit = SizeTensor.MaxElements)
    {
        if ((DataType)tensor.DataType is not (DataType.Int64 or DataType.Int32 or DataType.Bool)) return null;
        int[] dims = [.. tensor.Dims.Select(d => (int)Math.Min(d, int.MaxValue))];
        if (SizeTensor.Count(dims, limit) is null) return null;
        return new(dims, [.. model.Content(tensor).ToLongs().Select(n => (SizeValue)new Literal(n))]);
    }

    /// <summary>What ConstantOfShape fills in, where it is an integer.</summary>
    public static SizeTensor? Fill(OnnxModel model, NodeProto node)
        => node.Attribute.FirstOrDefault(a => a.Name == "value")?.T is { } fill && OfConstant(model, fill) is { Elements: [_] } value
            ? value
            : null;

    /// <summary>The elements of a floating-point constant, where all are whole numbers; null otherwise.</summary>
    public static SizeTensor? OfWhole(OnnxModel model, TensorProto tensor)
    {
        if ((DataType)tensor.DataType is not (DataType.Float or DataType.Double)) return null;
        int[] dims = [.. tensor.Dims.Select(d => (int)Math.Min(d, int.MaxValue))];
        if (SizeTensor.Count(dims, SizeTensor.MaxElements) is null) return null;
        float[] numbers = model.Content(tensor).ToFloats();
        return numbers.All(n => n == Math.Floor(n) && Math.Abs(n) < 1 << 24)
            ? new(dims, [.. numbers.Select(n => (SizeValue)new Literal((long)n))], true)
            : null;
    }
}
