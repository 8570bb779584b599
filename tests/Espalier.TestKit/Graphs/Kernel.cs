namespace Espalier.TestKit.Graphs;

/// <summary>A square window that keeps height and width at stride 1.</summary>
internal sealed record Kernel(int Size = 3, int Group = 1, int Stride = 1, bool Bias = true)
{
    public static implicit operator Kernel(int size) => new(size);

    /// <summary>The attributes of a Conv.</summary>
    public (string Name, object Value)[] Attributes =>
    [
        ("kernel_shape", new[] { Size, Size }), ("pads", Enumerable.Repeat(Size / 2, 4).ToArray()), ("strides", new[] { Stride, Stride }),
        ("group", Group),
    ];
}
