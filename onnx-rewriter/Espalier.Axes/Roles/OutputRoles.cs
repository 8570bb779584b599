using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Roles;

/// <summary>What the outputs of a model are.</summary>
internal static class OutputRoles
{
    /// <summary>
    /// By which metric outputs are compared where nobody says: embeddings where no output is what a last layer makes of features
    /// (logits, scores, boxes), distributions else.
    /// </summary>
    public static Metric MetricOf(AxisAnalysis analysis)
    {
        var outputs = analysis.GraphOutputs.Where(o => o.IsFloating).ToList();
        return outputs.Count > 0 && !outputs.Exists(o => IsLastLayer(analysis, o)) ? Metric.Embedding : Metric.KullbackLeibler;
    }

    /// <summary>Whether a product with a weight makes the output, up to biases, functions that make probabilities, and moves.</summary>
    private static bool IsLastLayer(AxisAnalysis analysis, TensorState output)
    {
        for (var at = output; at.Producer >= 0;)
        {
            var record = analysis.State.Records[at.Producer];
            if (record.Contraction is { } product)
                return record.Inputs[product.Left]!.IsConstant != record.Inputs[product.Right]!.IsConstant;
            var varying = record.Inputs.OfType<TensorState>().Where(i => !i.IsConstant).ToList();
            bool passes = varying.Count == 1 && (SumTree.IsAddition(record) || OperatorTable.Moved(record.Info.Proto) is [0]
                || record.Info.Proto.OpType is "Softmax" or "LogSoftmax" or "Sigmoid" or "Cast");
            if (!passes) return false;
            at = varying[0];
        }
        return false;
    }
}
