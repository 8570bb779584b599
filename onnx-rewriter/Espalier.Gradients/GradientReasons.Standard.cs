namespace Espalier.Gradients;

// Operators of the ONNX standard domain (https://onnx.ai/onnx/operators/).
internal static partial class GradientReasons
{
    /// <summary>Reason, then the operators that it holds for.</summary>
    private const string StandardReasons = """
        it samples at positions that are computed, whose gradient is not written: DeformConv
        the largest of each region is not known behind it: MaxRoiPool
        it rounds to integers: QuantizeLinear DynamicQuantizeLinear
        it computes with integers: MatMulInteger ConvInteger QLinearMatMul QLinearConv BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot
        it reads numbers as other numbers: BitCast
        its frequencies are cut to whole bins: MelWeightMatrix
        how many it counts follows from its operands: Range
        it is random: RandomNormal RandomUniform
        what its graphs compute is not followed backwards: If Loop Scan
        none of its operands is a number that a gradient is of: Constant ConstantOfShape BlackmanWindow HammingWindow HannWindow
        which elements it keeps follows from which are equal: Unique
        boxes are chosen by comparing them: NonMaxSuppression
        """;
}
