using Espalier.Onnx;

namespace Espalier.Calibration.Graph;

/// <summary>Shapes of tensors in one run: inference alone does not know the rank of every tensor.</summary>
internal static class Shapes
{
    public static Dictionary<string, long[]> Measure(OnnxModel model, IReadOnlyCollection<string> tensors,
        IReadOnlyDictionary<string, NamedTensor> sample, CancellationToken cancellation)
    {
        var known = GraphFacts.Names(model);
        var wanted = tensors.Where(known.Contains).Order(StringComparer.Ordinal).ToList();
        if (wanted.Count == 0) return [];
        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        var write = new NodeWriter(copy, Instrumentation.Prefix);
        var shapes = wanted.Select(t => write.Op("Shape", [t])).ToList();
        shapes.ForEach(write.Output);
        using var derived = write.Derive(model);
        using var session = Sessions.Open(derived);
        var outputs = session.Run(sample.Values, cancellation);
        return wanted.Zip(shapes).ToDictionary(p => p.First, p => (long[])outputs[p.Second].Values, StringComparer.Ordinal);
    }
}
