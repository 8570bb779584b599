using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Onnx;

namespace Espalier.Pruning.Budgets;

/// <summary>
/// What files cost: parameters and bytes as they are stored, multiply-accumulates as the inference over the written graph finds them.
/// </summary>
internal static class FileCost
{
    /// <summary>Of the dense file as it lies on the disk.</summary>
    /// <param name="analysis">The inference over it.</param>
    public static ModelCost Before(AxisAnalysis analysis)
        => new(Parameters(analysis.File), (long)Math.Round(analysis.Macs), analysis.File.FileBytes);

    /// <summary>Of a model made from it, as it will be written.</summary>
    /// <param name="dense">The inference over the dense model, whose dynamic dimensions have the same sizes.</param>
    /// <param name="name">Name of its file, which tensors in a file beside it state; null for the dense model's.</param>
    public static ModelCost After(AxisAnalysis dense, OnnxModel model, string? name = null)
    {
        double macs = model == dense.Model || model == dense.File ? dense.Macs : AxisAnalysis.Run(model, dense.Options).Macs;
        return new(Parameters(model), (long)Math.Round(macs), model.WrittenBytes(name));
    }

    private static long Parameters(OnnxModel model) => StoredParameters.List(model.Proto).Sum(p => p.Elements);
}
