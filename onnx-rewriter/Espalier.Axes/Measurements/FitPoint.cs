using Espalier.Axes.Groups;

namespace Espalier.Axes.Measurements;

/// <summary>Where a consumer is observed in a slim model.</summary>
/// <param name="Output">Where its error is seen; null where its inputs alone are wanted.</param>
/// <param name="Outputs">Indices of the dense model's outputs that are left, ascending.</param>
internal sealed record FitPoint(Consumer Consumer, OutputPoint? Output, int[] Outputs);
