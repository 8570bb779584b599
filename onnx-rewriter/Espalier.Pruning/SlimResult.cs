using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>A slim model and what was done to make it.</summary>
/// <param name="Model">The slim model; the dense one itself where nothing was removed. Its weights are read from the dense
/// model when it is written, so that must stay open.</param>
internal sealed record SlimResult(OnnxModel Model, PruningReport Report);
