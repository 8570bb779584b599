using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Calibration.Statistics;

/// <summary>
/// Two models side by side on the same batches: each gives the rows that a consumer contracts, and a third small graph adds up their joint
/// moments. Nothing is kept but sums.
/// </summary>
internal sealed class PairedRun : IDisposable
{
    private readonly List<Pair> _pairs = [];
    private readonly OnnxModel _denseCopy, _slimCopy;
    private readonly ModelSession _dense, _slim, _sums;

    /// <param name="sites">What is observed, in the dense model and in the slim one.</param>
    public PairedRun(OnnxModel dense, OnnxModel slim, IReadOnlyList<(Site Dense, Site Slim)> sites, int threads)
    {
        (_denseCopy, var denseRows) = Rows(dense, [.. sites.Select(s => s.Dense)]);
        (_slimCopy, var slimRows) = Rows(slim, [.. sites.Select(s => s.Slim)]);
        for (int i = 0; i < sites.Count; i++) _pairs.Add(new Pair(sites[i].Dense, denseRows[i], slimRows[i]));
        (_dense, _slim) = (Sessions.Open(_denseCopy, threads), Sessions.Open(_slimCopy, threads));
        using var sums = Sums();
        _sums = Sessions.Open(sums, threads);
    }

    public void Add(IReadOnlyList<NamedTensor> inputs, CancellationToken cancellation)
    {
        var (x, z) = (_dense.Run(inputs, cancellation), _slim.Run(inputs, cancellation));
        foreach (var pair in _pairs) pair.Add(_sums, x[pair.DenseRows], z[pair.SlimRows], cancellation);
    }

    /// <summary>What comes from here on is held out: it is counted by itself too.</summary>
    public void HoldOut()
    {
        foreach (var pair in _pairs) pair.HoldOut();
    }

    public IEnumerable<(Site Site, PairedStatistics Statistics)> Finish()
        => _pairs.Where(p => p.IsFinite).Select(p => (p.Site, p.Finish()));

    public void Dispose()
    {
        _dense.Dispose();
        _slim.Dispose();
        _sums.Dispose();
        _denseCopy.Dispose();
        _slimCopy.Dispose();
    }

    private static (OnnxModel Model, List<string> Rows) Rows(OnnxModel model, IReadOnlyList<Site> sites)
    {
        var copy = model.Proto.Clone();
        var instrumentation = new Instrumentation(copy);
        List<string> rows = [.. sites.Select(instrumentation.Rows)];
        return (instrumentation.Derive(model), rows);
    }

    /// <summary>Sums over rows of x − r, z − s, (z − s)ᵀ(z − s) and (x − r)ᵀ(z − s).</summary>
    private static OnnxModel Sums()
    {
        var proto = new ModelProto
        {
            IrVersion = 8,
            Graph = new GraphProto { Name = "sums" },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } }
        };
        foreach (var (name, rank) in new[] { ("x", 2), ("z", 2), ("r", 1), ("s", 1) })
        {
            var type = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = new TensorShapeProto() };
            for (int k = 0; k < rank; k++) type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension());
            proto.Graph.Input.Add(new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = type } });
        }
        var write = new NodeWriter(proto, "sums/");
        string d = write.Op("Sub", ["x", "r"]), e = write.Op("Sub", ["z", "s"]);
        foreach (string sum in new[] { write.ReduceSum(d, false, 0), write.ReduceSum(e, false, 0), write.Gram(e),
            write.Op("Gemm", [d, e], NodeWriter.Int("transA", 1)) })
            write.Output(sum);
        return OnnxModel.Wrap(proto);
    }

    /// <summary>Sums of one site in double, over batches.</summary>
    private sealed class Pair(Site site, string denseRows, string slimRows)
    {
        private float[] _r = [], _s = [];
        private double[] _d = [], _e = [], _covariance = [], _cross = [];
        private (long Rows, double[] D, double[] E, double[] Covariance, double[] Cross)? _before;
        private long _rows;

        public Site Site { get; } = site;
        public string DenseRows { get; } = denseRows;
        public string SlimRows { get; } = slimRows;
        public bool IsFinite => _rows > 0 && _d.Concat(_e).Concat(_covariance).Concat(_cross).All(double.IsFinite)
            && (_before is not { } b || b.D.Concat(b.E).Concat(b.Covariance).Concat(b.Cross).All(double.IsFinite));

        public void HoldOut()
        {
            _before = (_rows, _d, _e, _covariance, _cross);
            (_rows, _d, _e, _covariance, _cross) = (0, [], [], [], []);
        }

        public void Add(ModelSession sums, NamedTensor x, NamedTensor z, CancellationToken cancellation)
        {
            if (_r.Length == 0) (_r, _s) = (Mean(x), Mean(z));
            var y = sums.Run([x with { Name = "x" }, z with { Name = "z" }, new("r", "float32", [_r.Length], _r),
                new("s", "float32", [_s.Length], _s)], cancellation);
            _rows += x.Shape[0];
            string[] names = [.. sums.Outputs.Select(o => o.Name)];
            Add(ref _d, y[names[0]]);
            Add(ref _e, y[names[1]]);
            Add(ref _covariance, y[names[2]]);
            Add(ref _cross, y[names[3]]);
        }

        public PairedStatistics Finish()
        {
            if (_before is not { Rows: > 0 } before) return All();
            var heldOut = All();
            _rows += before.Rows;
            foreach (var (into, part) in new[] { (_d, before.D), (_e, before.E), (_covariance, before.Covariance), (_cross, before.Cross) })
                for (int i = 0; i < into.Length; i++) into[i] += part[i];
            return All() with { HeldOut = heldOut };
        }

        private PairedStatistics All()
        {
            int n = _r.Length, k = _s.Length;
            var (covariance, cross) = (new double[k * k], new double[n * k]);
            for (int i = 0; i < k; i++)
                for (int j = 0; j < k; j++)
                    covariance[(i * k) + j] = ((_covariance[(i * k) + j] + _covariance[(j * k) + i]) / (2 * (double)_rows))
                        - (_e[i] / _rows * (_e[j] / _rows));
            for (int i = 0; i < n; i++)
                for (int j = 0; j < k; j++)
                    cross[(i * k) + j] = (_cross[(i * k) + j] / _rows) - (_d[i] / _rows * (_e[j] / _rows));
            return new(_rows, [.. _r.Select((r, i) => r + (_d[i] / _rows))], [.. _s.Select((s, i) => s + (_e[i] / _rows))],
                covariance, cross);
        }

        /// <summary>Mean of the first batch: what is subtracted, so that no large mean cancels in float32.</summary>
        private static float[] Mean(NamedTensor rows)
        {
            int width = (int)rows.Shape[1];
            var values = (float[])rows.Values;
            var sum = new double[width];
            for (int i = 0; i < values.Length; i++) sum[i % width] += values[i];
            return [.. sum.Select(v => (float)(v / Math.Max(1, rows.Shape[0])) is var mean && float.IsFinite(mean) ? mean : 0)];
        }

        private static void Add(ref double[] into, NamedTensor part)
        {
            var values = (float[])part.Values;
            if (into.Length == 0) into = new double[values.Length];
            for (int i = 0; i < values.Length; i++) into[i] += values[i];
        }
    }
}
