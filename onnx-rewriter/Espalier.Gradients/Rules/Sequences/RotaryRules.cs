using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Sequences;

/// <summary>y₁ = x₁·cos − x₂·sin, y₂ = x₁·sin + x₂·cos, for pairs of units of a head.</summary>
internal static class RotaryRules
{
    private const long End = long.MaxValue;

    public static void Rotary(GradientContext context)
    {
        var graph = context.Graph;
        bool isFlat = context.InTerms(0).Length == 3, isInterleaved = context.Int("interleaved", 0) != 0;
        long heads = context.Int("num_heads", 0), width = context.Int("rotary_embedding_dim", 0);
        if (isFlat && heads == 0) throw new NoGradientException("it has no num_heads");
        string x = Headed(context.In(0)), dy = Headed(context.Gradient(0)!);
        long half = context.InSizes(1, context.InTerms(1).Length - 1)[0], turned = 2 * half;
        var (x1, x2) = Pair(x);
        var (y1, y2) = Pair(dy);
        string cos = Angles(context.In(1)), sin = Angles(context.In(2));
        if (context.Wants(0))
        {
            string one = graph.Add(graph.Mul(y1, cos), graph.Mul(y2, sin)), two = graph.Sub(graph.Mul(y2, cos), graph.Mul(y1, sin));
            string pairs = isInterleaved ? graph.Merged(graph.Concat(4, graph.Unsqueeze(one, [4]), graph.Unsqueeze(two, [4])), 3)
                : graph.Concat(3, one, two);
            string all = width == 0 ? pairs : graph.Concat(3, pairs, graph.Part(dy, 3, turned, End));
            context.Give(0, graph.Like(isFlat ? all : graph.Transpose(all, [0, 2, 1, 3]), context.In(0)));
        }
        if (context.Wants(1)) Angle(1, graph.Add(graph.Mul(y1, x1), graph.Mul(y2, x2)));
        if (context.Wants(2)) Angle(2, graph.Sub(graph.Mul(y2, x1), graph.Mul(y1, x2)));

        // [batch, length, heads, units].
        string Headed(string tensor) => isFlat ? graph.Reshape(tensor, 0, 0, heads, -1) : graph.Transpose(tensor, [0, 2, 1, 3]);

        (string, string) Pair(string tensor) => isInterleaved
            ? (graph.Part(tensor, 3, 0, turned, 2), graph.Part(tensor, 3, 1, turned, 2))
            : (graph.Part(tensor, 3, 0, half), graph.Part(tensor, 3, half, turned));

        string Angles(string table) => graph.Unsqueeze(context.Has(3) ? graph.Op("Gather", [table, context.In(3)]) : table, [2]);

        void Angle(int operand, string gradient)
        {
            string summed = graph.Sum(gradient, [2], keep: false);
            if (!context.Has(3))
            {
                var full = context.OutTerms(0);
                context.GiveSummed(operand, summed, [full[0], full[isFlat ? 1 : 2], context.InTerms(operand)[2]]);
                return;
            }
            // Positions that occur several times add up.
            context.Give(operand, graph.Op("ScatterND", [graph.Zeros(graph.Shape(context.In(operand)), context.Type),
                graph.Unsqueeze(context.In(3), [2]), summed], BackwardGraph.Text("reduction", "add")));
        }
    }
}
