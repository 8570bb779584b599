using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>Products of matrices.</summary>
internal static class ProductRules
{
    /// <summary>dA = dY·Bᵀ and dB = Aᵀ·dY, summed over the axes along which an operand repeats.</summary>
    public static void MatMul(GradientContext context)
    {
        var graph = context.Graph;
        int left = context.InTerms(0).Length, right = context.InTerms(1).Length;
        string a = context.In(0), b = context.In(1), dy = context.Gradient(0)!;
        // Vectors are matrices of one row or column.
        if (left == 1) a = graph.Unsqueeze(a, [0]);
        if (right == 1) b = graph.Unsqueeze(b, [1]);
        if (right == 1) dy = graph.Unsqueeze(dy, [-1]);
        if (left == 1) dy = graph.Unsqueeze(dy, [-2]);
        if (context.Wants(0)) Give(context, 0, Left(context, dy, b));
        if (context.Wants(1)) Give(context, 1, Right(context, a, dy));
    }

    private static string Left(GradientContext context, string dy, string b)
    {
        int rank = Math.Max(2, context.InTerms(1).Length);
        return context.Graph.Op("MatMul", [dy, Flipped(context.Graph, b, rank)]);
    }

    // A weight that all rows share: one product of all rows, and no sum over batches afterwards.
    private static string Right(GradientContext context, string a, string dy)
    {
        var graph = context.Graph;
        int left = Math.Max(2, context.InTerms(0).Length), right = Math.Max(2, context.InTerms(1).Length);
        if (right > 2 || left == 2) return graph.Op("MatMul", [Flipped(graph, a, left), dy]);
        return graph.Op("Gemm", [Rows(graph, a), Rows(graph, dy)], BackwardGraph.Int("transA", 1));
    }

    /// <summary>All axes but the last as one.</summary>
    public static string Rows(BackwardGraph graph, string x)
        => graph.Op("Reshape", [x, graph.Op("Concat", [graph.Integers(-1), graph.Op("Slice", [graph.Shape(x), graph.Integers(-1),
            graph.Integers(long.MaxValue)])], BackwardGraph.Int("axis", 0))]);

    private static string Flipped(BackwardGraph graph, string x, int rank)
        => graph.Transpose(x, [.. Enumerable.Range(0, rank - 2), rank - 1, rank - 2]);

    private static void Give(GradientContext context, int operand, string gradient)
    {
        var terms = context.InTerms(operand);
        var graph = context.Graph;
        if (terms.Length == 1)
        {
            // The gradient of the matrix of one row or column, summed over what repeats it.
            context.Give(operand, graph.Sum(graph.Op("Reshape", [gradient, Last(context, operand)]), [0], keep: false));
            return;
        }
        var other = context.InTerms(1 - operand);
        int rank = Math.Max(terms.Length, other.Length);
        if (operand == 1 && terms.Length == 2 && other.Length > 2)
        {
            context.Give(operand, gradient);
            return;
        }
        // Batch axes of the result, with the operand's own matrix behind.
        var y = context.OutTerms(0);
        int batch = rank - 2;
        context.GiveSummed(operand, gradient, [.. y[..batch], .. terms[^2..]]);
    }

    // [-1, n] of a vector of n.
    private static string Last(GradientContext context, int operand)
        => context.Graph.Op("Concat", [context.Graph.Integers(-1), context.Graph.Shape(context.In(operand))], BackwardGraph.Int("axis", 0));

    /// <summary>Y = α·A′·B′ + β·C.</summary>
    public static void Gemm(GradientContext context)
    {
        var graph = context.Graph;
        bool flipsA = context.Int("transA", 0) != 0, flipsB = context.Int("transB", 0) != 0;
        var alpha = BackwardGraph.Real("alpha", (float)context.Real("alpha", 1));
        string dy = context.Gradient(0)!;
        string Product(string left, bool flipsLeft, string right, bool flipsRight) => graph.Op("Gemm", [left, right], alpha,
            BackwardGraph.Int("transA", flipsLeft ? 1 : 0), BackwardGraph.Int("transB", flipsRight ? 1 : 0));
        if (context.Wants(0))
            context.Give(0, flipsA ? Product(context.In(1), flipsB, dy, true) : Product(dy, false, context.In(1), !flipsB));
        if (context.Wants(1))
            context.Give(1, flipsB ? Product(dy, true, context.In(0), flipsA) : Product(context.In(0), !flipsA, dy, false));
        if (!context.Wants(2)) return;
        double beta = context.Real("beta", 1);
        context.GiveSummed(2, beta == 1 ? dy : graph.Op("Mul", [dy, graph.Number(beta, context.Type)]), context.OutTerms(0));
    }
}
