using Espalier.Axes.Terms;

namespace Espalier.Axes.Graph;

/// <summary>Something said of every factor in a term.</summary>
/// <param name="Term">The factors are its leaves.</param>
/// <param name="MinKeep">Fewest units that must stay.</param>
/// <param name="Node">Ordinal of the operator; −1 where none says it.</param>
/// <param name="Tensor">The graph's input or output, or the weight, of which it is said; null where an operator says it.</param>
/// <param name="OfMasking">Only masking is not removal here: to multiply what is summed by zero is.</param>
internal sealed record Mark(Term Term, string Reason, long MinKeep = 1, int Node = -1, string? Tensor = null, bool OfMasking = false);
