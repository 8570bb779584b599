using Espalier.Axes.Graph;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Means over what was pruned. The masked model divides by d, of which d − d' are zeros; the slim model divides by d'. So a mean is
/// multiplied by d'/d; a root mean square by √(d/d'), with its epsilon multiplied by d/d'. Where removal is inexact anyway the mean is
/// that of what is left.
/// </summary>
internal sealed class MeanSurgery(EditableGraph graph, SlimSizes slim)
{
    public void Apply()
    {
        foreach (var use in graph.Analysis.State.Means)
        {
            double ratio = 1;
            foreach (var term in use.Terms) ratio *= Ratio(term);
            if (ratio == 1) continue;
            if (use.Scale < 0) Multiply(use.Node, ratio);
            else Rescale(use, ratio);
        }
    }

    /// <summary>d'/d of an axis, of which only exact groups count as removed.</summary>
    private double Ratio(Term term)
    {
        if (!slim.Touches(term)) return 1;
        long? Left(Factor f) => graph.Analysis.InexactMarks.ContainsKey(f) ? f.Size : slim.Size(f);
        return Polynomial.Of(term, Left).Value is { } left && term.Size is { } size ? (double)left / size : 1;
    }

    private void Multiply(NodeInfo info, double factor)
    {
        var node = graph.Node(info.Ordinal);
        string mean = graph.FreshName(node.Output[0] + "_left");
        var multiply = EditableGraph.NewNode("Mul", mean + "_Mul", node.Output[0], mean, Scalar(info, 0, mean + "_ratio", factor));
        node.Output[0] = mean;
        graph.InsertAfter(info.Ordinal, multiply);
    }

    private void Rescale(MeanUse use, double ratio)
    {
        var node = graph.Node(use.Node.Ordinal);
        var epsilon = node.Attribute.FirstOrDefault(a => a.Name == "epsilon");
        // ONNX Runtime's defaults differ.
        if (epsilon is null)
            node.Attribute.Add(epsilon = new AttributeProto
            {
                Name = "epsilon",
                F = node.OpType == "SkipSimplifiedLayerNormalization" ? 1e-12f : 1e-5f,
                Type = AttributeProto.Types.AttributeType.Float
            });
        epsilon.F = (float)(epsilon.F / ratio);
        string scaled = graph.FreshName(node.Input[use.Scale] + "_scaled");
        var multiply = EditableGraph.NewNode("Mul", scaled, scaled, node.Input[use.Scale],
            Scalar(use.Node, use.Scale, scaled + "_ratio", Math.Sqrt(1 / ratio)));
        node.Input[use.Scale] = scaled;
        graph.InsertBefore(use.Node.Ordinal, multiply);
    }

    private string Scalar(NodeInfo info, int operand, string stem, double value)
    {
        var type = (TensorProto.Types.DataType)graph.Analysis.State.Records[info.Ordinal].Inputs[operand]!.ElementType;
        string name = graph.FreshName(stem);
        // A type of 16 bits rounds it to as many digits as it computes with.
        var payload = type == TensorProto.Types.DataType.Double
            ? TensorContent.FromBytes(BitConverter.GetBytes(value))
            : TensorContent.FromFloats(type, [(float)value]);
        graph.AddInitializer(info.Scope, graph.Analysis.Model.NewTensor(name, type, [], payload));
        return name;
    }
}
