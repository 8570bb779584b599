using System.Text.RegularExpressions;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Notation;

namespace Espalier.Axes.Operators.Table;

/// <summary>
/// What operators say of axes, one line each: <c>Operator | operands -> results | clauses</c>. Axes are einops-like names, products
/// <c>(g o)</c> are major first, <c>x...</c> is a run of axes, <c>...</c> broadcasts, <c>~</c> may broadcast to its pattern,
/// <c>?</c> may be absent, <c>*</c> is an operand that the rule does not describe (frozen). Several lines for one operator are
/// tried in order until operator set, attributes and ranks fit. The source of each is the ONNX operator specification
/// (https://onnx.ai/onnx/operators/) or ONNX Runtime's ContribOperators.md for com.microsoft.
/// </summary>
/// <remarks>
/// Patterns: <c>[a + b]</c> is a concatenation, <c>_</c> an operand of which neither elements nor axes matter, <c>-</c> one
/// that must be absent. Clauses: <c>bind:attr=v</c> the attribute is |v|, re-derived (<c>attr[i]</c> one element of a list,
/// <c>v*w</c> a product, <c>v:1</c> its value where it is absent); <c>const:v=attr</c> |v| is the attribute and stays;
/// <c>count:v=attr/attr</c> |v| is the length of the one of these lists that is there, and stays; <c>held:v</c> attributes hold
/// coefficients of v, so v is frozen;
/// <c>when:attr=value/value:default</c>, <c>since:n</c>, <c>until:n</c> when the line holds; <c>fix:v,…</c> positions are
/// meaningful, so v is frozen; <c>whole:v,…</c> the size of a head is prescribed, so v is frozen;
/// <c>norm:v,…</c> a statistic runs over v: removal is inexact; <c>draws:v,…</c> random numbers are drawn along v: inexact;
/// <c>top:v=attr</c> the attr largest are chosen over v: inexact, and so many stay;
/// <c>rms:v=scale=operands</c> a root mean square runs over v, which is
/// rescaled through the operand <c>scale</c> where all of the operands are zero at removed units;
/// <c>zero:rule[=operands][@results]</c> see <see cref="ZeroRule"/>; <c>pole:operands</c> there is no result where one of them is zero;
/// <c>contract:l,r[,bias]</c> a product of two operands; <c>fused</c> more follows in the operator, so that no bias can be
/// added to its result;
/// <c>sum:v=operands</c> v is summed and one of the operands, where there are any, must be zero at
/// removed units; <c>scale:attr=v</c> where the attribute is absent it is 1/√|v|, written down when v is pruned;
/// <c>macs:v,…</c> multiply-accumulates, with <c>@attr</c> times an attribute (1 where it is absent), as
/// <c>macs[operand]:v,…</c> only where the operand is there;
/// <c>length:v=p+q</c> for costs, v is as long as p and q together; <c>geometry:conv|deform|deconv|pool|unpool|global|open</c>
/// sizes of the result's window axes;
/// <c>quant:operand=scale,point</c> what operand is in integers, with which scale and zero point (see
/// <see cref="QuantizedOperand"/>); <c>packed:operand,scale=attr:default</c> an operand with several elements to a byte, of the
/// width that the attribute says;
/// <c>role:kind=v</c> what v is; <c>grouped:v*r</c> KV groups and the query heads of each; <c>variadic</c> the last operand repeats.
/// <para>
/// A line goes on in the indented lines below it. What holds of operators whichever of their lines, or rule in code, is applied are
/// facts, <c>Operator … | clauses</c>: <c>moves:operands</c> their elements are only moved (<c>all</c> of any number);
/// <c>affine:scale[,shift]</c> operands that a normalisation multiplies its result by, and adds; <c>scaled:alpha[,beta]</c>
/// attributes of α·A·B + β·C; <c>attention:q,k,v</c> operands; <c>bias:operand</c> frozen where it is computed;
/// <c>zero-if:attr@operand>=number</c> the line's zero rule holds only where the attribute, or else the operand, is so
/// (<c>-attr</c>: is absent); <c>draws-if:operand</c> random numbers are drawn along every axis where it is there and not false;
/// <c>activation</c> an attribute of this name says what is applied to the result; <c>type:source/source[@results]</c> the element
/// type of results is that of the first source that has one: a type, an operand, an attribute, or one of these behind a condition
/// (<c>attr?source</c> where the attribute has elements, <c>source=type?source</c>); without it that of the first operand;
/// <c>when:</c> as above.
/// </para>
/// </remarks>
internal static partial class OperatorTable
{
    /// <summary>Element-wise operators of one operand with f(0) = 0.</summary>
    private const string ZeroPreserving = """
        Abs Asin Asinh Atan Atanh Cast Ceil Celu Clip Elu Erf Floor Gelu HardSwish Identity IsInf IsNaN LeakyRelu Mish Neg Relu
        Round Selu Shrink Sign Sin Sinh Softsign Sqrt Swish Tan Tanh ThresholdedRelu
        """;

    /// <summary>Element-wise operators of one operand with f(0) ≠ 0. The bits of a zero depend on its sign.</summary>
    private const string NotZeroPreserving = "Acos BitCast BitwiseNot Cos Cosh Exp HardSigmoid Not Sigmoid Softplus";

    /// <summary>Element-wise operators of one operand that have no value at 0.</summary>
    private const string Poles = "Acosh Log Reciprocal";

    /// <summary>Every line of the table, with its domain.</summary>
    public static IEnumerable<(string Domain, OperatorRule Rule)> All => Rules.Value.SelectMany(g => g.Select(r => (g.Key.Domain, r)));

    private static readonly Lazy<ILookup<(string Domain, string Operator), OperatorRule>> Rules = new(() =>
    {
        var unary = Names(ZeroPreserving).Select(n => $"{n} | ..., *?, *? -> ... | zero:first")
            .Concat(Names(NotZeroPreserving).Select(n => $"{n} | ... -> ..."))
            .Concat(Names(Poles).Select(n => $"{n} | ... -> ... | pole:0"));
        return Parsed("", Lines(Standard).Concat(unary).Concat(Lines(StandardQuantized)))
            .Concat(Parsed("com.microsoft", Lines(Microsoft).Concat(Transposed()).Concat(Lines(MicrosoftQuantized))))
            .Concat(Parsed(MachineLearningDomain, Lines(MachineLearning)))
            .ToLookup(r => (r.Item1, r.Item2.Operator), r => r.Item2);

        static IEnumerable<(string, OperatorRule)> Parsed(string domain, IEnumerable<string> lines)
            => lines.Select(l => (domain, new OperatorRule(new(l))));

        static string[] Names(string text) => text.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
    });

    /// <summary>The lines of a text, each with the indented ones below it; without comments.</summary>
    private static IEnumerable<string> Lines(string text)
    {
        text = Continued().Replace(text, " ");
        return text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(l => !l.StartsWith('#'));
    }

    [GeneratedRegex(@"\r?\n +")]
    private static partial Regex Continued();

    /// <summary>
    /// FusedMatMul and its kin: transA exchanges the last two axes; transBatchA first moves the first axis behind the batch axes.
    /// </summary>
    private static IEnumerable<string> Transposed()
    {
        foreach (string op in (string[])["FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"])
            foreach (var (a, left) in Forms(op, "A", "m", "k"))
                foreach (var (b, right) in Forms(op, "B", "k", "n"))
                    yield return $"{op} | {left}, {right} -> ... m n | {a} {b} contract:0,1 macs:...,m,k,n "
                        + $"zero:contraction{(op == "FusedMatMulActivation" ? " fused" : "")}";

        static IEnumerable<(string Condition, string Pattern)> Forms(string op, string side, string row, string column)
        {
            (string, string)[] forms =
            [
                ($"when:trans{side}=0 when:transBatch{side}=0", $"... {row} {column}"),
                ($"when:trans{side}=1 when:transBatch{side}=0", $"... {column} {row}"),
                ($"when:trans{side}=0 when:transBatch{side}=1", $"{row} ... {column}"),
                ($"when:trans{side}=1 when:transBatch{side}=1", $"{column} ... {row}"),
            ];
            return op == "TransposeMatMul" ? forms[..2] : forms;
        }
    }

    /// <summary>The lines for an operator, in order.</summary>
    public static IEnumerable<OperatorRule> Find(string domain, string op) => Rules.Value[Key(domain, op)];

    private static (string Domain, string Operator) Key(string domain, string op) => (domain == "ai.onnx" ? "" : domain, op);
}
