using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Statistics;

/// <summary>
/// Mean and variance per channel of one tensor: of every batch in float32 about its own mean, of all batches together in double
/// (Chan, Golub and LeVeque 1979).
/// </summary>
internal sealed class ChannelRun : IDisposable
{
    private readonly OnnxModel _copy;
    private readonly ModelSession _session;
    private readonly string _mean, _squares, _shape;
    private double[] _means = [], _sums = [];
    private double _rows;

    public ChannelRun(OnnxModel model, string tensor, int rank, int threads)
    {
        var proto = model.Proto.Clone();
        proto.Graph.Output.Clear();
        var write = new NodeWriter(proto, Instrumentation.Prefix);
        long[] axes = [.. Enumerable.Range(0, rank).Where(a => a != 1).Select(a => (long)a)];
        string x = write.Float(tensor);
        _shape = write.Op("Shape", [tensor]);
        string sum = write.ReduceSum(x, true, axes);
        string count = write.Float(write.Op("Div", [write.Op("Size", [tensor]), write.Op("Size", [sum])]));
        string mean = write.Op("Div", [sum, count]), centred = write.Op("Sub", [x, mean]);
        (_mean, _squares) = (mean, write.ReduceSum(write.Op("Mul", [centred, centred]), true, axes));
        foreach (string output in new[] { _mean, _squares, _shape }) write.Output(output);
        _copy = write.Derive(model);
        _session = Sessions.Open(_copy, threads);
    }

    public void Add(IReadOnlyList<NamedTensor> inputs, CancellationToken cancellation)
    {
        var outputs = _session.Run(inputs, cancellation);
        var (mean, squares, shape) = ((float[])outputs[_mean].Values, (float[])outputs[_squares].Values, (long[])outputs[_shape].Values);
        if (_means.Length == 0) (_means, _sums) = (new double[mean.Length], new double[mean.Length]);
        double rows = shape.Where((_, a) => a != 1).Aggregate(1.0, (a, b) => a * b), all = _rows + rows;
        for (int c = 0; c < mean.Length; c++)
        {
            double distance = mean[c] - _means[c];
            _sums[c] += squares[c] + (distance * distance * _rows * rows / all);
            _means[c] += distance * rows / all;
        }
        _rows = all;
    }

    public (double[] Mean, double[] Variance)? Finish()
        => _rows > 0 && _means.Concat(_sums).All(double.IsFinite) ? (_means, [.. _sums.Select(s => s / _rows)]) : null;

    public void Dispose()
    {
        _session.Dispose();
        _copy.Dispose();
    }
}
