namespace Espalier.TestKit.Graphs;

/// <summary>How a layer is quantised.</summary>
/// <param name="PerChannel">A scale for each output, and not one for all.</param>
/// <param name="Zeros">With zero points that are not 0.</param>
/// <param name="Requantizes">The result is quantised too.</param>
internal sealed record Quantization(bool PerChannel, bool Zeros, bool Requantizes = true);
