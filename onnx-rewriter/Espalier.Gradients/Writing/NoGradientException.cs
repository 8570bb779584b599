namespace Espalier.Gradients.Writing;

/// <summary>A rule cannot say what the gradient of this node is.</summary>
/// <param name="reason">Why, as what follows "it has no gradient: ".</param>
internal sealed class NoGradientException(string reason) : Exception(reason);
