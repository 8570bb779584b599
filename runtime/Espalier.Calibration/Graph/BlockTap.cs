using Espalier.Axes.Groups;

namespace Espalier.Calibration.Graph;

/// <summary>A block's names in the instrumented graph.</summary>
/// <param name="Sum">Output: sum of the rows' cosines.</param>
/// <param name="Shape">Output: shape of the block's input without the axis that a row runs along.</param>
/// <param name="Angle">Output: sum of the rows' angles; null where it was not asked for.</param>
internal sealed record BlockTap(Block Block, string Sum, string Shape, string? Angle);
