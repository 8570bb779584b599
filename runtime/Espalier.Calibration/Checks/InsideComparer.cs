using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Checks;

/// <summary>Which indices of a tensor of the dense model the slim model has.</summary>
/// <param name="tensor">A tensor that both models have.</param>
/// <param name="shape">Its shape in the dense model's run.</param>
/// <returns>Per axis, null for an axis that is whole; null where it is not known.</returns>
internal delegate int[]?[]? KeptIndices(string tensor, IReadOnlyList<long> shape);

/// <summary>What is compared inside of two models.</summary>
/// <param name="Masked">The dense model with what was removed masked.</param>
/// <param name="Unmasked">The dense model with the same inputs, in which what was masked is not; null where nothing was, or no such model
/// can be run.</param>
/// <param name="Inputs">What all of them are run on.</param>
internal sealed record InsideRequest(
    OnnxModel Masked, OnnxModel Slim, OnnxModel? Unmasked, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Inputs)
{
    /// <summary>Whether a tensor holds numbers that are to agree: floating-point ones, or quantised activations.</summary>
    public Func<string, bool> IsComparable { get; init; } = static _ => true;

    /// <summary>Asked for tensors whose shapes differ.</summary>
    public KeptIndices Kept { get; init; } = static (_, _) => null;

    /// <summary>About how many bytes of tensors are held at once; at least one tensor of all runs.</summary>
    public long Budget { get; init; } = 128L << 20;
}

/// <summary>A tensor where something begins.</summary>
/// <param name="Node">The node of the slim model that makes it: its name, and its operator in brackets.</param>
/// <param name="Error">Greatest relative difference of the two models.</param>
/// <param name="Noise">How far the masked model is from itself there by rounding; 0 where it was not asked.</param>
internal sealed record InsidePoint(string Tensor, string Node, double Error, double Noise);

/// <summary>What the comparison found.</summary>
/// <param name="Tensors">Tensors that both models have under one name.</param>
/// <param name="Compared">Those that were compared: of the others it is not known which indices stay, or they stand behind a magnifier or
/// a fault.</param>
internal sealed record InsideResult(int Tensors, int Compared)
{
    /// <summary>The first tensor that differs by more than rounding; null where there is none.</summary>
    public InsidePoint? Fault { get; init; }

    /// <summary>
    /// Tensors at which the masked model itself magnifies rounding to more than the tolerance; what depends on them is not compared.
    /// </summary>
    public IReadOnlyList<InsidePoint> Magnifiers { get; init; } = [];

    /// <summary>
    /// The first tensor at which both models agree and masking is seen: the dense model differs; null where there is none.
    /// </summary>
    public InsidePoint? Moved { get; init; }

    /// <summary>Whether that is so at an output of the graph.</summary>
    public bool OutputMoved { get; init; }

    /// <summary>Why nothing could be compared; null where it could.</summary>
    public string? Obstacle { get; init; }
}

/// <summary>
/// Compares two models inside, tensor by tensor in the order of the graph, in sessions of their own: with more outputs fewer kernels are
/// fused, so outputs are compared elsewhere.
/// </summary>
internal static class InsideComparer
{
    /// <summary>Runs the models, in parts that keep within the budget.</summary>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public static InsideResult Compare(InsideRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Inputs.Count == 0) throw new EspalierException("The oracle was given no inputs.");
        var inside = new Inside(request.Masked, request.Slim);
        var common = inside.Common(request.IsComparable);
        if (common.Count == 0) return new(0, 0);
        try
        {
            var run = new Run(request, inside, cancellationToken);
            foreach (var part in Parts(Aligned(request, common, cancellationToken), request.Budget / request.Inputs.Count))
            {
                run.Compare(part);
                if (run.Fault is not null) break;
            }
            return new(common.Count, run.Compared)
            {
                Fault = run.Fault,
                Magnifiers = run.Magnifiers,
                Moved = run.Moved,
                OutputMoved = run.OutputMoved,
            };
        }
        catch (EspalierException e)
        {
            return new(common.Count, 0) { Obstacle = e.Message };
        }
    }

    private static IEnumerable<Inside.Tensor> Aligned(
        InsideRequest request, List<(string Name, NodeProto Maker)> common, CancellationToken cancellationToken)
    {
        string[] names = [.. common.Select(c => c.Name)];
        var there = Inside.Shapes(request.Masked, names, request.Inputs[0].Values, cancellationToken);
        var here = Inside.Shapes(request.Slim, names, request.Inputs[0].Values, cancellationToken);
        foreach (var (name, maker) in common)
        {
            long[] dense = there[name], slim = here[name];
            int[]?[]? kept = dense.SequenceEqual(slim) ? new int[]?[dense.Length] : request.Kept(name, dense);
            if (kept is null || !kept.Select((k, axis) => k?.LongLength ?? dense[axis]).SequenceEqual(slim)) continue;
            yield return new(name, maker, kept, slim.Aggregate(4L, (a, b) => a * b));
        }
    }

    private static IEnumerable<IReadOnlyList<Inside.Tensor>> Parts(IEnumerable<Inside.Tensor> tensors, long budget)
    {
        var part = new List<Inside.Tensor>();
        long bytes = 0;
        foreach (var tensor in tensors)
        {
            if (part.Count > 0 && bytes + tensor.Bytes > budget)
            {
                yield return part;
                (part, bytes) = ([], 0);
            }
            part.Add(tensor);
            bytes += tensor.Bytes;
        }
        if (part.Count > 0) yield return part;
    }

    private sealed class Run(InsideRequest request, Inside inside, CancellationToken cancellationToken)
    {
        private readonly double _tolerance = Precision.Rounding(request.Masked.Proto.Graph);
        private readonly HashSet<string> _behind = new(StringComparer.Ordinal);

        public int Compared { get; private set; }
        public InsidePoint? Fault { get; private set; }
        public List<InsidePoint> Magnifiers { get; } = [];
        public InsidePoint? Moved { get; private set; }
        public bool OutputMoved { get; private set; }

        private readonly HashSet<string> _results = request.Slim.Proto.Graph.Output.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);

        public void Compare(IReadOnlyList<Inside.Tensor> tensors)
        {
            var (model, names) = Inside.Show(request.Masked, tensors, gather: true);
            using (model)
            {
                var expected = Outputs(model, names);
                double[] errors = Differences(request.Slim, tensors, gather: false, expected);
                bool asked = request.Unmasked is not null && (Moved is null || tensors.Any(t => _results.Contains(t.Name)));
                double[]? effects = asked ? Differences(request.Unmasked!, tensors, gather: true, expected) : null;
                for (int k = 0; k < errors.Length; k++)
                {
                    // Seen is what rounding does not hide.
                    if (effects is not null && (effects[k] > 10 * errors[k] || (effects[k] > _tolerance && errors[k] <= _tolerance)))
                    {
                        Moved ??= Point(tensors[k], errors[k], 0);
                        OutputMoved |= _results.Contains(tensors[k].Name);
                    }
                    if (_behind.Contains(tensors[k].Name)) continue;
                    Compared++;
                    if (errors[k] <= _tolerance) continue;
                    double noise = double.IsFinite(errors[k]) ? Noise(model, names[k], tensors[k], expected.Select(e => e[k])) : 0;
                    if (errors[k] > noise)
                    {
                        Fault = Point(tensors[k], errors[k], noise);
                        return;
                    }
                    Magnifiers.Add(Point(tensors[k], errors[k], noise));
                    _behind.UnionWith(inside.Behind(tensors[k].Name));
                }
            }
        }

        private static InsidePoint Point(Inside.Tensor tensor, double error, double noise)
            => new(tensor.Name, $"{(tensor.Maker.Name.Length > 0 ? $"'{tensor.Maker.Name}' " : "")}({tensor.Maker.OpType})", error, noise);

        private List<NamedTensor[]> Outputs(OnnxModel model, string[] names)
        {
            using var session = Sessions.Open(model, plain: true);
            var found = request.Inputs.Select(sample => session.Run(sample.Values, cancellationToken));
            return [.. found.Select(f => names.Select(n => f[n]).ToArray())];
        }

        /// <summary>Greatest relative difference of each tensor.</summary>
        private double[] Differences(OnnxModel other, IReadOnlyList<Inside.Tensor> tensors, bool gather, List<NamedTensor[]> expected)
        {
            var (model, names) = Inside.Show(other, tensors, gather);
            double[] greatest = new double[names.Length];
            using (model)
            using (var session = Sessions.Open(model, plain: true))
            {
                for (int s = 0; s < expected.Count; s++)
                {
                    var found = session.Run(request.Inputs[s].Values, cancellationToken);
                    for (int k = 0; k < names.Length; k++)
                        greatest[k] = Math.Max(greatest[k], OutputComparison.RelativeError(expected[s][k], found[names[k]]));
                }
            }
            return greatest;
        }

        /// <summary>
        /// What of the difference the masked model shows against itself when its inputs change in their last bits; 0 where that explains
        /// nothing.
        /// </summary>
        private double Noise(OnnxModel model, string output, Inside.Tensor tensor, IEnumerable<NamedTensor> expected)
        {
            var (slim, names) = Inside.Show(request.Slim, [tensor], gather: false);
            using (slim)
            using (var session = Sessions.Open(model))
            using (var other = Sessions.Open(slim, plain: true))
            {
                double most = 0;
                foreach (var (sample, own) in request.Inputs.Zip(expected))
                {
                    var actual = other.Run(sample.Values, cancellationToken)[names[0]];
                    double error = OutputComparison.RelativeError(own, actual);
                    if (error <= _tolerance) continue;
                    var outputs = new Dictionary<string, NamedTensor> { [output] = own };
                    var measured = RoundingNoise.Measure(model, session, [.. sample.Values], outputs, _tolerance, cancellationToken);
                    var (greatest, moved) = measured[output];
                    if (error > 2 * greatest || OutputComparison.Beyond(own, actual, _tolerance).Count() > 2 * moved) return 0;
                    most = Math.Max(most, 2 * greatest);
                }
                return most;
            }
        }
    }
}
