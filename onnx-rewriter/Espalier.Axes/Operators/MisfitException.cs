namespace Espalier.Axes.Operators;

/// <summary>
/// Attributes and operands of a node do not fit each other: no runtime would run it, or the ranks that the
/// file states are not the true ones.
/// The node is then one of which nothing is known, with this as the reason.
/// </summary>
internal sealed class MisfitException(string reason) : Exception(reason);
