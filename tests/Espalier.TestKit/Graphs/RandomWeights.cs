using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Graphs;

/// <summary>
/// Gives random weights to a model whose weights are all made by ConstantOfShape: with equal weights every selection gives the
/// same outputs.
/// </summary>
internal static class RandomWeights
{
    /// <summary>
    /// The model with an initializer in place of every float ConstantOfShape of constant shape; null where it has none, or more
    /// elements than asked for.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="most">Most elements that are made.</param>
    public static OnnxModel? In(OnnxModel model, int seed, long most = 30_000_000)
    {
        var edited = model.Proto.Clone();
        var shapes = edited.Graph.Initializer.ToDictionary(t => t.Name, t => t, StringComparer.Ordinal);
        var made = new List<(NodeProto Node, long[] Dims)>();
        foreach (var node in edited.Graph.Node.Where(n => n.OpType == "ConstantOfShape"))
        {
            var value = node.Attribute.FirstOrDefault(a => a.Name == "value")?.T;
            if ((value is null || value.DataType == (int)DataType.Float) && shapes.TryGetValue(node.Input[0], out var shape))
                made.Add((node, model.Content(shape).ToLongs()));
        }
        long total = made.Sum(m => m.Dims.Aggregate(1L, (a, b) => a * b));
        if (made.Count == 0 || total > most) return null;
        var random = new Random(seed);
        foreach (var (node, dims) in made)
        {
            var values = new float[dims.Aggregate(1L, (a, b) => a * b)];
            // Vectors are variances, scales and shifts; matrices and kernels keep the size of what they multiply.
            double scale = Math.Sqrt(6.0 / Math.Max(1, dims.Skip(1).Aggregate(1L, (a, b) => a * b)));
            for (int i = 0; i < values.Length; i++)
                values[i] = dims.Length <= 1 ? 0.5f + random.NextSingle() : (float)((2 * random.NextDouble() - 1) * scale);
            edited.Graph.Initializer.Add(GraphBuilder.Tensor(node.Output[0], DataType.Float, dims,
                System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray()));
            edited.Graph.Node.Remove(node);
        }
        return model.Derive(edited);
    }
}
