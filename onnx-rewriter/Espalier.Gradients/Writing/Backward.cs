using Espalier.Onnx;

namespace Espalier.Gradients.Writing;

/// <summary>
/// A model that computes gradients: from tensors of a forward model, and from the gradients of some of its outputs, those of other
/// tensors. Plain ONNX operators, so that the runtime of the forward model runs it.
/// </summary>
/// <param name="Model">The model. Its weights are the forward model's, which must stay open.</param>
/// <param name="Reads">Tensors of the forward model that are inputs here, by the same names.</param>
/// <param name="Seeds">Per output of the forward model, the input that takes its gradient.</param>
/// <param name="Gradients">Per tensor whose gradient was wanted, the output that has it.</param>
/// <param name="Zero">Tensors that no output depends on in a way that has a gradient: theirs is zero.</param>
/// <param name="Stopped">Tensors whose gradient is not known, with tensor, operator and reason.</param>
internal sealed record Backward(OnnxModel Model, IReadOnlyList<string> Reads, IReadOnlyDictionary<string, string> Seeds,
    IReadOnlyDictionary<string, string> Gradients, IReadOnlyList<string> Zero, IReadOnlyDictionary<string, string> Stopped);
