using Espalier.Onnx;

namespace Espalier.Calibration.Windows;

/// <summary>What a convolution's kernel sees.</summary>
/// <param name="Channels">Input channels of all groups.</param>
/// <param name="Kernel">Kernel per spatial axis.</param>
/// <param name="Attributes">Attributes that place the window: strides, dilations, pads, auto_pad.</param>
internal sealed record Window(long Channels, long Groups, long[] Kernel, IReadOnlyList<AttributeProto> Attributes)
{
    /// <summary>Elements of the kernel.</summary>
    public long Positions { get; } = Kernel.Aggregate(1L, (a, b) => a * b);

    /// <summary>Every how many-th position of the window is taken along each axis; 1 for all.</summary>
    public long Every { get; init; } = 1;

    /// <summary>Positions that are taken instead, others in every batch; null for a regular distance.</summary>
    public Sampling? Sampling { get; init; }

    /// <summary>The model's strides times <see cref="Every"/>: a subset of the windows that the model's convolution sees.</summary>
    public long[] Strides
        => [.. Kernel.Select((_, i) => Every * (Attributes.FirstOrDefault(a => a.Name == "strides") is { } s ? s.Ints[i] : 1))];

    /// <summary>The least spacing that leaves at most so many positions of a sample.</summary>
    public long Spacing(long[] activation, long most)
    {
        // Automatic padding depends on the strides: other strides would see other windows.
        if (Attributes.Any(a => a.Name == "auto_pad" && a.S.ToStringUtf8().StartsWith("SAME", StringComparison.Ordinal))) return 1;
        long every = 1;
        while (Kernel.Select((_, i) => activation[i + 2] / (Strides[i] * every) + 1).Aggregate(1L, (a, b) => a * b) > most) every++;
        return every;
    }

    /// <summary>Whether every patch is just the channels at one position.</summary>
    public bool IsPointwise => Positions == 1 && Every == 1 && Attributes.All(a => a.Name switch
    {
        "strides" => a.Ints.All(v => v == 1),
        "pads" => a.Ints.All(v => v == 0),
        _ => true,
    });

    public static readonly string[] Placing = ["strides", "dilations", "pads", "auto_pad"];
}
