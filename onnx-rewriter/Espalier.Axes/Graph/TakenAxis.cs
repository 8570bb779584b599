using Espalier.Axes.Terms;

namespace Espalier.Axes.Graph;

/// <summary>An axis of a shared tensor of which one reader takes its own units: surgery inserts a Gather before the reader.</summary>
/// <param name="Operand">Which operand of it.</param>
/// <param name="Axis">Axis of the operand.</param>
/// <param name="Term">The axis as this reader sees it.</param>
internal sealed record TakenAxis(NodeInfo Reader, int Operand, int Axis, Term Term);
