using Espalier.Axes;

namespace Espalier.Calibration;

/// <summary>Writes the sums of a signal into an instrumented graph, and adds them up over batches.</summary>
internal sealed class SignalTap
{
    private readonly UnitSignal _signal;
    private readonly string _sum, _shape;
    private readonly string? _share;
    private double[] _sums = [], _shares = [];
    private long _rows;

    /// <param name="signal">What is averaged.</param>
    /// <param name="rank">Rank of its tensor.</param>
    /// <param name="write">The graph.</param>
    public SignalTap(UnitSignal signal, int rank, NodeWriter write)
    {
        _signal = signal;
        string x = write.Float(signal.Tensor);
        (_sum, _share, _shape) = signal.Kind == SignalKind.RouterUse ? Router(x, rank, write) : Attention(x, rank, write);
        foreach (string? name in new[] { _sum, _share, _shape })
            if (name is not null) write.Output(name);
    }

    public UnitSignal Signal => _signal;

    /// <summary>Σ over rows of the probability of every expert that is chosen, and how often it is.</summary>
    private (string Sum, string? Share, string Shape) Router(string x, int rank, NodeWriter write)
    {
        var others = Enumerable.Range(0, rank).Where(a => a != _signal.Axis);
        string rows = write.Flatten(write.Transpose(x, [.. others, _signal.Axis]), rank - 1);
        string shape = write.Op("Shape", [rows]);
        // Of a matrix, Softmax over axis 1 is the same in every operator set.
        if (!_signal.IsDistribution) rows = write.Op("Softmax", [rows], NodeWriter.Int("axis", 1));
        if (_signal.Chosen <= 0) return (write.ReduceSum(rows, false, 0), null, shape);
        string least = write.Op("Gather", [write.Largest(rows, _signal.Chosen), write.Constant(new[] { _signal.Chosen - 1L }, 1)], NodeWriter.Int("axis", 1));
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
        string near = write.Float(write.Op("Or", [write.Op("Equal", [query, key]), write.Op("Equal", [key, write.Constant(new[] { 0L })])]));
        return (write.ReduceSum(write.Op("Mul", [x, near]), false, [.. Enumerable.Range(0, rank).Where(a => a != _signal.Axis).Select(a => (long)a)]), null, shape);
    }

    public void Clear() => (_sums, _shares, _rows) = ([], [], 0);

    public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        var shape = (long[])outputs[_shape].Values;
        _rows += _signal.Kind == SignalKind.RouterUse ? shape[0] : shape.Where((_, a) => a != _signal.Axis && a != shape.Length - 1).Aggregate(1L, (a, b) => a * b);
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
            mean[unitOf[i]] += _signal.Kind == SignalKind.RouterUse ? _sums[i] / _rows : 1 - (_sums[i] / _rows);
            share[unitOf[i]] += _shares.Length > 0 ? _shares[i] / _rows : 1;
            count[unitOf[i]]++;
        }
        // Rounding may leave a little less than nothing.
        return new([.. mean.Select((m, u) => Math.Max(0, m / count[u]))], [.. share.Select((s, u) => s / count[u])]);
    }
}
