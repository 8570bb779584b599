using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators;

/// <summary>
/// Sizes of the result's window axes of convolutions and pools (ONNX Conv, ConvTranspose, AveragePool, MaxPool, MaxUnpool).
/// </summary>
internal static class Windows
{
    /// <summary>Sets the pack of the result's window axes.</summary>
    /// <returns>Axes that pass: a window of one position that neither steps nor pads computes every position for itself.</returns>
    public static HashSet<Term> Infer(NodeContext context, string geometry, Dictionary<string, List<Term>> packs, string result)
    {
        var x = packs.GetValueOrDefault("x") ?? [];
        var axes = new List<Term>();
        var passing = new HashSet<Term>(ReferenceEqualityComparer.Instance);
        if (geometry == "global")
        {
            packs[result] = [.. x.Select(_ => Term.One)];
            return passing;
        }
        if (geometry == "open" || (geometry == "unpool" && context.Input(2) is not null))
        {
            packs[result] = [.. x.Select(_ => context.Constant(null, "positions of a window"))];
            return passing;
        }
        var kernel = context.Ints("kernel_shape", x.Count) ?? packs.GetValueOrDefault("k")?.Select(k => k.Size ?? -1).ToArray();
        if (kernel is not null && kernel.Length != x.Count) throw new MisfitException("its kernel has not the rank of its operand");
        var strides = context.Ints("strides", x.Count);
        var dilations = context.Ints("dilations", x.Count);
        if (strides?.Any(s => s <= 0) == true || dilations?.Any(d => d <= 0) == true)
            throw new MisfitException("its steps are no positive numbers");
        var pads = context.Ints("pads", 2 * x.Count);
        var outputPadding = context.Ints("output_padding", x.Count);
        var outputShape = context.Ints("output_shape");
        if (outputShape is { Length: > 0 } && outputShape.Length < x.Count)
            throw new MisfitException("its attribute output_shape is shorter than its operand");
        string auto = context.Text("auto_pad", "NOTSET");
        // What is added to the result (the operand z of fused convolutions) has positions of its own, and offsets move those of a window.
        bool mayPass = geometry is "conv" or "deconv" or "pool" && !packs.ContainsKey("z") && outputShape is null or [];
        for (int k = 0; k < x.Count; k++)
        {
            if (mayPass && kernel?[k] == 1 && (strides?[k] ?? 1) == 1
                && (auto != "NOTSET" || pads is null || (pads[k] == 0 && pads[k + x.Count] == 0))
                && (outputPadding?[k] ?? 0) == 0)
            {
                passing.Add(x[k]);
                axes.Add(x[k]);
                continue;
            }
            long? size = null;
            long? extentOf = x[k].Size ?? x[k].Nominal;
            if (outputShape is not null && outputShape.Length > 0) size = outputShape[outputShape.Length - x.Count + k];
            else if (kernel is not null && kernel[k] > 0 && extentOf is { } n)
            {
                long stride = strides?[k] ?? 1, extent = ((kernel[k] - 1) * (dilations?[k] ?? 1)) + 1;
                long pad = auto is "VALID" ? 0 : pads is null ? 0 : pads[k] + pads[k + x.Count];
                size = geometry is "deconv" or "unpool"
                    ? auto.StartsWith("SAME", StringComparison.Ordinal)
                        ? n * stride
                        : (stride * (n - 1)) + (outputPadding?[k] ?? 0) + extent - pad
                    : auto.StartsWith("SAME", StringComparison.Ordinal) ? (n + stride - 1) / stride
                    : Positions(n + pad - extent, stride, context.Int("ceil_mode", 0) == 1, n + (pads?[k] ?? 0));
            }
            axes.Add(context.Constant(x[k].Size is null
                ? null
                : size, "positions of a window", size is { } positions ? Math.Max(1, positions) : null));
        }
        packs[result] = axes;
        return passing;
    }

    private static long Positions(long room, long stride, bool ceil, long start)
    {
        if (room < 0) return 0;
        long count = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
        // With ceil_mode a window that would start in the right padding is left out (as ONNX Runtime and PyTorch do).
        if (ceil && (count - 1) * stride >= start) count--;
        return count;
    }
}
