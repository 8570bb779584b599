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
}
