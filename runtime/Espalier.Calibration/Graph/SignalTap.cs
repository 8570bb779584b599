using Espalier.Axes.Measurements;


namespace Espalier.Calibration.Graph;

/// <summary>Writes the sums of a signal into an instrumented graph, and adds them up over batches.</summary>
internal sealed class SignalTap
{
    private readonly UnitSignal _signal;
    private readonly string _sum, _shape;
    private readonly string? _share, _pairs;
    private double[] _sums = [], _shares = [];
    private long _rows;

    /// <param name="next">What predicts the next token; for <see cref="SignalKind.Retrieval"/>.</param>
    public SignalTap(UnitSignal signal, int rank, NodeWriter write, NextToken? next)
    {
        _signal = signal;
        string x = write.Float(signal.Tensor);
        (_sum, _share, _shape) = signal.Kind == SignalKind.RouterUse
            ? Router(x, rank, write)
            : signal.Kind == SignalKind.Retrieval ? Retrieval(x, rank, write, next!, out _pairs) : Attention(x, rank, write);
        foreach (string? name in new[] { _sum, _share, _shape, _pairs })
            if (name is not null) write.Output(name);
    }

    public UnitSignal Signal => _signal;

    /// <summary>Why there is nothing to finish.</summary>
    public string Obstacle
        => _rows == 0 && _pairs is not null
            ? "the token that the model thinks likeliest is nowhere among those that it has read"
            : "it is not finite on some sample";

    /// <summary>Σ over rows of the probability of every expert that is chosen, and how often it is.</summary>
    private (string Sum, string? Share, string Shape) Router(string x, int rank, NodeWriter write)
    {
        var others = Enumerable.Range(0, rank).Where(a => a != _signal.Axis);
        string rows = write.Flatten(write.Transpose(x, [.. others, _signal.Axis]), rank - 1);
        string shape = write.Op("Shape", [rows]);
        // Of a matrix, Softmax over axis 1 is the same in every operator set.
        if (!_signal.IsDistribution) rows = write.Op("Softmax", [rows], NodeWriter.Int("axis", 1));
        if (_signal.Chosen <= 0) return (write.ReduceSum(rows, false, 0), null, shape);
        string least = write.Op("Gather", [write.Largest(rows, _signal.Chosen), write.Constant(new[] { _signal.Chosen - 1L }, 1)],
            NodeWriter.Int("axis", 1));
        string chosen = write.Float(write.Op("Not", [write.Op("Less", [rows, least])]));
        return (write.ReduceSum(write.Op("Mul", [rows, chosen]), false, 0), write.ReduceSum(chosen, false, 0), shape);
    }

    /// <summary>Σ over queries of what every head gives to its own position and the first.</summary>
    private (string Sum, string? Share, string Shape) Attention(string x, int rank, NodeWriter write)
    {
        string shape = write.Op("Shape", [x]);
        string Size(int axis) => write.Op("Gather", [shape, write.Constant(new[] { (long)axis })], NodeWriter.Int("axis", 0));
        string queries = Size(rank - 2), keys = Size(rank - 1);
        // The i-th of Q queries is the (K − Q + i)-th of K keys.
        string query = write.Reshape(write.Op("Add", [write.Range(queries), write.Op("Sub", [keys, queries])]), -1, 1);
        string key = write.Reshape(write.Range(keys), 1, -1);
        string near =
            write.Float(write.Op("Or", [write.Op("Equal", [query, key]), write.Op("Equal", [key, write.Constant(new[] { 0L })])]));
        return (write.ReduceSum(write.Op("Mul", [x, near]), false,
            [.. Enumerable.Range(0, rank).Where(a => a != _signal.Axis).Select(a => (long)a)]), null, shape);
    }

    /// <summary>
    /// Σ over positions t of whether the largest weight of a head's row t is on a j ≤ t with the model's likeliest next token;
    /// and at how many t there is such a j. Both as [batch, 1 …, queries, keys], beside maps of any rank.
    /// </summary>
    private (string Sum, string? Share, string Shape) Retrieval(string x, int rank, NodeWriter write, NextToken next, out string pairs)
    {
        string shape = write.Op("Shape", [x]);
        long[] ones = [.. Enumerable.Repeat(1L, rank - 3)];
        string said = write.Reshape(write.Op("ArgMax", [write.Float(next.Logits)], NodeWriter.Int("axis", 2),
            NodeWriter.Int("keepdims", 0)), [0, .. ones, -1, 1]);
        string read = write.Reshape(write.Op("Cast", [next.Tokens], NodeWriter.Int("to", (long)Onnx.TensorProto.Types.DataType.Int64)),
            [0, .. ones, 1, -1]);
        string keys = write.Range(write.Op("Gather", [shape, write.Constant(new[] { rank - 1L })], NodeWriter.Int("axis", 0)));
        string before = write.Op("Not", [write.Op("Less", [write.Reshape(keys, -1, 1), write.Reshape(keys, 1, -1)])]);
        string there = write.Float(write.Op("And", [write.Op("Equal", [said, read]), before]));
        // A token that was read several times is still one to be found.
        pairs = write.ReduceSum(write.Clip(write.ReduceSum(there, true, rank - 1), 0, 1), true,
            [.. Enumerable.Range(0, rank).Select(a => (long)a)]);
        string looks = write.Float(
            write.Op("Equal", [write.Op("ArgMax", [x], NodeWriter.Int("axis", rank - 1), NodeWriter.Int("keepdims", 1)), keys]));
        return (write.ReduceSum(write.Op("Mul", [looks, there]), false,
            [.. Enumerable.Range(0, rank).Where(a => a != _signal.Axis).Select(a => (long)a)]), null, shape);
    }

    public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        var shape = (long[])outputs[_shape].Values;
        // Of a map with query heads beside the axis of the KV groups each has its row.
        if (_pairs is not null)
            _rows += (long)((float[])outputs[_pairs].Values)[0] * shape.Take(shape.Length - 2).Where((_, a) => a != _signal.Axis && a > 0)
                .Aggregate(1L, (a, b) => a * b);
        else _rows += _signal.Kind == SignalKind.RouterUse
            ? shape[0]
            : shape.Where((_, a) => a != _signal.Axis && a != shape.Length - 1).Aggregate(1L, (a, b) => a * b);
        Add(ref _sums, (float[])outputs[_sum].Values);
        if (_share is not null) Add(ref _shares, (float[])outputs[_share].Values);

        static void Add(ref double[] into, float[] values)
        {
            if (into.Length == 0) into = new double[values.Length];
            for (int i = 0; i < values.Length; i++) into[i] += values[i];
        }
    }

    /// <summary>Means per unit; null where they are not finite.</summary>
    public SignalStatistics? Finish()
    {
        int[] unitOf = _signal.Term.UnitMap(_signal.Factor);
        if (_rows == 0 || unitOf.Length != _sums.Length || !_sums.All(double.IsFinite)) return null;
        int size = unitOf.Max() + 1;
        double[] mean = new double[size], share = new double[size], count = new double[size];
        for (int i = 0; i < unitOf.Length; i++)
        {
            if (unitOf[i] < 0) continue;
            mean[unitOf[i]] += _signal.Kind == SignalKind.AttentionElsewhere ? 1 - (_sums[i] / _rows) : _sums[i] / _rows;
            share[unitOf[i]] += _shares.Length > 0 ? _shares[i] / _rows : 1;
            count[unitOf[i]]++;
        }
        // Rounding may leave a little less than nothing.
        return new([.. mean.Select((m, u) => Math.Max(0, m / count[u]))], [.. share.Select((s, u) => s / count[u])]);
    }
}
