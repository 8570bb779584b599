using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>Operators that read or write at positions: the gradient goes where the elements came from.</summary>
internal static class IndexRules
{
    /// <summary>Rows that were read several times add up.</summary>
    public static void Gather(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length, axis = context.Axis(context.Int("axis", 0), rank);
        var indices = context.InTerms(1);
        string dy = context.Gradient(0)!, size = graph.Op("Gather", [graph.Shape(context.In(0)), graph.Integer(axis)]);
        // The axes of the indices as one.
        if (indices.Length != 1) dy = graph.Op("Reshape", [dy, Shape(context, axis, rank)]);
        string positions = graph.Reshape(context.In(1), -1);
        // From behind.
        positions = graph.Op("Where", [graph.Op("Less", [positions, Zero(context, 1)]), graph.Op("Add",
            [positions, graph.Cast(size, context.Record.Inputs[1]!.ElementType)]), positions]);
        positions = graph.Cast(positions, (int)Onnx.TensorProto.Types.DataType.Int64);
        context.Give(0, ShapeRules.Scattered(context, dy, positions, size, axis, rank));
    }

    private static string Zero(GradientContext context, int operand)
        => context.Graph.Cast(context.Graph.Integer(0), context.Record.Inputs[operand]!.ElementType);

    private static string Shape(GradientContext context, int axis, int rank)
    {
        var graph = context.Graph;
        string shape = graph.Shape(context.In(0));
        string before = graph.Op("Slice", [shape, graph.Integers(0), graph.Integers(axis)]);
        string after = graph.Op("Slice", [shape, graph.Integers(axis + 1), graph.Integers(rank)]);
        string count = graph.Reshape(graph.Op("Size", [context.In(1)]), 1);
        return graph.Op("Concat", [before, count, after], BackwardGraph.Int("axis", 0));
    }

    /// <summary>As Gather, element by element.</summary>
    public static void GatherElements(GradientContext context)
    {
        var graph = context.Graph;
        context.Give(0, graph.Op("ScatterElements", [graph.Zeros(graph.Shape(context.In(0)), context.Type), context.In(1),
            context.Gradient(0)!], BackwardGraph.Int("axis", context.Int("axis", 0)), BackwardGraph.Text("reduction", "add")));
    }

    /// <summary>As Gather, with positions along several axes.</summary>
    public static void GatherND(GradientContext context)
    {
        var graph = context.Graph;
        int batch = (int)context.Int("batch_dims", 0);
        string positions = batch == 0 ? context.In(1) : Batched(graph, context.In(1), batch, context.InTerms(1).Length);
        context.Give(0, graph.Op("ScatterND", [graph.Zeros(graph.Shape(context.In(0)), context.Type), positions,
            context.Gradient(0)!], BackwardGraph.Text("reduction", "add")));
    }

    // Positions along the batch axes too, in front of the others.
    private static string Batched(BackwardGraph graph, string positions, int batch, int rank)
    {
        string shape = graph.Concat(0, graph.Op("Slice", [graph.Shape(positions), graph.Integers(0), graph.Integers(-1)]),
            graph.Integers(1));
        var all = Enumerable.Range(0, batch).Select(axis => graph.Op("Expand", [graph.Unsqueeze(graph.Counted(graph.Size(positions, axis)),
            [.. Enumerable.Range(1, rank - axis - 1).Select(a => (long)a)]), shape]));
        return graph.Concat(rank - 1, [.. all, positions]);
    }

    /// <summary>The data have no gradient where they were overwritten; the updates have it from there.</summary>
    public static void ScatterElements(GradientContext context)
    {
        Require(context);
        var graph = context.Graph;
        var axis = BackwardGraph.Int("axis", context.Int("axis", 0));
        string dy = context.Gradient(0)!;
        bool adds = context.Text("reduction", "none") == "add";
        if (context.Wants(0))
            context.Give(0, adds ? dy : graph.Op("ScatterElements", [dy, context.In(1), graph.Zeros(graph.Shape(context.In(1)),
                context.Type)], axis));
        if (context.Wants(2)) context.Give(2, graph.Op("GatherElements", [dy, context.In(1)], axis));
    }

    /// <summary>The same with positions along several axes.</summary>
    public static void ScatterND(GradientContext context)
    {
        Require(context);
        var graph = context.Graph;
        string dy = context.Gradient(0)!;
        bool adds = context.Text("reduction", "none") == "add";
        if (context.Wants(0))
            context.Give(0, adds ? dy : graph.Op("ScatterND", [dy, context.In(1), graph.Zeros(graph.Shape(context.In(2)), context.Type)]));
        if (context.Wants(2)) context.Give(2, graph.Op("GatherND", [dy, context.In(1)]));
    }

    private static void Require(GradientContext context)
    {
        if (context.Text("reduction", "none") is not ("none" or "add") and var reduction)
            throw new NoGradientException($"its reduction is {reduction}");
    }

    /// <summary>The elements that were chosen.</summary>
    public static void TopK(GradientContext context)
    {
        var graph = context.Graph;
        context.Give(0, graph.Op("ScatterElements", [graph.Zeros(graph.Shape(context.In(0)), context.Type), context.Out(1),
            context.Gradient(0)!], BackwardGraph.Int("axis", context.Int("axis", -1)), BackwardGraph.Text("reduction", "add")));
    }

    /// <summary>Between the bounds to the operand, beyond them to the bound.</summary>
    public static void Clip(GradientContext context)
    {
        var graph = context.Graph;
        string dy = context.Gradient(0)!, x = context.In(0);
        string? least = Bound("min", 1), most = Bound("max", 2);
        if (least is not null) dy = Masked(dy, "GreaterOrEqual", least);
        if (most is not null) dy = Masked(dy, "LessOrEqual", most);
        context.Give(0, dy);
        if (context.Wants(1)) ToBound(1, "Less", least!);
        if (context.Wants(2)) ToBound(2, "Greater", most!);

        void ToBound(int operand, string comparison, string bound)
            => context.GiveSummed(operand, Masked(context.Gradient(0)!, comparison, bound), context.OutTerms(0));

        string? Bound(string attribute, int operand) => context.Has(operand) ? context.In(operand)
            : context.Node.Attribute.Any(a => a.Name == attribute) ? graph.Number(context.Real(attribute, 0), context.Type) : null;

        string Masked(string gradient, string comparison, string bound)
            => graph.Op("Mul", [gradient, graph.Cast(graph.Op(comparison, [x, bound]), context.Type)]);
    }

    /// <summary>The operands that are the extremum share its gradient.</summary>
    public static void Extremum(GradientContext context)
    {
        var graph = context.Graph;
        var hits = Enumerable.Range(0, context.Record.Inputs.Length)
            .Select(k => graph.Cast(graph.Op("Equal", [context.In(k), context.Out(0)]), context.Type)).ToArray();
        string share = graph.Op("Div", [context.Gradient(0)!, hits.Length == 1 ? hits[0] : graph.Op("Sum", hits)]);
        for (int k = 0; k < hits.Length; k++) context.GiveSummed(k, graph.Op("Mul", [share, hits[k]]), context.OutTerms(0));
    }

    /// <summary>An equal part for every operand.</summary>
    public static void Mean(GradientContext context)
    {
        int count = context.Record.Inputs.Length;
        string share = context.Graph.Op("Div", [context.Gradient(0)!, context.Graph.Number(count, context.Type)]);
        for (int k = 0; k < count; k++) context.GiveSummed(k, share, context.OutTerms(0));
    }
}
