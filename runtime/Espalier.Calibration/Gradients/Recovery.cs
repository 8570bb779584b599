using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Runtime;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Calibration.Gradients;

/// <summary>How long is trained, and how.</summary>
/// <param name="Steps">Number of steps.</param>
/// <param name="Rate">Step size at its height.</param>
/// <param name="Batch">Most samples per step.</param>
internal sealed record RecoveryOptions(int Steps, double Rate = 3e-4, int Batch = 64)
{
    public Train Trained { get; init; }

    public Metric Metric { get; init; } = Metric.KullbackLeibler;

    public IReadOnlyList<string> Outputs { get; init; } = [];

    public int Seed { get; init; }

    public int Threads { get; init; }
}

/// <summary>What training brought.</summary>
/// <param name="Model">The model with the weights that were best on held-out samples; the slim one itself where none were better.</param>
/// <param name="Curve">Divergence from the dense model on held-out samples, by step; step 0 is before training.</param>
/// <param name="Untrained">Weights that have no gradient, with tensor, operator and reason.</param>
internal sealed record Recovered(OnnxModel Model, IReadOnlyList<(int Step, double Divergence)> Curve,
    IReadOnlyDictionary<string, string> Untrained);

/// <summary>
/// Trains a slim model towards the dense one on unlabelled samples, by Adam with a cosine schedule. What is kept is what was best on
/// samples that training does not see, so that the model cannot become worse on them.
/// </summary>
internal sealed class Recovery(OnnxModel dense, OnnxModel slim, RecoveryOptions options)
{
    /// <summary>Held-out divergence is measured so many times.</summary>
    private const int Looks = 10;

    /// <summary>Steps in which the rate rises, as a part of all.</summary>
    private const double WarmUp = 0.05;

    /// <summary>Bytes of outputs of the dense model that are kept from one epoch to the next.</summary>
    private const long MostKept = 1L << 28;

    private const long BatchElements = 1L << 24;

    private readonly AxisAnalysis _analysis = AxisAnalysis.Run(slim);

    /// <param name="samples">Samples to train on.</param>
    /// <param name="heldOut">Samples to choose by.</param>
    public Recovered Run(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> heldOut, Action<int>? progress = null,
        CancellationToken ct = default)
    {
        string[] weights = [.. Weights()];
        if (weights.Length == 0) throw new EspalierException("Nothing of the slim model can be trained: it has no weights of float32.");
        using var run = new GradientRun(_analysis, weights, weights, options.Threads);
        if (run.Backward.Gradients.Count == 0)
            throw new EspalierException($"Nothing of the slim model can be trained: {run.Backward.Stopped.Values.FirstOrDefault()
                ?? "no output depends on its weights"}.");
        using var teacher = Sessions.Open(dense, options.Threads);
        var random = new Random(options.Seed);
        var joining = new SampleBatches(slim, options.Batch, BatchElements);
        var batches = joining.Joined(Shuffled(samples, random));
        var expected = new Dictionary<int, IReadOnlyDictionary<string, NamedTensor>>();
        long kept = 0;
        var judged = joining.Joined(heldOut).Select(b => (Inputs: b, Expected: teacher.Run(b, ct))).ToList();
        double best = Judge(run, judged);
        Dictionary<string, float[]>? bestWeights = null;
        var curve = new List<(int, double)> { (0, best) };
        var (adam, loss) = (new Adam(), new OutputLoss(options.Metric, options.Outputs));
        int[] order = [];
        for (int step = 1; step <= options.Steps; step++)
        {
            ct.ThrowIfCancellationRequested();
            progress?.Invoke(step - 1);
            int place = (step - 1) % batches.Count;
            if (place == 0) order = [.. Enumerable.Range(0, batches.Count).OrderBy(_ => random.Next())];
            var batch = batches[order[place]];
            if (!expected.TryGetValue(order[place], out var answers))
            {
                answers = teacher.Run(batch, ct);
                kept += answers.Values.Sum(a => (long)Buffer.ByteLength(a.Values));
                if (kept < MostKept) expected[order[place]] = answers;
            }
            Step(run, batch, answers, adam, loss, Rate(step));
            if (step != options.Steps && step % Math.Max(1, options.Steps / Looks) != 0) continue;
            double now = Judge(run, judged);
            curve.Add((step, now));
            if (now >= best) continue;
            best = now;
            bestWeights = run.Weights.ToDictionary(w => w.Key, w => (float[])w.Value.Clone());
        }
        progress?.Invoke(options.Steps);
        return new(bestWeights is null ? slim : With(bestWeights), curve, run.Backward.Stopped);
    }

    /// <summary>Rises, then falls as a cosine to zero (Loshchilov and Hutter, arXiv:1608.03983, without restarts).</summary>
    private double Rate(int step)
    {
        double warm = Math.Max(1, WarmUp * options.Steps);
        return options.Rate * Math.Min(1, step / warm) * 0.5 * (1 + Math.Cos(Math.PI * (step - 1) / options.Steps));
    }

    private static void Step(GradientRun run, IReadOnlyList<NamedTensor> batch, IReadOnlyDictionary<string, NamedTensor> expected,
        Adam adam, OutputLoss loss, double rate)
    {
        adam.Begin();
        Give(batch, inputs => run.Run(inputs, outputs => loss.Gradients(expected, Named(outputs)), gradients =>
        {
            foreach (var (name, gradient) in gradients)
                adam.Update(name, run.Weights[name], gradient.GetTensorDataAsSpan<float>(), rate);
        }));
    }

    private static void Give(IReadOnlyList<NamedTensor> batch, Action<IReadOnlyDictionary<string, OrtValue>> use)
    {
        var inputs = batch.ToDictionary(t => t.Name, OrtTensors.ToOrt, StringComparer.Ordinal);
        try
        {
            use(inputs);
        }
        finally
        {
            foreach (var value in inputs.Values) value.Dispose();
        }
    }

    private double Judge(GradientRun run,
        IEnumerable<(IReadOnlyList<NamedTensor> Inputs, IReadOnlyDictionary<string, NamedTensor> Expected)> batches)
    {
        var tally = new DivergenceTally(options.Metric, options.Outputs);
        foreach (var (batch, expected) in batches)
            Give(batch, inputs => run.Forward(inputs, outputs => tally.Add(expected, Named(outputs))));
        return tally.Mean;
    }

    private static Dictionary<string, NamedTensor> Named(IReadOnlyDictionary<string, OrtValue> outputs)
        => outputs.ToDictionary(o => o.Key, o => OrtTensors.FromOrt(o.Key, o.Value), StringComparer.Ordinal);

    /// <summary>Weights of float32 that are no statistics of a batch normalisation: these are measured and not trained.</summary>
    private IEnumerable<string> Weights()
    {
        var statistics = _analysis.State.Records.Where(r => r.Info.Proto.OpType == "BatchNormalization")
            .SelectMany(r => r.Inputs.Skip(3)).OfType<Axes.Graph.TensorState>().Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var parameters = _analysis.Parameters.Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        return _analysis.Model.Proto.Graph.Initializer.Where(t => t.DataType == (int)DataType.Float && parameters.Contains(t.Name)
            && !statistics.Contains(t.Name) && (options.Trained == Train.All || t.Dims.Count == 1)).Select(t => t.Name);
    }

    private OnnxModel With(Dictionary<string, float[]> weights)
    {
        var proto = _analysis.Model.Proto.Clone();
        for (int k = 0; k < proto.Graph.Initializer.Count; k++)
            if (weights.TryGetValue(proto.Graph.Initializer[k].Name, out float[]? values))
                proto.Graph.Initializer[k] = _analysis.Model.NewTensor(proto.Graph.Initializer[k].Name, DataType.Float,
                    proto.Graph.Initializer[k].Dims, TensorContent.FromFloats(DataType.Float, values));
        return _analysis.Model.Derive(proto);
    }

    private static List<IReadOnlyDictionary<string, NamedTensor>> Shuffled(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
        Random random) => [.. Enumerable.Range(0, samples.Count).OrderBy(_ => random.Next()).Select(i => samples[i])];
}
