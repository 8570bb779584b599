using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Weights;

/// <summary>
/// A consumer's weight seen as one matrix per batch index: outputs × features, where a feature is an element of the contracted
/// axis and, for a convolution, a position of the window. Only indices are kept here; the elements stay where they are.
/// </summary>
internal sealed class ConsumerMatrix
{
    private readonly int[] _batchOffsets;
    private readonly int _outputStride;
    private readonly int _inputStride;
    private readonly bool _batchInInput;

    private ConsumerMatrix(int[] batchOffsets, (int Size, int Stride) outputs, (int Size, int Stride) inputs, int window, bool batchInInput)
    {
        (_batchOffsets, Window, _batchInInput) = (batchOffsets, window, batchInInput);
        (Outputs, _outputStride) = outputs;
        (Inputs, _inputStride) = inputs;
    }

    /// <summary>Matrices: 1, the groups of a convolution, or the product of the weight's batch axes.</summary>
    public int Batches => _batchOffsets.Length;
    /// <summary>Rows of one matrix.</summary>
    public int Outputs { get; }
    /// <summary>Contracted elements of one matrix, without the window.</summary>
    public int Inputs { get; }
    /// <summary>Positions of a convolution's window; 1 for a matrix product.</summary>
    public int Window { get; }
    /// <summary>Columns of one matrix.</summary>
    public int Features => Inputs * Window;

    /// <summary>The view of a consumer's weight.</summary>
    /// <param name="shape">Shape of its weight.</param>
    /// <returns>Null where the weight does not have the form that its kind needs.</returns>
    public static ConsumerMatrix? Create(Consumer consumer, IReadOnlyList<int> shape)
    {
        int p = consumer.ParameterAxis, o = consumer.OutputAxis;
        if (p == o || p < 0 || o < 0 || p >= shape.Count || o >= shape.Count) return null;
        int[] strides = new int[shape.Count];
        for (int a = shape.Count - 1, s = 1; a >= 0; s *= shape[a--]) strides[a] = s;
        if (consumer.Kind == ConsumerKind.MatrixProduct)
        {
            int[] offsets = [0];
            for (int a = 0; a < shape.Count; a++)
            {
                if (a == p || a == o) continue;
                int axis = a;
                offsets = [.. offsets.SelectMany(offset => Enumerable.Range(0, shape[axis]).Select(i => offset + i * strides[axis]))];
            }
            return offsets.Length > 1 && !consumer.Batched ? null : new(offsets, (shape[o], strides[o]), (shape[p], strides[p]), 1, false);
        }
        if (p > 1 || o > 1) return null;
        int window = 1;
        for (int a = 2; a < shape.Count; a++) window *= shape[a];
        int groups = checked((int)(consumer.Node.Proto.Attribute.FirstOrDefault(a => a.Name == "group")?.I ?? 1));
        if (groups < 1 || shape[0] % groups != 0) return null;
        // The group is the major part of the weight's first axis: outputs of a Conv, inputs of a ConvTranspose.
        int[] groupOffsets = [.. Enumerable.Range(0, groups).Select(g => g * (shape[0] / groups) * strides[0])];
        return o == 0
            ? new(groupOffsets, (shape[0] / groups, strides[0]), (shape[1], strides[1]), window, false)
            : new(groupOffsets, (shape[1], strides[1]), (shape[0] / groups, strides[0]), window, true);
    }

    /// <summary>Place of an element in the weight.</summary>
    public int Offset(int batch, int output, int feature)
        => _batchOffsets[batch] + output * _outputStride
            + (Window == 1 ? feature * _inputStride : feature / Window * _inputStride + feature % Window);

    /// <summary>Index of the weight's contracted axis.</summary>
    public int ContractedIndex(int batch, int feature) => (_batchInInput ? batch * Inputs : 0) + feature / Window;

    /// <summary>Index of the output channel over the whole consumer.</summary>
    public int OutputChannel(int batch, int output) => batch * Outputs + output;

    /// <summary>One of the statistics by batch index and feature.</summary>
    /// <param name="statistics">Statistics of the consumer; per batch index where calibration has them so.</param>
    /// <param name="pick">Which statistic: one value per feature of every batch, of one batch for all, or without the window.</param>
    /// <returns>Null where the number of values fits none of these.</returns>
    public Func<int, int, double>? Accessor(ActivationStatistics statistics, Func<ActivationStatistics, double[]> pick)
    {
        if (statistics.PerBatch is { } parts && parts.Count == Batches && parts.All(p => pick(p).Length == Features))
        {
            double[][] perBatch = [.. parts.Select(pick)];
            return (b, f) => perBatch[b][f];
        }
        double[] values = pick(statistics);
        if (values.Length == Batches * Features) return (b, f) => values[b * Features + f];
        if (values.Length == Features) return (_, f) => values[f];
        if (values.Length == Batches * Inputs) return (b, f) => values[b * Inputs + f / Window];
        if (values.Length == Inputs) return (_, f) => values[f / Window];
        return null;
    }

    /// <summary>The matrix of one batch index in double precision, row-major [outputs, features].</summary>
    public double[] Matrix(ReadOnlySpan<float> weight, int batch)
    {
        var matrix = new double[Outputs * Features];
        for (int o = 0, at = 0; o < Outputs; o++)
            for (int f = 0; f < Features; f++) matrix[at++] = weight[Offset(batch, o, f)];
        return matrix;
    }
}
