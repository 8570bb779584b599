using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Weights;

/// <summary>A weight that can become a product of two: what reads it, and how those nodes take their operands.</summary>
/// <param name="Weight">Name of the weight in the file.</param>
/// <param name="Consumers">Products that read it, all in one way.</param>
/// <param name="Operand">Index of the weight's operand; the activation is the other of the first two.</param>
/// <param name="Transposed">Whether the operand is [outputs, inputs].</param>
/// <param name="Type">Element type of the operand.</param>
internal sealed record FactorableWeight(string Weight, IReadOnlyList<Consumer> Consumers, int Operand, bool Transposed, DataType Type)
{
    /// <summary>Sizes of a convolution's window; of a matrix none.</summary>
    public IReadOnlyList<long> Window { get; private init; } = [];

    /// <summary>Positions of the window; 1 of a matrix. A feature is an input at one of them.</summary>
    public int Positions => (int)Window.Aggregate(1L, (a, b) => a * b);

    /// <summary>The features of some inputs.</summary>
    public int[] Features(int[] inputs) => [.. inputs.SelectMany(i => Enumerable.Range(i * Positions, Positions))];

    public bool IsConvolution => Consumers[0].Kind == ConsumerKind.Convolution;

    /// <summary>Whether the first factor is [ranks, inputs …].</summary>
    public bool RanksFirst => IsLeft || IsConvolution;

    /// <summary>Whether the weight is what the activation is multiplied with from the left.</summary>
    public bool IsLeft => Operand == 0;

    /// <summary>Operators that read it, as reports name them.</summary>
    public string Nodes => string.Join(", ", Consumers.Select(r => r.Node.ToString()));

    /// <summary>The weight as a matrix to factor, or why it is none.</summary>
    public static (FactorableWeight? Weight, string? Obstacle) Find(AxisAnalysis analysis, WeightTable weights, string name)
    {
        var readers = analysis.Products.Where(p => p.Parameter == name).ToList();
        if (weights.Shape(name) is not { } shape) return (null, "its numbers are made by a node, not held in the file");
        if (weights.IsQuantized(name))
            return (null,
                "it holds integers with a scale, and two factors of floating-point numbers would be larger: factor the model before it "
                    + "is quantised");
        if (readers.FirstOrDefault(r => r.Node.Proto.OpType is not ("MatMul" or "Gemm" or "Conv")
            || r.Node.Proto.Domain is not ("" or "ai.onnx")) is { } other)
            return (null, $"{other.Node} reads it, and only the weights of MatMul, Gemm and Conv are factored");
        bool convolution = readers.Count > 0 && readers[0].Kind == ConsumerKind.Convolution;
        if ((!convolution && shape.Length != 2) || readers.Any(r => r.Batched)) return (null, "it is a stack of matrices");
        long[] window = [.. shape.Skip(2)];
        FactorableWeight? whole = null;
        foreach (var reader in readers)
        {
            var record = analysis.State.Records[reader.Node.Ordinal];
            int operand = record.Inputs[0]!.IsConstant ? 0 : 1;
            if (convolution && (operand == 0 || Flag("group") > 1)) return (null, $"{reader.Node} convolves groups of channels apart");
            long Flag(string attribute) => reader.Node.Proto.Attribute.FirstOrDefault(a => a.Name == attribute)?.I ?? 0;
            if (reader.Node.Proto.OpType == "Gemm" && (operand == 0 || Flag("transA") != 0))
                return (null, $"{reader.Node} transposes its activation or has the weight on its left");
            if (weights.Uses(record.Inputs[operand]!.Name) != readers.Count || weights.Uses(name) > readers.Count)
                return (null, "something else reads it too, so it would stay in the file beside its factors");
            var own = new FactorableWeight(name, readers, operand, operand == 0 || convolution || Flag("transB") != 0,
                (DataType)record.Inputs[operand]!.ElementType)
            { Window = window };
            if (!DataTypes.IsFloat(own.Type)) return (null, "it is not read as floating-point numbers");
            if (whole is not null
                && (own != whole || readers[0].Node.Proto.OpType != reader.Node.Proto.OpType || readers[0].Node.Scope != reader.Node.Scope
                    || (readers[0].ParameterAxis, readers[0].OutputAxis) != (reader.ParameterAxis, reader.OutputAxis)))
                return (null, $"{readers[0].Node} and {reader.Node} read it in different ways");
            whole = own;
        }
        return (whole, null);
    }
}
