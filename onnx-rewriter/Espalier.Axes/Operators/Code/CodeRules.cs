using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Operators.Code;

/// <summary>A rule in code.</summary>
/// <param name="NeedsShape">It does nothing without the terms of its first operand.</param>
/// <param name="Text">What it says, in one line.</param>
/// <param name="Described">Number of leading operands whose axes it speaks of.</param>
/// <param name="IsInteger">Which operands are integers that stand for numbers; null for none.</param>
/// <param name="Multiplies">Whether it costs multiply-accumulates.</param>
internal sealed record CodeRule(Action<NodeContext> Apply, bool NeedsShape, string Text, int Described = 1,
    Func<int, bool>? IsInteger = null, bool Multiplies = false)
{
    /// <summary>How the ranks of operands and results hang together.</summary>
    public RankRule Ranks { get; init; }
}

/// <summary>The operators whose rule is code.</summary>
internal static class CodeRules
{
    private const int All = int.MaxValue;
    private const string Microsoft = "com.microsoft", MachineLearning = OperatorTable.MachineLearningDomain;

    private static readonly Func<int, bool> First = k => k == 0, Second = k => k == 1;

    private static readonly (string Domain, string Operators, CodeRule Rule)[] Lines =
    [
        ("", "Constant", new(SourceRules.Constant, false, "a tensor of the file: every axis is free")),
        ("", "ConstantOfShape", new(SourceRules.ConstantOfShape, false,
            "the axes whose sizes the operand gives; zero everywhere where the value is 0")),
        ("", "Range", new(SourceRules.Range, false, "one axis, frozen, because its positions are counted")),
        ("", "Einsum", new(SourceRules.Einsum, true,
            "every label is an axis; labels that the result lacks are summed", All, Multiplies: true)),
        ("", "Resize Upsample", new(SourceRules.Resize, true, "axes that keep their size pass; the others are frozen")),
        ("", "Transpose", new(ShapeRules.Transpose, true, "the axes in another order")),
        ("", "Flatten", new(ShapeRules.Flatten, true, "two products of axes")),
        ("", "Squeeze", new(ShapeRules.Squeeze, true, "axes of size 1 go")),
        ("", "Unsqueeze", new(ShapeRules.Unsqueeze, true, "axes of size 1 come")),
        ("", "Concat", new(ShapeRules.Concat, true, "one axis is a sum, the others agree", All)),
        ("", "Expand", new(ShapeRules.Expand, true, "axes of size 1 repeat; the others pass")),
        ("", "Tile", new(ShapeRules.Tile, true, "every axis is a product of a fixed count and itself")),
        ("", "Reshape", new(ShapeRules.Reshape, true, "runs of axes with equal sizes are one index space, unified as products")),
        ("", "Split", new(SelectRules.Split, true, "one axis is cut at the boundaries, the others pass")),
        ("", "Slice", new(SliceRule.Apply, true, "the axes are cut at the bounds; in steps of n an axis is a product with n")),
        ("", "Gather", new(SelectRules.Gather, true,
            "the gathered axis is cut at a constant index and frozen otherwise; the others pass", 2)),
        ("", "Pad", new(SelectRules.Pad, true, "padding with zeros is a sum with free units; other padding freezes the axis")),
        ("", "Softmax LogSoftmax Hardmax", new(ReduceRules.Softmax, true,
            "the shape passes; the normalised axes (before operator set 13 all from the axis on) are inexact")),
        ("", "LayerNormalization RMSNormalization SimplifiedLayerNormalization", new(ReduceRules.LayerNormalization, true,
            "the shape passes; the axes from `axis` on are inexact; scale and bias agree with them", All)),
        ("", "MeanVarianceNormalization", new(ReduceRules.MeanVariance, true, "the shape passes; the listed axes are inexact")),
        ("", "LpNormalization", new(ReduceRules.LpNormalization, true, "the shape passes; one axis is summed")),
        ("", "TopK", new(ReduceRules.TopK, true,
            "one axis is inexact and k of its units must stay, or frozen where the indices are read; the others pass")),
        ("", "ArgMax ArgMin", new(ReduceRules.ArgExtremum, true, "one axis is frozen, the others pass")),
        ("", "CumProd", new(IndexRules.CumProd, true, "the shape passes; one axis is frozen")),
        ("", "GatherElements", new(IndexRules.GatherElements, true,
            "the gathered axis is frozen; along the others, data, indices and result agree", 2)),
        ("", "GatherND", new(IndexRules.GatherND, true, "the axes that positions are given for are frozen, the others pass", 2)),
        ("", "Scatter ScatterElements", new(IndexRules.ScatterElements, true,
            "one axis is frozen; along the others, data, indices and updates agree", 3)),
        ("", "ScatterND", new(IndexRules.ScatterND, true,
            "the axes that positions are given for are frozen; the others agree with those of the updates", 3)),
        ("", "TensorScatter", new(IndexRules.TensorScatter, true, "one axis is frozen; the others of cache and update agree", 2)),
        ("", "OneHot", new(IndexRules.OneHot, true, "the axes of the indices pass; the new one is frozen")),
        ("", "Compress", new(IndexRules.Compress, true, "one axis is frozen, the others pass; without an axis all are frozen")),
        ("", "NonZero", new(IndexRules.NonZero, true, "every axis is frozen, because positions become data")),
        ("", "Unique", new(IndexRules.Unique, true, "every axis is frozen, because elements are compared with each other")),
        ("", "ReverseSequence", new(IndexRules.ReverseSequence, true, "the time axis is frozen, the others pass", 2)),
        ("", "DFT", new(SignalRules.Dft, true, "the transformed axis and the last one are frozen, the others pass")),
        ("", "STFT", new(SignalRules.Stft, true, "the batch axis passes; positions and frequencies are frozen")),
        ("", "HannWindow HammingWindow BlackmanWindow", new(SignalRules.Window, false, "one axis, frozen")),
        ("", "MelWeightMatrix", new(SignalRules.MelWeights, false, "frequencies and bands, frozen")),
        ("", "RandomNormal RandomUniform", new(SignalRules.Random, false, "axes of the given sizes, frozen")),
        ("", "AffineGrid", new(SignalRules.AffineGrid, true, "the batch axis passes; coordinates and positions are frozen")),
        ("", "CenterCropPad", new(SignalRules.CenterCropPad, true, "axes that keep their size pass; the others are frozen")),
        ("", "Col2Im", new(SignalRules.Col2Im, true, "channels pass; positions are frozen")),
        ("", "RotaryEmbedding", new(SignalRules.Rotary, true,
            "heads pass; the pairs of a rotation go together, with their column of the caches", All)),
        ("", "Shape", new(SourceRules.Sizes, true, "the sizes of the axes, as numbers")),
        ("", "Size", new(SourceRules.Sizes, true, "the product of the sizes, as a number")),
        (Microsoft, "RotaryEmbedding", new(SignalRules.Rotary, true,
            "heads pass; the pairs of a rotation go together, with their column of the caches", All)),
        (Microsoft, "ExpandDims", new(ShapeRules.Unsqueeze, true, "an axis of size 1 comes")),
        (Microsoft, "Pad", new(SelectRules.Pad, true, "padding with zeros is a sum with free units; other padding freezes the axis")),
        (Microsoft, "Range", new(SourceRules.Range, false, "one axis, frozen, because its positions are counted")),
        (Microsoft, "GatherND", new(IndexRules.GatherND, true, "the axes that positions are given for are frozen, the others pass", 2)),
        (Microsoft, "UnfoldTensor", new(IndexRules.Unfold, true, "one axis becomes two of frozen positions, the others pass")),
        (Microsoft, "BiasSoftmax", new(ReduceRules.Softmax, true, "the shape passes; the axes from `axis` on are inexact")),
        ("", "CumSum", new(ReduceRules.CumSum, true, "the shape passes; one axis is frozen")),
        ("", "QuantizeLinear", new(QuantizedRules.QuantizeLinear, true,
            "the shape passes; scales lie along one axis, or along its whole blocks", 3)),
        ("", "DequantizeLinear", new(QuantizedRules.DequantizeLinear, true, "as QuantizeLinear", 3, IsInteger: First)),
        (Microsoft, "QuantizeLinear", new(QuantizedRules.QuantizeLinear, true, "as QuantizeLinear", 3)),
        (Microsoft, "DequantizeLinear", new(QuantizedRules.DequantizeLinear, true, "as QuantizeLinear", 3, IsInteger: First)),
        (Microsoft, "QLinearConcat", new(QuantizedRules.QLinearConcat, false,
            "one axis is a sum, the others agree", All, IsInteger: k => k >= 2 && k % 3 == 2)),
        (Microsoft, "QLinearSoftmax", new(QuantizedRules.QLinearSoftmax, true,
            "the shape passes; the normalised axes are inexact", 5, IsInteger: First)),
        (Microsoft, "QLinearReduceMean", new(QuantizedRules.QLinearReduceMean, true,
            "the reduced axes are inexact, the others pass", 5, IsInteger: First)),
        (Microsoft, "MatMulNBits", new(BlockQuantizedRules.MatMulNBits, true,
            "... (b block), n b bytes, (n b), (n b)? -> ... n", All, IsInteger: Second, Multiplies: true)),
        (Microsoft, "MatMulBnb4", new(BlockQuantizedRules.MatMulBnb4, true,
            "... (b block), (n b bytes), (n b) -> ... n", All, IsInteger: Second, Multiplies: true)),
        (Microsoft, "GatherBlockQuantized", new(BlockQuantizedRules.GatherBlockQuantized, true,
            "the gathered axis is frozen, the quantised axis is whole blocks, the others pass", All, IsInteger: First)),
        (MachineLearning, "Scaler", new(MachineLearningRules.Scaler, true,
            "the shape passes; features with an offset and a scale each are frozen")),
        (MachineLearning, "Imputer", new(MachineLearningRules.Imputer, true, "the shape passes; features with a value each are frozen")),
        (MachineLearning, "FeatureVectorizer", new(MachineLearningRules.FeatureVectorizer, true,
            "the features are a sum, of which the attribute has the sizes; rows agree", All)),
        (MachineLearning, "LinearClassifier", new(MachineLearningRules.LinearClassifier, true,
            "n c -> n, n e; rows pass; features are frozen, because their coefficients are attributes", Multiplies: true)),
        (MachineLearning, "SVMClassifier", new(MachineLearningRules.SupportVectorClassifier, true,
            "n c -> n, n e; rows pass; features are frozen, because their coefficients are attributes", Multiplies: true)),
        (MachineLearning, "ArrayFeatureExtractor", new(SelectRules.ArrayFeatureExtractor, true,
            "as Gather along the last axis; the indices make one axis of any shape", 2)),
        ("", "ReduceSum ReduceL1 ReduceL2 ReduceSumSquare", new(ReduceRules.Reduce, true, "the reduced axes are summed, the others pass")),
        ("", "ReduceMean ReduceMax ReduceMin ReduceProd ReduceLogSum ReduceLogSumExp", new(ReduceRules.Reduce, true,
            "the reduced axes are inexact, the others pass")),
    ];

    // What is said of ranks, for operands of which nothing else is known.
    private static readonly (RankRule Rule, string Operators)[] Ranks =
    [
        (RankRule.Same,
            "Softmax LogSoftmax Hardmax LayerNormalization RMSNormalization SimplifiedLayerNormalization MeanVarianceNormalization "
            + "LpNormalization TopK CumSum CumProd Scatter ScatterElements ScatterND TensorScatter Slice Pad Split Resize Upsample Tile "
            + "QuantizeLinear DequantizeLinear ReverseSequence CenterCropPad RotaryEmbedding"),
        (RankRule.AllSame, "Concat GatherElements"),
        (RankRule.Listed, "Transpose"),
        (RankRule.Matrix, "Flatten"),
        (RankRule.More, "Unsqueeze"),
        (RankRule.Fewer, "Squeeze"),
        (RankRule.Reduced,
            "ArgMax ArgMin ReduceSum ReduceL1 ReduceL2 ReduceSumSquare ReduceMean ReduceMax ReduceMin ReduceProd ReduceLogSum "
                + "ReduceLogSumExp"),
        (RankRule.Gathered, "Gather"),
    ];

    private static readonly Dictionary<(string Domain, string Operator), CodeRule> Rules =
        (from line in Lines from op in line.Operators.Split(' ') select (line.Domain, Operator: op, line.Rule))
        .ToDictionary(r => (r.Domain, r.Operator), r => r.Domain.Length > 0 ? r.Rule
            : r.Rule with { Ranks = Ranks.FirstOrDefault(rank => rank.Operators.Split(' ').Contains(r.Operator)).Rule });

    /// <summary>Every operator that has a rule in code.</summary>
    public static IEnumerable<KeyValuePair<(string Domain, string Operator), CodeRule>> Entries => Rules;

    /// <summary>The rule of an operator; null where it has none in code.</summary>
    public static CodeRule? Find(string domain, string op) => Rules.GetValueOrDefault((domain == "ai.onnx" ? "" : domain, op));
}
