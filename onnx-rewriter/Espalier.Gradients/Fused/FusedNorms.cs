using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Fused;

/// <summary>Normalisations that are fused with the sums before them.</summary>
internal static class FusedNorms
{
    /// <summary>Operand, skip, scale, shift (not of the simplified one), bias; result 3 is the sum.</summary>
    public static string?[] Skip(Expansion e)
    {
        bool isSimplified = e.Node.Node.OpType == "SkipSimplifiedLayerNormalization";
        string sum = e.Plus(e.Graph.Op("Add", [e.In(0), e.In(1)]), isSimplified ? 3 : 4);
        string y = isSimplified ? Root(e, sum, e.In(2), 1e-12) : Layer(e, sum, 2, 3, 1e-12);
        return [y, null, null, sum];
    }

    /// <summary>Ids, segments, words, positions, segments' vectors, scale, shift, mask, ids of positions.</summary>
    public static string?[] Embed(Expansion e)
    {
        var graph = e.Graph;
        string sum = graph.Op("Gather", [e.In(2), e.In(0)]);
        // Without ids, positions count from 0.
        string places = e.Node.Has(8) ? graph.Op("Gather", [e.In(3), e.In(8)])
            : graph.Op("Slice", [e.In(3), graph.Integers(0), graph.Op("Slice", [graph.Shape(e.In(0)), graph.Integers(1),
                graph.Integers(2)]), graph.Integers(0)]);
        sum = graph.Op("Add", [sum, places]);
        if (e.Node.Has(4)) sum = graph.Op("Add", [sum, graph.Op("Gather", [e.In(4), e.In(1)])]);
        return [Layer(e, sum, 5, 6, 1e-12), null, sum];
    }

    /// <summary>Every head by itself; the gate comes behind the normalisation.</summary>
    public static string Gated(Expansion e)
    {
        var graph = e.Graph;
        long width = e.Node.InSizes(1)[0];
        int rank = e.Node.InTerms(0).Length;
        long[] heads = [.. Enumerable.Repeat(0L, rank - 1), -1, width], whole = [.. Enumerable.Repeat(0L, rank - 1), -1];
        string normal = Root(e, graph.Reshape(e.In(0), heads), e.In(1), 1e-5);
        return graph.Op("Mul", [graph.Reshape(normal, whole), FusedActivations.Apply(e, "silu", e.In(2), [])]);
    }

    private static string Layer(Expansion e, string x, int scale, int shift, double epsilon)
    {
        string[] operands = e.Node.Has(shift) ? [x, e.In(scale), e.In(shift)] : [x, e.In(scale)];
        return e.Graph.Op("LayerNormalization", operands, BackwardGraph.Int("axis", -1),
            BackwardGraph.Real("epsilon", (float)e.Node.Real("epsilon", epsilon)));
    }

    // x divided by the root of the mean of its squares: plain operators have that only in newer operator sets.
    private static string Root(Expansion e, string x, string scale, double epsilon)
    {
        var graph = e.Graph;
        string mean = graph.Op("ReduceMean", [graph.Op("Mul", [x, x]), graph.Integers(-1)]);
        string root = graph.Op("Sqrt", [graph.Op("Add", [mean, e.Number(e.Node.Real("epsilon", epsilon))])]);
        return graph.Op("Mul", [graph.Op("Div", [x, root]), scale]);
    }
}
