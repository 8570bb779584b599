using Espalier.Gradients.Writing;
using Espalier.Onnx;

namespace Espalier.Gradients.Rules;

/// <summary>
/// How the windows of a convolution or a pool lie, along every spatial axis: sizes of what they move over, numbers of positions, size of a
/// window, steps, and what is padded on either side.
/// </summary>
internal sealed record Geometry
{
    public required long[] In { get; init; }

    public required long[] Out { get; init; }

    public required long[] Kernel { get; init; }

    public required long[] Strides { get; init; }

    public required long[] Dilations { get; init; }

    public required long[] Before { get; init; }

    public required long[] After { get; init; }

    public int Rank => In.Length;

    /// <summary>Reads the attributes of a node, whose windows move over these sizes and have so many positions.</summary>
    public static Geometry Of(GradientContext context, long[] over, long[] positions, long[] kernel)
    {
        int rank = over.Length;
        long[] ones = [.. Enumerable.Repeat(1L, rank)];
        long[] strides = context.Ints("strides") is { Length: > 0 } s ? s : ones;
        long[] dilations = context.Ints("dilations") is { Length: > 0 } d ? d : ones;
        long[] pads = context.Ints("pads") is { Length: > 0 } p ? p : new long[2 * rank];
        var (before, after) = (pads[..rank], pads[rank..]);
        string auto = context.Text("auto_pad", "NOTSET");
        if (auto.StartsWith("SAME", StringComparison.Ordinal))
            for (int i = 0; i < rank; i++)
            {
                long all = Math.Max(0, ((positions[i] - 1) * strides[i]) + ((kernel[i] - 1) * dilations[i]) + 1 - over[i]);
                (before[i], after[i]) = auto == "SAME_UPPER" ? (all / 2, all - (all / 2)) : (all - (all / 2), all / 2);
            }
        else if (auto == "VALID") (before, after) = (new long[rank], new long[rank]);
        return new()
        {
            In = over,
            Out = positions,
            Kernel = kernel,
            Strides = strides,
            Dilations = dilations,
            Before = before,
            After = after,
        };
    }

    /// <summary>Attributes of the convolution that the windows belong to, or of its transpose.</summary>
    public List<AttributeProto> Attributes(long group) =>
    [
        BackwardGraph.Ints("kernel_shape", Kernel), BackwardGraph.Ints("strides", Strides), BackwardGraph.Ints("dilations", Dilations),
        BackwardGraph.Ints("pads", [.. Before, .. After]), BackwardGraph.Int("group", group),
    ];

    /// <summary>What the transposed convolution must add behind, so that it gives all of what the windows moved over.</summary>
    public long[] Missing => [.. Enumerable.Range(0, Rank).Select(i => In[i] - (((Out[i] - 1) * Strides[i]) - Before[i] - After[i]
        + ((Kernel[i] - 1) * Dilations[i]) + 1))];

    /// <summary>A window of one position that neither steps nor pads.</summary>
    public bool IsPoint => Kernel.All(k => k == 1) && Strides.All(s => s == 1) && Before.Concat(After).All(p => p == 0);

    /// <summary>Offsets of every position of a window, in the order of the kernel.</summary>
    public IEnumerable<long[]> Offsets()
    {
        var at = new long[Rank];
        for (long k = Kernel.Aggregate(1L, (p, n) => p * n); k > 0; k--)
        {
            yield return [.. at.Zip(Dilations, (a, d) => a * d)];
            for (int axis = Rank - 1; axis >= 0 && ++at[axis] == Kernel[axis]; axis--) at[axis] = 0;
        }
    }
}
