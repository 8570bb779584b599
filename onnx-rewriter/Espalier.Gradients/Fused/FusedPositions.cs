using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Fused;

/// <summary>Operators that work on positions.</summary>
internal static class FusedPositions
{
    /// <summary>Windows along an axis, whose elements become the last axis.</summary>
    public static string Unfold(Expansion e)
    {
        int rank = e.Node.InTerms(0).Length, axis = e.Node.Axis(e.Node.Int("dim", -1), rank);
        long length = e.Node.InSizes(0, axis)[0], size = e.Node.Int("size", 1), step = e.Node.Int("step", 1);
        long count = ((length - size) / step) + 1;
        long[] positions = [.. from w in Enumerable.Range(0, (int)count) from k in Enumerable.Range(0, (int)size) select (w * step) + k];
        string indices = e.Graph.Reshape(e.Graph.Integers(positions), count, size);
        string y = e.Graph.Op("Gather", [e.In(0), indices], BackwardGraph.Int("axis", axis));
        // [.., windows, size, ..] → [.., windows, .., size].
        return e.Graph.Transpose(y, [.. Enumerable.Range(0, rank + 1).Where(a => a != axis + 1), axis + 1]);
    }

    /// <summary>Operands x, ids of positions, cosines, sines.</summary>
    public static string Rotary(Expansion e)
    {
        var graph = e.Graph;
        int rank = e.Node.InTerms(0).Length;
        long half = e.Node.InSizes(2)[1], part = e.Node.Int("rotary_embedding_dim", 0), heads = e.Node.Int("num_heads", 0);
        if (e.Node.InTerms(1).Length != 2) throw new NoGradientException("its positions begin with a number");
        if (e.Node.Int("is_packed_batching", 0) != 0) throw new NoGradientException("its batch is packed");
        if (e.Node.Real("scale", 1) != 1) throw new NoGradientException("it has a scale, which only some processors apply");
        long width = rank == 4 ? e.Node.InSizes(0, 3)[0] : heads > 0 ? e.Node.InSizes(0, 2)[0] / heads : 2 * half;
        if (part > 0 && part != 2 * half) throw new NoGradientException("its cosines do not fit");
        // [b, s, h, d].
        string x = rank == 4 ? graph.Transpose(e.In(0), [0, 2, 1, 3]) : graph.Reshape(e.In(0), 0, 0, -1, width);
        string Table(int operand) => graph.Unsqueeze(graph.Op("Gather", [e.In(operand), e.In(1)]), [2]);
        x = Turn(graph, x, (Table(2), Table(3)), half, width, e.Node.Int("interleaved", 0) != 0);
        return rank == 4 ? graph.Transpose(x, [0, 2, 1, 3]) : graph.Reshape(x, 0, 0, -1);
    }

    /// <summary>
    /// The first 2·half of the last axis of [b, s, h, d] turned: dimension j with j + half, or 2j with 2j + 1, by the angle j.
    /// </summary>
    public static string Turn(BackwardGraph graph, string x, (string Cos, string Sin) angles, long half, long width, bool isInterleaved)
    {
        string Cut(string from, long start, long end, long step = 1) => graph.Slice(from, [start], [end], [3], [step]);
        var (a, b) = isInterleaved ? (Cut(x, 0, 2 * half, 2), Cut(x, 1, 2 * half, 2)) : (Cut(x, 0, half), Cut(x, half, 2 * half));
        string Product(string p, string q) => graph.Op("Mul", [p, q]);
        string first = graph.Op("Sub", [Product(a, angles.Cos), Product(b, angles.Sin)]);
        string second = graph.Op("Add", [Product(a, angles.Sin), Product(b, angles.Cos)]);
        string turned = isInterleaved
            ? graph.Reshape(graph.Op("Concat", [graph.Unsqueeze(first, [4]), graph.Unsqueeze(second, [4])], BackwardGraph.Int("axis", 4)),
                0, 0, 0, 2 * half)
            : graph.Op("Concat", [first, second], BackwardGraph.Int("axis", 3));
        return width == 2 * half ? turned : graph.Op("Concat", [turned, Cut(x, 2 * half, width)], BackwardGraph.Int("axis", 3));
    }
}
