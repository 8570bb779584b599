using Espalier.Gradients.Writing;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Fused;

/// <summary>Attention: softmax(q·kᵀ)·v of every head.</summary>
internal static class FusedAttention
{
    /// <summary>Operands x, weight, bias, mask, past, addend of the scores.</summary>
    public static string?[] Projected(Expansion e)
    {
        var graph = e.Graph;
        RefuseSet(e, "do_rotary", "past_present_share_buffer");
        RefuseOperands(e, "the length of its past is in an operand", 6);
        long heads = e.Node.Int("num_heads", 1), width = e.Node.InSizes(1)[1];
        long[] sizes = e.Node.Ints("qkv_hidden_sizes") is { Length: > 0 } stated ? stated : [width / 3, width / 3, width / 3];
        string projected = e.Plus(graph.Op("MatMul", [e.In(0), e.In(1)]), 2);
        long at = 0;
        string[] qkv = [.. sizes.Select(size => Heads(graph, graph.Slice(projected, [at], [at += size], [2], [1]), heads))];
        string? present = null;
        if (e.Node.Has(4))
        {
            for (int k = 1; k < 3; k++)
                qkv[k] = Joined(graph, graph.Op("Gather", [e.In(4), graph.Integer(k - 1)], BackwardGraph.Int("axis", 0)), qkv[k]);
            present = graph.Op("Concat", [graph.Unsqueeze(qkv[1], [0]), graph.Unsqueeze(qkv[2], [0])], BackwardGraph.Int("axis", 0));
        }
        string scores = Masked(e, e.Node.Has(5) ? graph.Op("Add", [Scores(e, qkv[0], qkv[1], sizes[0] / heads), e.In(5)])
            : Scores(e, qkv[0], qkv[1], sizes[0] / heads), 3);
        return [Values(graph, graph.Op("Softmax", [scores], BackwardGraph.Int("axis", -1)), qkv[2]), present];
    }

    /// <summary>Operands query, key, value, bias, mask, addend of the scores, past keys and values.</summary>
    public static string?[] MultiHead(Expansion e)
    {
        var graph = e.Graph;
        RefuseOperands(e, "its cache is a buffer", 8, 9);
        if (!e.Node.Has(1) || !e.Node.Has(2)) throw new NoGradientException("its operands are packed");
        long heads = e.Node.Int("num_heads", 1), width = e.Node.InSizes(0, 2)[0];
        var (q, k, v) = (e.In(0), e.In(1), e.In(2));
        bool isCross = e.Node.InTerms(1).Length == 4;
        if (e.Node.Has(3))
        {
            if (isCross) throw new NoGradientException("it has a bias and keys of heads");
            string Part(long from, long to) => graph.Slice(e.In(3), [from], [to], [0], [1]);
            q = graph.Op("Add", [q, Part(0, width)]);
            k = graph.Op("Add", [k, Part(width, 2 * width)]);
            v = graph.Op("Add", [v, Part(2 * width, long.MaxValue)]);
        }
        q = Heads(graph, q, heads);
        if (!isCross) (k, v) = (Heads(graph, k, heads), Heads(graph, v, heads));
        if (e.Node.Has(6)) (k, v) = (Joined(graph, e.In(6), k), Joined(graph, e.In(7), v));
        string scores = Scores(e, q, k, width / heads);
        if (e.Node.Has(5)) scores = graph.Op("Add", [scores, e.In(5)]);
        return [Values(graph, graph.Op("Softmax", [Masked(e, scores, 4)], BackwardGraph.Int("axis", -1)), v), k, v];
    }

    /// <summary>
    /// Operands query, key, value, past keys and values, last positions, length, cosines, sines, positions, addend of the scores, sink.
    /// Every position reads those before it.
    /// </summary>
    public static string?[] Grouped(Expansion e)
    {
        var graph = e.Graph;
        long heads = e.Node.Int("num_heads", 1), groups = e.Node.Int("kv_num_heads", 1), past = e.Node.Has(3) ? e.Node.InSizes(3)[2] : 0;
        RefuseSet(e, "smooth_softmax");
        RefuseOperands(e, "its positions are in an operand", 9);
        if (e.Node.Int("local_window_size", -1) != -1) throw new NoGradientException("it reads a window");
        if (e.Node.Real("softcap", 0) != 0) throw new NoGradientException("it caps the scores");
        if (Enumerable.Range(12, 4).Any(e.Node.Has)) throw new NoGradientException("its cache is quantised");
        long[] query = e.Node.InSizes(0, 1);
        if (e.Node.Integers("", 5) is not { } last || last.Any(l => l + 1 != query[0] + past))
            throw new NoGradientException("its rows have lengths of their own");
        bool isPacked = !e.Node.Has(1);
        long dim = query[1] / (isPacked ? heads + (2 * groups) : heads), total = query[0] + past;
        string Part(long from, long count) => graph.Slice(e.In(0), [from * dim], [(from + count) * dim], [2], [1]);
        string[] qkv = isPacked ? [Part(0, heads), Part(heads, groups), Part(heads + groups, groups)] : [e.In(0), e.In(1), e.In(2)];
        qkv = [.. qkv.Select((x, i) => graph.Reshape(x, 0, 0, i == 0 ? heads : groups, dim))];
        if (e.Node.Int("do_rotary", 0) != 0)
        {
            long half = e.Node.InSizes(7)[1];
            string Table(int operand) => graph.Unsqueeze(graph.Slice(e.In(operand), [past], [total], [0], [1]), [1]);
            for (int i = 0; i < 2; i++)
                qkv[i] = FusedPositions.Turn(graph, qkv[i], (Table(7), Table(8)), half, dim, e.Node.Int("rotary_interleaved", 0) != 0);
        }
        qkv = [.. qkv.Select(x => graph.Transpose(x, [0, 2, 1, 3]))];
        if (e.Node.Has(3)) (qkv[1], qkv[2]) = (Joined(graph, e.In(3), qkv[1]), Joined(graph, e.In(4), qkv[2]));
        string Repeated(string x) => graph.Reshape(graph.Op("Expand", [graph.Unsqueeze(x, [2]),
            graph.Integers(1, 1, heads / groups, 1, 1)]), 0, heads, total, dim);
        string scores = e.Plus(Scores(e, qkv[0], Repeated(qkv[1]), dim), 10);
        scores = Causal(e, scores);
        string weights = e.Node.Has(11) ? WithSink(e, scores) : graph.Op("Softmax", [scores], BackwardGraph.Int("axis", -1));
        return [Values(graph, weights, Repeated(qkv[2])), qkv[1], qkv[2]];
    }

    // One more key for every head, whose value is zero.
    private static string WithSink(Expansion e, string scores)
    {
        var graph = e.Graph;
        string column = graph.Op("Expand", [graph.Reshape(e.In(11), 1, -1, 1, 1), graph.Shape(graph.Slice(scores, [0], [1], [3], [1]))]);
        string weights = graph.Op("Softmax", [graph.Op("Concat", [scores, column], BackwardGraph.Int("axis", 3))],
            BackwardGraph.Int("axis", -1));
        return graph.Slice(weights, [0], [-1], [3], [1]);
    }

    private static string Heads(BackwardGraph graph, string x, long heads)
        => graph.Transpose(graph.Reshape(x, 0, 0, heads, -1), [0, 2, 1, 3]);

    private static string Joined(BackwardGraph graph, string past, string x)
        => graph.Op("Concat", [past, x], BackwardGraph.Int("axis", 2));

    private static string Scores(Expansion e, string q, string k, long dim)
    {
        double scale = e.Node.Real("scale", 0);
        return e.Scaled(e.Graph.Op("MatMul", [q, e.Graph.Transpose(k, [0, 1, 3, 2])]), scale == 0 ? 1 / Math.Sqrt(dim) : scale);
    }

    private static string Values(BackwardGraph graph, string weights, string v)
        => graph.Reshape(graph.Transpose(graph.Op("MatMul", [weights, v]), [0, 2, 1, 3]), 0, 0, -1);

    /// <summary>
    /// A mask that is 0 at keys [b, t] or [b, s, t] that nothing reads, and what lies behind, where it is unidirectional.
    /// </summary>
    private static string Masked(Expansion e, string scores, int mask)
    {
        var graph = e.Graph;
        if (e.Node.Has(mask))
        {
            int rank = e.Node.InTerms(mask).Length;
            if (rank is not (2 or 3)) throw new NoGradientException("its mask is not one of keys");
            string hidden = graph.Op("LessOrEqual", [e.In(mask), graph.Cast(graph.Integer(0), (int)DataType.Int32)]);
            string addend = graph.Op("Mul", [graph.Cast(hidden, e.Type), e.Number(e.Node.Real("mask_filter_value", -10000))]);
            scores = graph.Op("Add", [scores, graph.Unsqueeze(addend, rank == 2 ? [1, 2] : [1])]);
        }
        return e.Node.Int("unidirectional", 0) != 0 ? Causal(e, scores) : scores;
    }

    // Query i of s reads the keys up to t - s + i of t.
    private static string Causal(Expansion e, string scores)
    {
        var graph = e.Graph;
        string shape = graph.Shape(scores);
        string queries = graph.Op("Gather", [shape, graph.Integer(2)]), keys = graph.Op("Gather", [shape, graph.Integer(3)]);
        string Range(string count) => graph.Op("Range", [graph.Integer(0), count, graph.Integer(1)]);
        string last = graph.Op("Add", [Range(queries), graph.Op("Sub", [keys, queries])]);
        string isRead = graph.Op("LessOrEqual", [Range(keys), graph.Unsqueeze(last, [1])]);
        return graph.Op("Where", [isRead, scores, e.Number(-1e30)]);
    }

    private static void RefuseSet(Expansion e, params string[] attributes)
    {
        foreach (string attribute in attributes.Where(a => e.Node.Int(a, 0) > 0))
            throw new NoGradientException($"its {attribute} is set");
    }

    private static void RefuseOperands(Expansion e, string reason, params int[] operands)
    {
        if (operands.Any(e.Node.Has)) throw new NoGradientException(reason);
    }
}
