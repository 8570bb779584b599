using System.Collections.Immutable;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Depth;

/// <summary>What goes of the depth.</summary>
/// <param name="Blocks">Numbers of the removed blocks and sublayers, ascending.</param>
/// <param name="Time">Time without them alone, where the budget is of time and they were chosen by it.</param>
internal sealed record DepthChoice(ImmutableArray<int> Blocks, ModelTime? Time = null);
