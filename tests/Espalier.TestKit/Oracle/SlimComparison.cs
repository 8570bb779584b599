using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Pruning.Edits;

namespace Espalier.TestKit.Oracle;

/// <summary>What the oracle found.</summary>
internal sealed record SlimComparison(AxisAnalysis Analysis, Selection Selection, SlimModel Slim)
{
    /// <summary>
    /// Greatest difference of slim and masked outputs, relative to the largest masked element of the output; infinite where shapes
    /// differ.
    /// </summary>
    public required double Error { get; init; }

    /// <summary>The same for dense and masked outputs: 0 means that the removal could not be seen at all.</summary>
    public required double Effect { get; init; }

    /// <summary>The output with the greatest error.</summary>
    public required string Worst { get; init; }

    /// <summary>
    /// Greatest difference of the gated twin's outputs and the slim model's; null where the twin refuses a group of the selection, or
    /// inputs or outputs shrank.
    /// </summary>
    public double? Twin { get; init; }

    /// <summary>
    /// Where the error is more than rounding usually is: how far the masked model is from itself when its inputs change in their last
    /// bits. 0 where that was not asked, or explains nothing.
    /// </summary>
    public double Noise { get; init; }

    /// <summary>Whether the difference is rounding.</summary>
    public bool IsExact => Error <= Math.Max(SlimOracle.Tolerance, 2 * Noise);

    /// <summary>Whether the gated twin computes what the slim model computes; true where there is none.</summary>
    public bool IsTwin => Twin is not { } twin || twin <= Math.Max(SlimOracle.Tolerance, 2 * Noise);
}
