using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Oracle;

/// <summary>
/// Puts A·B in the place of weights that became products of two. Which way round a factor lies follows from the product that reads the
/// weight in the dense file, not from what surgery took it for: MatMul and Gemm are looked at, and Transpose, Cast and Identity on the
/// way to them. Of a convolution the inputs are those of every position of its window.
/// </summary>
/// <param name="slim">The slim model, which has the factors.</param>
/// <param name="slices">Removed slices: the factors are those of what is left.</param>
internal sealed class FactorProducts(OnnxModel dense, OnnxModel slim, Slices slices)
{
    /// <summary>Where a product reads the weight.</summary>
    /// <param name="Operand">Index of its operand.</param>
    /// <param name="Turned">Whether the operand is the weight of the file transposed.</param>
    /// <param name="OutputsFirst">Whether the operand is [outputs, inputs].</param>
    private sealed record Reader(NodeProto Node, int Operand, bool Turned, bool OutputsFirst)
    {
        /// <summary>Whether the weight of the file is [outputs, inputs].</summary>
        public bool FileHasOutputsFirst => OutputsFirst != Turned;
    }

    /// <summary>A·B over what is left.</summary>
    /// <param name="Inputs">Which inputs of the weight are left.</param>
    private sealed record Product(double[] Values, int[] Inputs, int[] Outputs);

    private readonly Dictionary<string, TensorProto> _factors = slim.Proto.Graph.WithSubgraphs().SelectMany(g => g.Initializer)
        .GroupBy(t => t.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);

    /// <exception cref="EspalierException">The models do not have the tensors, shapes do not agree, or something else than a product
    /// reads a weight.</exception>
    public void Put(GraphProto graph, IReadOnlyList<(string Weight, string Down, string Up)> factored)
    {
        foreach (var (weight, down, up) in factored)
        {
            long[] shape = [.. Tensor(weight).Dims];
            foreach (var reader in Readers(graph, weight))
            {
                var product = Multiply(weight, down, up, reader);
                // A product for each reader: they may take the weight in different ways.
                string name = $"{weight} in {reader.Node.Output[0]}";
                long[] dims = reader.Turned ? [shape[1], shape[0]] : shape;
                var operand = new float[dims.Aggregate(1L, (a, d) => a * d)];
                long row = operand.Length / dims[0];
                for (int i = 0; i < product.Inputs.Length; i++)
                    for (int o = 0; o < product.Outputs.Length; o++)
                    {
                        var (input, output) = (product.Inputs[i], product.Outputs[o]);
                        long at = reader.OutputsFirst ? (output * row) + input : (input * row) + output;
                        operand[at] = (float)product.Values[(i * product.Outputs.Length) + o];
                    }
                var type = (DataType)_factors[down].DataType;
                graph.Initializer.Add(dense.NewTensor(name, type, dims, TensorContent.FromFloats(type, operand)));
                reader.Node.Input[reader.Operand] = name;
            }
        }
    }

    /// <summary>
    /// How far a product is from what is left of the weight: ‖W − AB‖ / ‖W‖, roots of the sums of squares; 0 where that is zero.
    /// </summary>
    public double Distance((string Weight, string Down, string Up) factored)
    {
        var reader = Readers(dense.Proto.Graph, factored.Weight)[0];
        var product = Multiply(factored.Weight, factored.Down, factored.Up, reader);
        var tensor = Tensor(factored.Weight);
        float[] weight = dense.Content(tensor).ToFloats();
        long length = weight.Length / tensor.Dims[0];
        double far = 0, all = 0;
        for (int i = 0; i < product.Inputs.Length; i++)
        {
            for (int o = 0; o < product.Outputs.Length; o++)
            {
                var (row, column) = reader.FileHasOutputsFirst ? (product.Outputs[o], product.Inputs[i])
                    : (product.Inputs[i], product.Outputs[o]);
                double w = weight[(row * length) + column], difference = w - product.Values[(i * product.Outputs.Length) + o];
                (far, all) = (far + (difference * difference), all + (w * w));
            }
        }
        return all == 0 ? 0 : Math.Sqrt(far / all);
    }

    private static List<Reader> Readers(GraphProto graph, string weight)
    {
        var found = new List<Reader>();
        var open = new Stack<(string Name, bool Turned)>([(weight, false)]);
        var nodes = graph.WithSubgraphs().SelectMany(g => g.Node).ToList();
        while (open.TryPop(out var at))
        {
            foreach (var node in nodes)
            {
                bool standard = node.Domain is "" or "ai.onnx";
                for (int k = 0; k < node.Input.Count; k++)
                {
                    if (node.Input[k] != at.Name) continue;
                    if (standard && node.OpType is "Identity" or "Cast") open.Push((node.Output[0], at.Turned));
                    else if (standard && node.OpType == "Transpose") open.Push((node.Output[0], at.Turned != Turns(node)));
                    else if (standard && node.OpType == "MatMul" && k < 2) found.Add(new(node, k, at.Turned, OutputsFirst: k == 0));
                    else if (standard && node.OpType == "Conv" && k == 1 && !at.Turned) found.Add(new(node, k, false, OutputsFirst: true));
                    else if (standard && node.OpType == "Gemm" && k == 1) found.Add(new(node, k, at.Turned, IsSet(node, "transB")));
                    else throw Odd(weight, $"but {node.OpType} '{node.Name}' reads it, in which no product takes its place.");
                }
            }
        }
        return found.Count > 0 ? found : throw Odd(weight, "but no product of the model reads it. Was it written for this model?");
    }

    private static bool Turns(NodeProto transpose)
        => transpose.Attribute.FirstOrDefault(a => a.Name == "perm")?.Ints is not { Count: > 0 } perm || perm.SequenceEqual([1L, 0L]);

    private static bool IsSet(NodeProto node, string name) => node.Attribute.FirstOrDefault(a => a.Name == name)?.I is not (null or 0);

    private Product Multiply(string weight, string down, string up, Reader reader)
    {
        int outputAxis = reader.FileHasOutputsFirst ? 0 : 1;
        int[] inputs = Left(weight, 1 - outputAxis), outputs = Left(weight, outputAxis);
        int window = (int)Tensor(weight).Dims.Skip(2).Aggregate(1L, (a, d) => a * d);
        inputs = [.. inputs.SelectMany(i => Enumerable.Range(i * window, window))];
        // A weight on the left of its activation leaves the first factor on the left of it too; a convolution's is like itself.
        var (a, rank) = Factor(weight, down, inputs.Length, ranksFirst: reader.Operand == 0 || reader.Node.OpType == "Conv");
        var (b, other) = Factor(weight, up, outputs.Length, ranksFirst: !reader.OutputsFirst);
        if (rank != other)
            throw Odd(weight, $"but '{down}' has rank {rank}, and '{up}' has rank {other}.");
        var values = new double[(long)inputs.Length * outputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            var row = values.AsSpan(i * outputs.Length, outputs.Length);
            for (int r = 0; r < rank; r++)
            {
                double x = a[(r * inputs.Length) + i];
                for (int o = 0; o < row.Length; o++) row[o] += x * b[(r * outputs.Length) + o];
            }
        }
        return new(values, inputs, outputs);
    }

    /// <summary>The elements of a factor, [rank, units].</summary>
    private (float[] Values, int Rank) Factor(string weight, string name, int units, bool ranksFirst)
    {
        if (!_factors.TryGetValue(name, out var tensor))
            throw Odd(weight, $"but the slim model does not have the factor '{name}'. Was it written for this model?");
        if (tensor.Dims.Count < 2 || (!ranksFirst && tensor.Dims.Skip(2).Any(d => d != 1))
            || (ranksFirst ? tensor.Dims[0] * units : units * tensor.Dims[1]) != tensor.Dims.Aggregate(1L, (x, d) => x * d))
            throw Odd(weight, $"but of its {units} units the factor '{name}' has [{string.Join(", ", tensor.Dims)}]. "
                + "Was it written for this model?");
        int rank = (int)tensor.Dims[ranksFirst ? 0 : 1];
        float[] stored = slim.Content(tensor).ToFloats();
        if (ranksFirst) return (stored, rank);
        var turned = new float[stored.Length];
        for (int u = 0; u < units; u++)
            for (int r = 0; r < rank; r++) turned[(r * units) + u] = stored[(u * rank) + r];
        return (turned, rank);
    }

    private TensorProto Tensor(string weight)
    {
        foreach (var graph in dense.Proto.Graph.WithSubgraphs())
        {
            if ((graph.Initializer.FirstOrDefault(t => t.Name == weight)
                ?? graph.Node.FirstOrDefault(n => n.Output.Contains(weight))?.ConstantTensor()) is not { } tensor) continue;
            return tensor.Dims.Count >= 2 ? tensor : throw Odd(weight, "but it is no matrix.");
        }
        throw Odd(weight, "but the model does not have it. Was it written for this model?");
    }

    private static EspalierException Odd(string weight, string but) => new($"The report says that '{weight}' was factored, {but}");

    private int[] Left(string weight, int axis)
    {
        var whole = Enumerable.Range(0, (int)Tensor(weight).Dims[axis]);
        return slices.GetValueOrDefault(weight)?.GetValueOrDefault(axis) is { } gone ? [.. whole.Except(gone)] : [.. whole];
    }
}
