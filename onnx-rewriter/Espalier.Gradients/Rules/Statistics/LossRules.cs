using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Statistics;

/// <summary>Losses of classes along axis 1.</summary>
internal static class LossRules
{
    public static void LogLikelihood(GradientContext context) => context.Give(0, Scores(context));

    /// <summary>Through z = log softmax(x): dx = dz − softmax(x)·Σdz.</summary>
    public static void CrossEntropy(GradientContext context)
    {
        var graph = context.Graph;
        string? dz = context.Gradient(0) is null ? null : Scores(context);
        if (context.Gradient(1) is { } direct) dz = dz is null ? direct : graph.Add(dz, direct);
        string shares = graph.Op("Softmax", [context.In(0)], BackwardGraph.Int("axis", 1));
        context.Give(0, graph.Sub(dz!, graph.Mul(shares, graph.Sum(dz!, [1], keep: true))));
    }

    // Of the logarithms: minus the weight of its class where that is, as a part of all weights for a mean.
    private static string Scores(GradientContext context)
    {
        context.Refuse(2, "the weights of classes have no gradient that is written");
        var graph = context.Graph;
        int type = context.Type, labels = context.Record.Inputs[1]!.ElementType;
        string classes = graph.Size(context.In(0), 1), target = context.In(1);
        string hits = graph.Op("OneHot", [target, classes, graph.Numbers([0, 1], [2], type)], BackwardGraph.Int("axis", 1));
        if (context.Node.Attribute.FirstOrDefault(a => a.Name == "ignore_index") is { } ignored)
        {
            string counts = graph.Op("Not", [graph.Op("Equal", [target, graph.Cast(graph.Integer(ignored.I), labels)])]);
            hits = graph.Mul(hits, graph.Unsqueeze(graph.Cast(counts, type), [1]));
        }
        if (context.Has(2))
            hits = graph.Mul(hits, graph.Unsqueeze(context.In(2), [.. Enumerable
                .Range(1, context.InTerms(0).Length - 2).Select(a => (long)a)]));
        string reduction = context.Text("reduction", "mean"), dy = context.Gradient(0)!;
        if (reduction == "none") dy = graph.Unsqueeze(dy, [1]);
        if (reduction == "mean") dy = graph.Div(dy, graph.Op("ReduceSum", [hits], BackwardGraph.Int("keepdims", 0)));
        return graph.Op("Neg", [graph.Mul(hits, dy)]);
    }
}
