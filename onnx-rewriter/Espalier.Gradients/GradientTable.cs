using Espalier.Gradients.Notation;

namespace Espalier.Gradients;

/// <summary>
/// The gradients of operators that are formulas, one line each (<see cref="GradientLine"/>). <c>dy</c> is the gradient of the result y.
/// Axes along which an operand repeats are summed afterwards. <c>sum</c>, <c>mean</c> and <c>prod</c> run over the axes that the operator
/// normalises or reduces, and keep them; what a reduction dropped is there as axes of size 1. The formulas follow from the operators'
/// specifications (https://onnx.ai/onnx/operators/).
/// </summary>
internal static partial class GradientTable
{
    // At a kink the gradient is that of torch: 0 in the middle of a step.
    private const string Standard = """
        Identity(x) y | x: dy
        Neg(x) y | x: -dy
        Abs(x) y | x: dy*sign(x)
        Exp(x) y | x: dy*y
        Log(x) y | x: dy/x
        Sqrt(x) y | x: dy/(2*y)
        Reciprocal(x) y | x: -dy*y*y
        Sin(x) y | x: dy*cos(x)
        Cos(x) y | x: -dy*sin(x)
        Tan(x) y | x: dy*(1+y*y)
        Asin(x) y | x: dy/sqrt(1-x*x)
        Acos(x) y | x: -dy/sqrt(1-x*x)
        Atan(x) y | x: dy/(1+x*x)
        Sinh(x) y | x: dy*cosh(x)
        Cosh(x) y | x: dy*sinh(x)
        Tanh(x) y | x: dy*(1-y*y)
        Asinh(x) y | x: dy/sqrt(x*x+1)
        Acosh(x) y | x: dy/sqrt(x*x-1)
        Atanh(x) y | x: dy/(1-x*x)
        Erf(x) y | x: dy*1.1283791670955126*exp(-(x*x))
        Sigmoid(x) y | x: dy*y*(1-y)
        Relu(x) y | x: dy*(y>0)
        LeakyRelu(x) y | x: dy*((x>0)+(x<=0)*@alpha:0.01)
        Elu(x) y | x: dy*((x>0)+(x<=0)*@alpha:1*exp(x*(x<=0)))
        Celu(x) y | x: dy*((x>0)+(x<=0)*exp(x*(x<=0)/@alpha:1))
        Selu(x) y | x: dy*@gamma:1.0507009873554804*((x>0)+(x<=0)*@alpha:1.6732632423543772*exp(x*(x<=0)))
        ThresholdedRelu(x) y | x: dy*(x>@alpha:1)
        HardSigmoid(x) y | x: dy*@alpha:0.2*(y>0)*(y<1)
        HardSwish(x) y | h = x/6+0.5 | x: dy*((h>0)*(h<1)*(x/3+0.5)+(h>=1))
        Softplus(x) y | x: dy*sigmoid(x)
        Softsign(x) y | x: dy/((1+abs(x))^2)
        Mish(x) y | t = tanh(softplus(x)) | x: dy*(t+x*(1-t*t)*sigmoid(x))
        Swish(x) y | s = sigmoid(@alpha:1*x) | x: dy*(s+@alpha:1*x*s*(1-s))
        Shrink(x) y | x: dy*((x>@lambd:0.5)+(x<-@lambd:0.5))
        Gelu(x) y | when:approximate=none:none | x: dy*(0.5*(1+erf(x*0.7071067811865476))+x*0.3989422804014327*exp(-0.5*x*x))
        Gelu(x) y | when:approximate=tanh:none | t = tanh(0.7978845608028654*(x+0.044715*x^3))
            | x: dy*(0.5*(1+t)+0.5*x*(1-t*t)*0.7978845608028654*(1+0.134145*x*x))
        Ceil Floor Round Sign(x) y | x: 0
        IsNaN IsInf Not Shape Size ArgMax ArgMin NonZero Hardmax(x) y | x: 0
        Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor(a, b) y | a: 0 | b: 0
        RandomNormalLike RandomUniformLike Bernoulli Multinomial EyeLike(x) y | x: 0
        Add(a, b) y | a: dy | b: dy
        Sub(a, b) y | a: dy | b: -dy
        Mul(a, b) y | a: dy*b | b: dy*a
        Div(a, b) y | a: dy/b | b: -dy*y/b
        Pow(a, b) y | a: dy*b*a^(b-1) | b: dy*where(a>0, y*log(a+(a<=0)), 0)
        Mod(a, b) y | when:fmod=1:0 | a: dy | b: (y-a)/b*dy
        PRelu(x, s) y | x: dy*((x>0)+(x<=0)*s) | s: dy*x*(x<0)
        Where(c, a, b) y | a: where(c, dy, 0) | b: where(c, 0, dy)
        Sum(x...) y | x: dy
        CastLike(x, t) y | x: dy | t: 0

        ReduceSum(x, a) y | x: like(dy, x)
        ReduceMean(x, a) y | x: like(dy/count(x, y), x)
        ReduceL1(x, a) y | x: dy*sign(x)
        ReduceL2(x, a) y | x: dy*x/(y+(y==0))
        ReduceSumSquare(x, a) y | x: dy*2*x
        ReduceLogSum(x, a) y | x: like(dy*exp(-y), x)
        ReduceLogSumExp(x, a) y | x: dy*exp(x-y)
        ReduceMax ReduceMin(x, a) y | e = x==y | x: dy*e/sum(e)
        ReduceProd(x, a) y | o = x+(x==0) | z = sum(x==0) | x: dy*prod(o)/o*((z==0)+(z==1)*(x==0))

        GlobalAveragePool(x) y | x: like(dy/count(x, y), x)
        GlobalMaxPool(x) y | e = x==y | x: dy*e/sum(e)

        Softmax(x) y | x: y*(dy-sum(dy*y))
        LogSoftmax(x) y | x: dy-exp(y)*sum(dy)
        LayerNormalization(x, s, b) y | c = x-mean(x) | r = (mean(c*c)+@epsilon:0.00001)^(-0.5) | h = c*r | g = dy*s
            | x: r*(g-mean(g)-h*mean(g*h)) | s: dy*h | b: dy
        RMSNormalization SimplifiedLayerNormalization(x, s) y | r = (mean(x*x)+@epsilon:0.00001)^(-0.5) | h = x*r | g = dy*s
            | x: r*(g-h*mean(g*h)) | s: dy*h
        BatchNormalization(x, s, b, m, v) y | until:8 | when:spatial=0:1 | r = (v+@epsilon:0.00001)^(-0.5)
            | x: dy*s*r | s: dy*(x-m)*r | b: dy | m: -dy*s*r | v: -0.5*dy*s*(x-m)*r^3
        BatchNormalization(x, s.1, b.1, m.1, v.1) y | when:training_mode=0:0 | r = (v+@epsilon:0.00001)^(-0.5)
            | x: dy*s*r | s: dy*(x-m)*r | b: dy | m: -dy*s*r | v: -0.5*dy*s*(x-m)*r^3
        InstanceNormalization(x, s.1, b.1) y | c = x-mean(x) | r = (mean(c*c)+@epsilon:0.00001)^(-0.5) | h = c*r | g = dy*s
            | x: r*(g-mean(g)-h*mean(g*h)) | s: dy*h | b: dy
        LpNormalization(x) y | when:p=2:2 | n = sqrt(sum(x*x)) | x: (dy-y*sum(dy*y))/n
        MeanVarianceNormalization(x) y | c = x-mean(x) | r = (mean(c*c)+1e-9)^(-0.5) | x: r*(dy-mean(dy)-y*mean(dy*y))
        BatchNormalization(x, s.1, b.1, m.1, v.1) y | when:training_mode=1:0 | c = x-mean(x) | r = (mean(c*c)+@epsilon:0.00001)^(-0.5)
            | h = c*r | g = dy*s | x: r*(g-mean(g)-h*mean(g*h)) | s: dy*h | b: dy | m: 0 | v: 0
        LpNormalization(x) y | when:p=1:2 | n = sum(abs(x)) | x: (dy-sign(x)*sum(dy*y))/(n+(n==0))
        """;

    private static readonly Lazy<ILookup<(string Domain, string Operator), GradientLine>> Lines = new(() =>
        Parsed("", Standard).Concat(Parsed("com.microsoft", Microsoft)).Concat(Parsed("ai.onnx.ml", MachineLearning))
            .ToLookup(l => (l.Domain, l.Operator), l => l.Line));

    /// <summary>Every line, once for each of its operators.</summary>
    public static IEnumerable<(string Domain, string Operator, GradientLine Line)> All
        => Lines.Value.SelectMany(g => g.Select(l => (g.Key.Domain, g.Key.Operator, l)));

    /// <summary>Lines for an operator, in order.</summary>
    public static IEnumerable<GradientLine> Find(string domain, string op) => Lines.Value[(domain == "ai.onnx" ? "" : domain, op)];

    private static IEnumerable<(string Domain, string Operator, GradientLine Line)> Parsed(string domain, string text)
        => from line in Split(text)
           let parsed = new GradientLine(line)
           from op in parsed.Operators
           select (domain, op, parsed);

    // What is indented goes on with the line before.
    private static IEnumerable<string> Split(string text) => text.Replace("\r", "", StringComparison.Ordinal)
        .Replace("\n    ", " ", StringComparison.Ordinal).Split('\n').Where(line => line.Length > 0);
}
