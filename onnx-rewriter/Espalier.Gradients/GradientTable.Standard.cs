using Espalier.Axes.Operators.Table;

namespace Espalier.Gradients;

// Operators that have no gradient, each with its reason, and further lines of the standard domain.
internal static partial class GradientTable
{
    private const string StandardMore = """
        MeanVarianceNormalization(x) y | c = x-mean(x) | r = (mean(c*c)+1e-9)^(-0.5) | x: r*(dy-mean(dy)-y*mean(dy*y))
        BatchNormalization(x, s.1, b.1, m.1, v.1) y | when:training_mode=1:0 | c = x-mean(x) | r = (mean(c*c)+@epsilon:0.00001)^(-0.5)
            | h = c*r | g = dy*s | x: r*(g-mean(g)-h*mean(g*h)) | s: dy*h | b: dy | m: 0 | v: 0
        LpNormalization(x) y | when:p=1:2 | n = sum(abs(x)) | x: (dy-sign(x)*sum(dy*y))/(n+(n==0))
        """;

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
        boxes are chosen by comparing them: NonMaxSuppression
        """;

    private static readonly Dictionary<(string Domain, string Operator), string> Reasons =
        (from line in Split(StandardReasons)
         let parts = line.Split(": ")
         from op in parts[1].Split(' ')
         select (Key: ("", op), Reason: parts[0])).ToDictionary(r => r.Key, r => r.Reason);

    /// <summary>Why an operator has no gradient: what has no axes has none either. Null where it has one, or is not known.</summary>
    public static string? ReasonOf(string domain, string op)
        => Reasons.GetValueOrDefault((domain, op)) ?? OperatorTable.BarrierOf(domain, op);
}
