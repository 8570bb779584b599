using Espalier.Onnx;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Takes weights out of the graph's inputs. Before IR version 4 every initializer had to be listed there, which says that a caller may
/// replace it; ONNX Runtime therefore folds nothing into it. https://onnx.ai/onnx/repo-docs/IR.html
/// </summary>
internal static class Hoisting
{
    /// <summary>The model without such inputs, or the model itself where it has none.</summary>
    /// <param name="model">The model; it must stay open while the result is used.</param>
    /// <param name="names">The inputs that went.</param>
    public static OnnxModel Apply(OnnxModel model, out IReadOnlyList<string> names)
    {
        var weights = model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        names = [.. model.Proto.Graph.Input.Select(i => i.Name).Where(weights.Contains)];
        if (names.Count == 0) return model;
        var clone = model.Proto.Clone();
        var kept = clone.Graph.Input.Where(i => !weights.Contains(i.Name)).ToList();
        clone.Graph.Input.Clear();
        clone.Graph.Input.AddRange(kept);
        clone.IrVersion = Math.Max(4, clone.IrVersion);
        return model.Derive(clone);
    }
}
