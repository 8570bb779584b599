using Espalier.Onnx;

namespace Espalier.Calibration;

/// <summary>Ranks of tensors, from ONNX Runtime's own inference, and from one run where it cannot tell.</summary>
internal static class Ranks
{
    public static Dictionary<string, int> Of(OnnxModel model, IReadOnlyCollection<string> tensors, IReadOnlyDictionary<string, NamedTensor> sample, CancellationToken cancellation)
    {
        var ranks = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var input in model.Proto.Graph.Input)
            if (tensors.Contains(input.Name) && input.Type?.TensorType?.Shape is { } shape) ranks[input.Name] = shape.Dim.Count;
        var produced = model.Proto.Graph.Node.SelectMany(n => n.Output).ToHashSet(StringComparer.Ordinal);
        var wanted = tensors.Where(t => !ranks.ContainsKey(t) && produced.Contains(t)).Distinct(StringComparer.Ordinal).ToList();
        if (wanted.Count == 0) return ranks;

        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        foreach (var name in wanted) copy.Graph.Output.Add(new ValueInfoProto { Name = name });
        using var session = Sessions.Open(model.Derive(copy));
        var unknown = new List<string>();
        foreach (var output in session.Outputs)
        {
            if (output.Dimensions is { Count: > 0 } d) ranks[output.Name] = d.Count;
            else unknown.Add(output.Name);
        }
        if (unknown.Count > 0)
            foreach (var (name, tensor) in session.Run(sample.Values, unknown, cancellation)) ranks[name] = tensor.Shape.Count;
        return ranks;
    }
}
