namespace Espalier.Axes.Graph;

/// <summary>
/// What operators do with a factor: from these the kind of its group is read. The operator table writes them with hyphens.
/// </summary>
[Flags]
internal enum Role
{
    None = 0,
    /// <summary>One side of a product only repeats it.</summary>
    Repeated = 1,
    /// <summary>It runs along a residual stream.</summary>
    Stream = 2,
    /// <summary>Rows of a table that is looked up.</summary>
    Rows = 4,
    /// <summary>A product of two activations contracts it.</summary>
    HeadDims = 8,
    /// <summary>A product of two activations keeps it on both sides.</summary>
    Batch = 16,
    /// <summary>A product of two activations has it from its second operand.</summary>
    ValueDims = 32,
    /// <summary>Output channels of a convolution.</summary>
    ConvOut = 64,
    /// <summary>A batch axis of stacked weights.</summary>
    Stacked = 128,
    /// <summary>Outputs of a product with a weight.</summary>
    ProductOut = 256,
    /// <summary>A product with a weight contracts it.</summary>
    Read = 512,
    /// <summary>The hidden state of a recurrence.</summary>
    Hidden = 1024,
    /// <summary>Heads, as an operator of attention says.</summary>
    Heads = 2048,
}
