namespace Espalier.Axes;

/// <summary>
/// What operators say of axes, one line each: <c>Operator | operands -> results | clauses</c>. Axes are einops-like names, products
/// <c>(g o)</c> are major first, <c>x...</c> is a run of axes, <c>...</c> broadcasts, <c>~</c> may broadcast to its pattern,
/// <c>?</c> may be absent, <c>*</c> is an operand that the rule does not describe (frozen). Several lines for one operator are
/// tried in order until operator set, attributes and ranks fit. The source of each is the ONNX operator specification
/// (https://onnx.ai/onnx/operators/) or ONNX Runtime's ContribOperators.md for com.microsoft.
/// </summary>
/// <remarks>
/// Clauses: <c>bind:attr=v</c> the attribute is |v|, re-derived; <c>const:v=attr</c> |v| is the attribute and stays;
/// <c>when:attr=value:default</c>, <c>since:n</c>, <c>until:n</c> when the line holds; <c>fix:v,…</c> positions are meaningful, so v is frozen;
/// <c>norm:v,…</c> a statistic runs over v: removal is inexact; <c>rms:v=scale=operands</c> a root mean square runs over v, which is
/// rescaled through the operand <c>scale</c> where all of the operands are zero at removed units; <c>zero:rule[=operands]</c> see <see cref="ZeroRule"/>;
/// <c>contract:l,r[,bias]</c> a product of two operands; <c>sum:v=operands</c> v is summed and one of the operands must be zero at
/// removed units; <c>macs:v,…</c> multiply-accumulates; <c>geometry:conv|deconv|pool|global</c> sizes of the result's window axes;
/// <c>quant:operand=scale,point</c> what operand is in integers, with which scale and zero point (see <see cref="QuantizedOperand"/>);
/// <c>role:kind=v</c> what v is; <c>variadic</c> the last operand repeats.
/// </remarks>
internal static partial class OperatorTable
{
    /// <summary>Element-wise operators of one operand with f(0) = 0.</summary>
    private const string ZeroPreserving = """
        Abs Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Dropout Elu Erf Floor Gelu HardSwish Identity LeakyRelu Mish Neg Relu
        Round Selu Shrink Sign Sin Sinh Softsign Sqrt Swish Tan Tanh ThresholdedRelu Pow
        """;

    /// <summary>Element-wise operators of one operand with f(0) ≠ 0.</summary>
    private const string NotZeroPreserving = """
        Acos Acosh BitwiseNot Cos Cosh Exp HardSigmoid IsInf IsNaN Log Not Reciprocal Sigmoid Softplus
        """;

    private static readonly Lazy<ILookup<(string Domain, string Operator), OperatorRule>> Rules = new(() =>
    {
        var unary = ZeroPreserving.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries)
            .Select(n => $"{n} | ..., *?, *? -> ..., ... | zero:first")
            .Concat(NotZeroPreserving.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Select(n => $"{n} | ... -> ..."));
        return Lines(Standard).Concat(Lines(StandardQuantized)).Concat(unary).Select(l => ("", OperatorRule.Parse(l)))
            .Concat(Lines(Microsoft).Concat(Lines(MicrosoftQuantized)).Select(l => ("com.microsoft", OperatorRule.Parse(l))))
            .ToLookup(r => (r.Item1, r.Item2.Operator), r => r.Item2);

        static IEnumerable<string> Lines(string text)
            => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(l => !l.StartsWith('#'));
    });

    /// <summary>The lines for an operator, in order.</summary>
    public static IEnumerable<OperatorRule> Find(string domain, string op) => Rules.Value[(domain == "ai.onnx" ? "" : domain, op)];
}
