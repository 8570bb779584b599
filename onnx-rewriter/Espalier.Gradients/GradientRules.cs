using Espalier.Gradients.Fused;
using Espalier.Gradients.Notation;
using Espalier.Gradients.Rules;
using Espalier.Gradients.Writing;
using Espalier.Onnx;

namespace Espalier.Gradients;

/// <summary>How the gradients of a node are written: by a line of the table, or by a rule in code.</summary>
internal static partial class GradientRules
{
    private static readonly (string Domain, string Operators, Action<GradientContext> Rule, string Text)[] Code =
    [
        ("", "MatMul", ProductRules.MatMul, "products with the other operand, transposed"),
        ("", "Gemm", ProductRules.Gemm, "products with the other operand, transposed; the bias has the sum"),
        ("", "Einsum", EinsumRule.Einsum, "the other operands and dY under the labels of the operand"),
        ("", "Conv", ConvolutionRules.Conv, "a transposed convolution; products for each position of the kernel"),
        ("", "ConvTranspose", ConvolutionRules.ConvTranspose, "a convolution; products for each position of the kernel"),
        ("", "MaxPool", PoolRules.MaxPool, "to the largest element of each window"),
        ("", "AveragePool", PoolRules.AveragePool, "an equal part to each element of a window"),
        ("", "Reshape Flatten Squeeze Unsqueeze", ShapeRules.Reshaped, "the operand's shape again"),
        ("", "Transpose", ShapeRules.Transpose, "the axes in their first order"),
        ("", "Expand", ShapeRules.Expand, "the sum over what repeats"),
        ("", "Tile", ShapeRules.Tile, "the sum over what repeats"),
        ("", "Concat", ShapeRules.Concat, "to every operand its part"),
        ("", "Split", ShapeRules.Split, "the parts together again"),
        ("", "Slice", ShapeRules.Slice, "zeros around what was cut out"),
        ("", "Pad", ShapeRules.Pad, "the middle of the gradient"),
        ("", "DepthToSpace", ShapeRules.DepthToSpace, "blocks of pixels become channels again"),
        ("", "SpaceToDepth", ShapeRules.SpaceToDepth, "channels become blocks of pixels again"),
        ("", "Dropout", ShapeRules.Dropout, "dY, where nothing is dropped"),
        ("", "Trilu", ShapeRules.Trilu, "the same triangle"),
        ("", "CumSum", ShapeRules.CumSum, "the sum from the other end"),
        ("", "Cast", ShapeRules.Cast, "cast back; none to or from integers"),
        ("", "Gather", IndexRules.Gather, "rows go where they were read, and add up"),
        ("", "GatherElements", IndexRules.GatherElements, "elements go where they were read, and add up"),
        ("", "GatherND", IndexRules.GatherND, "elements go where they were read, and add up"),
        ("", "Scatter ScatterElements", IndexRules.ScatterElements, "zero where data were overwritten; updates read theirs"),
        ("", "ScatterND", IndexRules.ScatterND, "zero where data were overwritten; updates read theirs"),
        ("", "TopK", IndexRules.TopK, "to the elements that were chosen"),
        ("", "Clip", IndexRules.Clip, "dY between the bounds; beyond them to the bound"),
        ("", "Max Min", IndexRules.Extremum, "to the operand that is the extremum; equal ones share it"),
        ("", "Mean", IndexRules.Mean, "an equal part to every operand"),
        .. MicrosoftRules.All,
        .. MachineLearningRules.All,
    ];

    private static (string Domain, string Operators, Action<GradientContext> Rule, string Text)[] Lines => [.. Code, .. StandardMore];

    private static readonly Dictionary<(string Domain, string Operator), Action<GradientContext>> ByOperator =
        (from line in Lines from op in line.Operators.Split(' ') select ((line.Domain, op), line.Rule))
        .ToDictionary(r => r.Item1, r => r.Rule);

    /// <summary>Every operator that has a rule, with what it says.</summary>
    public static IEnumerable<(string Domain, string Operator, string Text)> All
        => GradientTable.All.Select(l => (l.Domain, l.Operator, l.Line.Text))
            .Concat(from line in Lines from op in line.Operators.Split(' ') select (line.Domain, op, line.Text));

    /// <summary>Whether an operator has a rule.</summary>
    public static bool Has(string domain, string op) => ByOperator.ContainsKey((domain, op)) || GradientTable.Find(domain, op).Any();

    /// <summary>Whether no result of a node changes with what a little changes of its operands.</summary>
    public static bool IsConstantBetweenSteps(NodeProto node, long opset)
        => GradientTable.Find(node.Domain, node.OpType).FirstOrDefault(l => l.HoldsFor(node, opset))?.Gradients.Values
            .All(g => g is NumberExpression { Value: 0 }) == true;

    /// <summary>The rule for a node.</summary>
    /// <exception cref="NoGradientException">There is none.</exception>
    public static Action<GradientContext> Find(NodeProto node, long opset)
    {
        string domain = node.Domain == "ai.onnx" ? "" : node.Domain;
        if (ByOperator.TryGetValue((domain, node.OpType), out var rule)) return rule;
        var lines = GradientTable.Find(domain, node.OpType).ToList();
        if (lines.Find(l => l.HoldsFor(node, opset)) is { } line) return context => LineRule.Apply(context, line);
        throw new NoGradientException(lines.Count > 0 ? "no line of the table is for its attributes"
            : GradientReasons.Of(domain, node.OpType) ?? "the operator has no rule");
    }
}
