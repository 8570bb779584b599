using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Graph;

/// <summary>An integer operand whose elements are sizes of terms: re-derived after pruning.</summary>
/// <param name="Node">The node that reads it.</param>
/// <param name="Input">Index of the operand.</param>
/// <param name="Value">What the graph computes.</param>
/// <param name="Required">Per element, the term whose size it must be; null where it is right for any size (−1, 0, open end).</param>
/// <param name="Pinned">True where the value must stay what the dense model had: it leaves the arithmetic of sizes.</param>
/// <param name="From">Per element, the axis that it counts from the end of: its value moves with the whole axis; null
/// throughout where none does.</param>
internal sealed record SizeUse(NodeInfo Node, int Input, SizeTensor Value, Term?[] Required, bool Pinned = false, Term?[]? From = null);

/// <summary>An integer attribute that is the size of a term.</summary>
internal sealed record AttributeUse(NodeInfo Node, string Attribute, int Index, Term Term, Term? From = null);

/// <summary>
/// Constant positions that are written anew: the positions, among those of an axis that stay, of what stays of the other side.
/// </summary>
/// <param name="Node">The node that reads them.</param>
/// <param name="Input">Index of the operand.</param>
/// <param name="Lists">One list, or the lists of which a grid of positions is made, one per axis of the operand.</param>
/// <param name="Order">Per coordinate of a position in a grid, its list; null where the operand is a plain list.</param>
internal sealed record IndexUse(NodeInfo Node, int Input, IndexList[] Lists, int[]? Order = null);

/// <summary>Positions along an axis.</summary>
/// <param name="Indices">The list in the dense model.</param>
/// <param name="Axis">The axis that is indexed.</param>
/// <param name="Result">The axis on the other side, one position for each index.</param>
internal sealed record IndexList(long[] Indices, Term Axis, Term Result);

/// <summary>
/// A number that an operator takes from the size of an axis unless an attribute gives it: written down when the axis is pruned.
/// </summary>
internal sealed record ScaleUse(NodeInfo Node, string Attribute, float Value, Term Term);

/// <summary>A mean over an axis: what is left after pruning is divided by fewer, so surgery multiplies by their ratio.</summary>
/// <param name="Terms">The axes that it averages over.</param>
/// <param name="Scale">For a root mean square, the operand that the result is multiplied by; −1 for a plain mean.</param>
internal sealed record MeanUse(NodeInfo Node, Term[] Terms, int Scale = -1);
