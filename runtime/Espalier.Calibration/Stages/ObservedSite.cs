using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Sums;

namespace Espalier.Calibration.Stages;

/// <summary>What consumers read in the slim model, with the errors of their outputs beside it.</summary>
internal sealed class ObservedSite(Site site, int number, IReadOnlyList<FitPoint> points, IReadOnlyDictionary<string, long[]> shapes,
    TileProducts products, CancellationToken cancellation)
{
    /// <summary>Most rows that are held out.</summary>
    private const int MostHeldOut = 1024;

    private readonly List<(FitPoint Point, OutputTap Slim)> _slim = [];
    private readonly List<OutputTap> _dense = [];
    private RowTap? _rows;
    private MomentSums? _sums;
    private RowSample? _heldOut;
    private bool _misfits;

    public IReadOnlyList<FitPoint> Points => points;

    /// <summary>What is looked at in the slim model.</summary>
    public IEnumerable<string> Tensors => points.Select(p => p.Output?.Tensor).OfType<string>().Prepend(site.Activation);

    private int Outputs => points.Sum(p => p.Output is null ? 0 : p.Outputs.Length);

    public void TapSlim(Instrumentation graph)
    {
        _rows = graph.Rows(site, number);
        foreach (var point in points.Where(p => p.Output is not null))
        {
            var (tensor, axis) = (point.Output!.Tensor, point.Output.Axis);
            _slim.Add((point, graph.Rows(tensor, shapes[tensor].Length, axis, null, (site, number))));
        }
    }

    public void TapDense(Instrumentation graph)
    {
        foreach (var (point, _) in _slim)
        {
            var (tensor, axis) = (point.Output!.Tensor, point.Output.Axis);
            bool whole = point.Outputs.Length == shapes[tensor][axis];
            _dense.Add(graph.Rows(tensor, shapes[tensor].Length, axis, whole ? null : point.Outputs, (site, number)));
        }
    }

    public IEnumerable<NamedTensor> SlimInputs(int batch) => _rows!.Inputs(batch).Concat(_slim.SelectMany(s => s.Slim.Inputs(batch)));

    public IEnumerable<NamedTensor> DenseInputs(int batch) => _dense.SelectMany(d => d.Inputs(batch));

    public void Add(IReadOnlyDictionary<string, NamedTensor>? dense, IReadOnlyDictionary<string, NamedTensor> slim, bool heldOut)
    {
        if (_misfits) return;
        var z = slim[_rows!.Rows];
        int rows = (int)z.Shape[0], width = (int)z.Shape[1], errors = Outputs;
        var pairs = _slim.Zip(_dense, (s, d) => (Slim: slim[s.Slim.Rows], Dense: dense![d.Rows])).ToList();
        if (pairs.Exists(p => p.Slim.Shape[0] != rows || !p.Slim.Shape.SequenceEqual(p.Dense.Shape)))
        {
            _misfits = true;
            return;
        }
        _sums ??= new(width, errors, products, cancellation);
        _heldOut ??= new(width + errors, MostHeldOut);
        var row = new float[width + errors];
        for (int r = 0; r < rows; r++)
        {
            ((float[])z.Values).AsSpan(r * width, width).CopyTo(row);
            int at = width;
            foreach (var (s, d) in pairs)
            {
                int n = (int)s.Shape[1];
                TensorPrimitives.Subtract(((float[])d.Values).AsSpan(r * n, n), ((float[])s.Values).AsSpan(r * n, n), row.AsSpan(at, n));
                at += n;
            }
            if (heldOut) _heldOut.Add(row);
            else _sums.Add(row.AsSpan(0, width), row.AsSpan(width));
        }
    }

    /// <summary>Statistics by consumer; none where the numbers do not fit each other, or are not finite.</summary>
    public IEnumerable<(int Consumer, ErrorStatistics Statistics)> Finish()
    {
        if (_misfits || _sums is not { IsFinite: true }) yield break;
        var all = _sums.ToErrors();
        int k = all.InputMean.Length, at = 0;
        foreach (var point in points)
        {
            int n = point.Output is null ? 0 : point.Outputs.Length;
            yield return (point.Consumer.Id, all with
            {
                ErrorMean = all.ErrorMean[at..(at + n)],
                Cross = all.Cross.AsSpan(at * k, n * k).ToArray(),
                ErrorVariance = all.ErrorVariance[at..(at + n)],
                HeldOut = n > 0 && _heldOut is { Count: > 0 } ? _heldOut : null,
                HeldOutErrors = k + at,
            });
            at += n;
        }
    }
}
