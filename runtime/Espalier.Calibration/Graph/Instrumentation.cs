using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Windows;
using Espalier.Onnx;

namespace Espalier.Calibration.Graph;

/// <summary>
/// Writes statistics into a copy of a graph, so that ONNX Runtime's kernels do the work and only sums leave it. Everything is
/// taken about a reference row r (a graph input), which keeps float32 sums from cancelling: Σ(x−r)(x−r)ᵀ is of the size of the
/// covariance, not of the squared mean.
/// </summary>
internal sealed class Instrumentation
{
    public const string Prefix = "espalier.calibration/";
    private readonly NodeWriter _write;
    private int _outputs;

    public Instrumentation(ModelProto copy)
    {
        copy.Graph.Output.Clear();
        _write = new NodeWriter(copy, Prefix);
    }

    /// <summary>The instrumented model: only what was tapped is an output, and only what that needs is computed.</summary>
    public OnnxModel Derive(OnnxModel source) => _write.Derive(source);

    /// <summary>The rows themselves as an output.</summary>
    /// <param name="number">Number of the site in this graph.</param>
    public RowTap Rows(Site site, int number)
    {
        string x = _write.Float(site.Activation);
        if (site.Window is not { Sampling: { } sampling } window)
        {
            string all = Features(x, site);
            _write.Output(all);
            return new(site, all, []);
        }
        x = _write.Pad(x, [0, 0, .. sampling.Pads.Take(window.Kernel.Length), 0, 0, .. sampling.Pads.Skip(window.Kernel.Length)]);
        var positions = new List<string>();
        for (int a = 0; a < window.Kernel.Length; a++)
        {
            positions.Add(_write.Integers($"elements/{number}/{a}"));
            x = _write.Gather(x, positions[a], a + 2);
        }
        // What is left are the windows side by side.
        var side = new Window(window.Channels, window.Groups, window.Kernel, [NodeWriter.Ints("strides", window.Kernel)]);
        string rows = Patches(x, site, side);
        _write.Output(rows);
        return new(site, rows, positions);
    }

    /// <summary>Rows of an output, at the positions where its site is read.</summary>
    /// <param name="axis">Axis that a row runs along.</param>
    /// <param name="outputs">Elements of that axis; null for all.</param>
    public OutputTap Rows(string tensor, int rank, int axis, int[]? outputs, (Site Site, int Number) seen)
    {
        string x = _write.Float(tensor);
        var positions = new List<string>();
        var sampling = seen.Site.Window?.Sampling;
        for (int a = 0; sampling is not null && a < sampling.Sizes.Length; a++)
        {
            positions.Add(_write.Integers($"positions/{seen.Number}/{_outputs}/{a}"));
            x = _write.Gather(x, positions[a], a + 2);
        }
        _outputs++;
        if (outputs is not null) x = _write.Gather(x, _write.Constant(outputs.Select(o => (long)o).ToArray(), outputs.Length), axis);
        string rows = rank == 1 ? _write.Reshape(x, 1, -1)
            : _write.Flatten(_write.Transpose(x, [.. Enumerable.Range(0, rank).Where(a => a != axis), axis]), rank - 1);
        _write.Output(rows);
        return new(rows, positions, sampling);
    }

    /// <summary>A tensor of the model as an output.</summary>
    public void Keep(string tensor) => _write.Output(tensor);

    private string Features(string x, Site site) => site.Window is { } window ? Patches(x, site, window) : Rows(x, site);

    public SiteTap Tap(Site site, int number)
    {
        string x = Features(_write.Float(site.Activation), site);
        string r = _write.Input($"reference/{number}", site.Features * (site.Window?.Groups ?? 1));
        string d = _write.Op("Sub", [x, r]);
        long rows = site.BatchAxis >= 0 ? 1 : 0;
        string sum = _write.ReduceSum(d, false, rows);
        string absolute = _write.ReduceSum(_write.Op("Sub", [_write.Op("Abs", [x]), _write.Op("Abs", [r])]), false, rows);
        string squares = _write.ReduceSum(_write.Op("Mul", [d, d]), false, rows);
        string shape = _write.Op("Shape", [d]);
        foreach (string name in new[] { shape, sum, squares, absolute }) _write.Output(name);
        return new SiteTap
        {
            Site = site,
            Reference = r,
            Rows = shape,
            Sum = sum,
            Squares = squares,
            Absolute = absolute,
        };
    }

    /// <summary>[rows, features], or [batch, rows, features] for stacked weights.</summary>
    private string Rows(string x, Site site)
    {
        if (site.Rank == 1) return _write.Reshape(x, 1, site.Features);
        var others = Enumerable.Range(0, site.Rank).Where(a => a != site.Axis && a != site.BatchAxis && a != site.Within);
        if (site.Within >= 0) return _write.Flatten(_write.Transpose(x, [.. others, site.Within, site.Axis]), site.Rank - 2);
        if (site.BatchAxis < 0) return _write.Flatten(_write.Transpose(x, [.. others, site.Axis]), site.Rank - 1);
        x = _write.Transpose(x, [site.BatchAxis, .. others, site.Axis]);
        return site.Rank == 3 ? x : _write.Reshape(x, 0, -1, site.Features);
    }

    /// <summary>
    /// One row per position of the window, in the weight's own order. A convolution of one filter per channel and kernel
    /// position, a single 1 each, moves exactly the elements that the model's own convolution sees: same padding, strides and
    /// dilations, whatever the rank, for static and dynamic sizes.
    /// </summary>
    private string Patches(string x, Site site, Window window)
    {
        if (!window.IsPointwise)
        {
            long positions = window.Positions, channels = window.Channels;
            var filters = new float[checked(channels * positions * positions)];
            for (long f = 0; f < channels * positions; f++) filters[f * positions + f % positions] = 1;
            string weight = _write.Constant(filters, [channels * positions, 1, .. window.Kernel]);
            x = _write.Op("Conv", [x, weight], [.. window.Attributes.Where(a => a.Name != "strides").Select(a => a.Clone()),
                NodeWriter.Ints("strides", window.Strides), NodeWriter.Int("group", channels),
                NodeWriter.Ints("kernel_shape", window.Kernel)]);
        }
        if (site.PerGroup)
            return _write.Reshape(_write.Transpose(_write.Reshape(x, 0, window.Groups, site.Features, -1), [1, 0, 3, 2]), window.Groups, -1,
                site.Features);
        return _write.Flatten(_write.Transpose(x, [0, .. Enumerable.Range(2, site.Rank - 2), 1]), site.Rank - 1);
    }

    /// <summary>The sums of a signal.</summary>
    public SignalTap Tap(UnitSignal signal, int rank, NextToken? next) => new(signal, rank, _write, next);

    /// <summary>Σ over rows of cos(in, out). Two rows of zeros are alike (1); one row of zeros is like nothing (0).</summary>
    public BlockTap Tap(Block block, int rank, bool angles)
    {
        string x = _write.Float(block.Input), y = _write.Float(block.Output);
        long axis = rank == 4 ? 1 : rank - 1;
        string Dot(string a, string b) => _write.ReduceSum(_write.Op("Mul", [a, b]), false, axis);
        string xx = Dot(x, x), yy = Dot(y, y), tiny = _write.Constant(new[] { 1e-30f });
        // The roots first: the product of two sums of squares would leave float32's range sooner. The last summand is far below
        // rounding unless exactly one row is zero.
        string norm = _write.Op("Mul", [_write.Op("Sqrt", [xx]), _write.Op("Sqrt", [yy])]);
        string larger = _write.Op("Mul", [_write.Op("Add", [xx, yy]), _write.Constant(new[] { 1e-12f })]);
        string cosine = _write.Op("Div", [_write.Op("Add", [Dot(x, y), tiny]), _write.Op("Add", [_write.Op("Add", [norm, tiny]), larger])]);
        string shape = _write.Op("Shape", [cosine]);
        string Total(string x) => rank == 1 ? x : _write.ReduceSum(x, false, [.. Enumerable.Range(0, rank - 1).Select(a => (long)a)]);
        string sum = Total(cosine);
        _write.Output(sum);
        _write.Output(shape);
        string? angle = angles ? Total(_write.Op("Acos", [_write.Clip(cosine, -1, 1)])) : null;
        if (angle is not null) _write.Output(angle);
        return new BlockTap(block, sum, shape, angle);
    }
}
