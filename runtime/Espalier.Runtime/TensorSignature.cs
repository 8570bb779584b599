namespace Espalier.Runtime;

/// <summary>What a model wants or gives under one name.</summary>
/// <param name="Name">Name of the input or output.</param>
/// <param name="ElementType">ONNX's name of the element type, as in <see cref="NamedTensor.ElementType"/>.</param>
/// <param name="Dimensions">One entry per axis; null where the model does not say even the rank.</param>
public sealed record TensorSignature(string Name, string ElementType, IReadOnlyList<Dimension>? Dimensions)
{
    /// <summary>Type and shape, e.g. <c>float32[batch,1,28,28]</c>.</summary>
    public override string ToString() => ElementType + (Dimensions is null ? "[…]" : $"[{string.Join(',', Dimensions)}]");

    /// <summary>Whether a tensor of this shape fits: same rank, same size on every axis that has one.</summary>
    public bool Accepts(IReadOnlyList<long> shape)
    {
        // ONNX Runtime reports an unknown rank as no dimensions, like a scalar: it has the last word on both.
        if (Dimensions is null or []) return true;
        if (Dimensions.Count != shape.Count) return false;
        for (int i = 0; i < shape.Count; i++)
            if (shape[i] < 0 || (Dimensions[i].Size is { } size && size != shape[i])) return false;
        return true;
    }
}

/// <summary>Size of one axis.</summary>
/// <param name="Size">The size; null where it is dynamic.</param>
/// <param name="Symbol">Name of a dynamic size; null where it has none.</param>
public readonly record struct Dimension(long? Size, string? Symbol)
{
    /// <summary>The size, the name of the dynamic size, or <c>?</c>.</summary>
    public override string ToString() => Size?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? Symbol ?? "?";
}
