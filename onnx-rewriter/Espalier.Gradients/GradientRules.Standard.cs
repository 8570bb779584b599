using Espalier.Gradients.Rules.Positions;
using Espalier.Gradients.Rules.Sampling;
using Espalier.Gradients.Rules.Sequences;
using Espalier.Gradients.Rules.Statistics;
using Espalier.Gradients.Writing;

namespace Espalier.Gradients;

// Rules in code for further operators of the standard domain.
internal static partial class GradientRules
{
    private static (string Domain, string Operators, Action<GradientContext> Rule, string Text)[] StandardMore =>
    [
        ("", "GroupNormalization", NormalisationRules.GroupNormalization, "that of a normalised group, without its mean"),
        ("", "LRN", NormalisationRules.LocalResponse, "dY, less what the units that it was divided by have"),
        ("", "LpPool", NormalisationRules.LpPool, "to every element of a window by its part in the norm"),
        ("", "GlobalLpPool", NormalisationRules.GlobalLpPool, "to every element by its part in the norm"),
        ("", "Resize Upsample", ResizeRules.Resize, "products with the transposed matrix of interpolation, axis by axis"),
        ("", "RoiAlign", SampleRules.RoiAlign, "products with the transposed matrices of interpolation, region by region"),
        ("", "GridSample", SampleRules.GridSample, "products with the weights that each position gives to rows and columns"),
        ("", "Compress", PositionRules.Compress, "zeros between what was chosen"),
        ("", "CenterCropPad", PositionRules.CenterCropPad, "cropped and padded to the operand's shape"),
        ("", "ReverseSequence", PositionRules.ReverseSequence, "in the first order again"),
        ("", "TensorScatter", PositionRules.TensorScatter, "zero where the cache was overwritten; updates read theirs"),
        ("", "MaxUnpool", PositionRules.MaxUnpool, "read from where the elements were put"),
        ("", "OneHot", PositionRules.OneHot, "to each value the sum of where it stands"),
        ("", "Col2Im", PositionRules.Col2Im, "the blocks of the gradient"),
        ("", "AffineGrid", SampleRules.AffineGrid, "products with the positions"),
        ("", "CumProd", TransformRules.CumProd, "the sum from the other end of dY·y, over x"),
        ("", "Det", TransformRules.Det, "dY times the cofactors"),
        ("", "DFT", TransformRules.Dft, "the transform in the other direction, not divided by its length"),
        ("", "STFT", TransformRules.Stft, "every frame transformed back, added where it was cut out"),
        ("", "Attention", AttentionRules.Attention, "that of softmax(q·k)·v; shared keys and values have the sum of their heads"),
        ("", "RotaryEmbedding", RotaryRules.Rotary, "turned back; the angles have the sum over heads"),
        ("", "LSTM GRU RNN", RecurrentRules.Recurrent, "the steps one by one from the last to the first"),
        ("", "NegativeLogLikelihoodLoss", LossRules.LogLikelihood, "−dY times the class's weight at its score"),
        ("", "SoftmaxCrossEntropyLoss", LossRules.CrossEntropy, "the same through the logarithm of the softmax"),
        ("", "DequantizeLinear", PositionRules.Dequantize, "to the scale the sum of dY times what it scales"),
    ];
}
