namespace Espalier.Gradients;

// com.microsoft (ONNX Runtime, docs/ContribOperators.md) and ai.onnx.ml.
internal static partial class GradientTable
{
    private const string Microsoft = """
        Gelu(x) y | x: dy*(0.5*(1+erf(x*0.7071067811865476))+x*0.3989422804014327*exp(-0.5*x*x))
        QuickGelu(x) y | s = sigmoid(@alpha:1.702*x) | x: dy*(s+@alpha:1.702*x*s*(1-s))
        SampleOp(x) y | x: dy
        GatedAdd(x, y, g) z | x: dz | y: dz*g | g: dz*y
        LinearAttentionGate(x, s, r, c) g, b | u = dg*r*sigmoid(x+s) | x: u | s: u | r: dg*softplus(x+s) | c: db*b*(1-b)
        """;

    private const string MachineLearning = """
        Binarizer(x) y | x: 0
        """;
}
