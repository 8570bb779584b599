using System.Runtime.InteropServices;
using Espalier.Gradients;
using Espalier.Gradients.Writing;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.TestKit.Oracle;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>
/// Compares the gradients of a model with central differences: the sum of all outputs with random factors, along random directions of
/// every weight and input.
/// </summary>
internal sealed class GradientCheck : IDisposable
{
    /// <summary>Steps as parts of the root mean square of a tensor: rounding is less in long ones, kinks are rarer in short ones.</summary>
    private static readonly double[] Steps = [0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003];

    private readonly Random _random = new(3);
    private readonly Dictionary<string, OrtValue> _values;
    private readonly InferenceSession _forward;
    private readonly Dictionary<string, float[]> _seeds = new(StringComparer.Ordinal);

    private GradientCheck(OnnxModel model, Dictionary<string, OrtValue> inputs)
    {
        var analysis = AxisAnalysis.Run(model);
        var proto = analysis.Model.Proto.Clone();
        Weights = [.. proto.Graph.Initializer.Where(t => t.DataType == (int)DataType.Float && t.Dims.All(d => d > 0)).Select(t => t.Name)];
        // Weights can be given as inputs.
        proto.IrVersion = Math.Max(proto.IrVersion, 4);
        _values = new(inputs, StringComparer.Ordinal);
        foreach (var tensor in proto.Graph.Initializer.Where(t => Weights.Contains(t.Name)))
        {
            _values[tensor.Name] = OrtValue.CreateTensorValueFromMemory(analysis.Model.Content(tensor).ToFloats(), [.. tensor.Dims]);
            if (!proto.Graph.Input.Any(i => i.Name == tensor.Name)) proto.Graph.Input.Add(tensor.ToInput());
        }
        string[] wanted = [.. Weights, .. analysis.GraphInputs.Where(i => i.IsFloating && inputs.ContainsKey(i.Name)).Select(i => i.Name)];
        Backward = BackwardBuilder.Build(analysis, wanted, Weights.ToHashSet());
        var outputs = proto.Graph.Output.Select(o => o.Name).ToHashSet();
        foreach (string read in Backward.Reads.Where(r => !_values.ContainsKey(r) && outputs.Add(r)))
            proto.Graph.Output.Add(new ValueInfoProto { Name = read });
        _forward = Open(analysis.Model.Derive(proto));
    }

    public string[] Weights { get; }

    public Backward Backward { get; }

    /// <summary>
    /// How many tensors were compared, and those whose gradients are wrong; null where nothing can be compared: no output is a number, or
    /// one is random or infinite.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">What it reads; random numbers where this is null.</param>
    /// <param name="most">How many tensors are compared at most: every one where there are fewer, else a sample.</param>
    public static (int? Compared, List<string> Faults, Backward Backward) Run(OnnxModel model, Dictionary<string, OrtValue>? inputs = null,
        int most = int.MaxValue)
    {
        using var check = new GradientCheck(model, inputs ?? SeededInputs.For(model, 5));
        return check.Compare(most);
    }

    private (int? Compared, List<string> Faults, Backward Backward) Compare(int most)
    {
        string[] all = [.. Backward.Gradients.Keys, .. Backward.Zero];
        var sample = all.Length <= most ? all : Sample(all, most);

        using var run = new RunOptions();
        using var results = _forward.Run(run, _values, _forward.OutputNames);
        var known = new Dictionary<string, OrtValue>(_values, StringComparer.Ordinal);
        foreach (var (i, name) in _forward.OutputNames.Index()) known[name] = results[i];
        // Random numbers, and what has no value there, have no differences.
        if (Backward.Seeds.Count == 0 || !IsSteady(results)) return (null, [], Backward);
        foreach (var (output, seed) in Backward.Seeds)
        {
            var shape = known[output].GetTensorTypeAndShape();
            float[] factors = [.. Enumerable.Range(0, (int)shape.ElementCount).Select(_ => Normal())];
            _seeds[output] = factors;
            known[seed] = OrtValue.CreateTensorValueFromMemory(factors, shape.Shape);
        }
        var faults = new List<string>();
        if (Backward.Gradients.Count > 0)
        {
            using var backward = Open(Backward.Model);
            using var gradients = backward.Run(run, known.Where(k => backward.InputNames.Contains(k.Key)).ToDictionary(),
                backward.OutputNames);
            foreach (var (name, output) in Backward.Gradients.Where(g => sample.Contains(g.Key)))
            {
                var value = gradients[backward.OutputNames.ToList().IndexOf(output)];
                var found = value.GetTensorTypeAndShape().Shape;
                var stated = known[name].GetTensorTypeAndShape().Shape;
                if (!found.SequenceEqual(stated))
                    faults.Add($"{name}: shape [{string.Join(',', found)}], not [{string.Join(',', stated)}]");
                else if (Wrong(name, value.GetTensorDataAsSpan<float>().ToArray()) is { } fault) faults.Add(fault);
            }
        }
        foreach (string zero in Backward.Zero.Where(sample.Contains))
            if (Wrong(zero, new float[_values[zero].GetTensorTypeAndShape().ElementCount]) is { } fault) faults.Add(fault);
        return (sample.Length, faults, Backward);
    }

    private static string[] Sample(string[] all, int most)
    {
        string[] shuffled = [.. all];
        new Random(7).Shuffle(shuffled);
        return shuffled[..most];
    }

    private bool IsSteady(IReadOnlyList<OrtValue> results)
    {
        using var run = new RunOptions();
        using var again = _forward.Run(run, _values, _forward.OutputNames);
        return Backward.Seeds.Keys.Select(o => _forward.OutputNames.ToList().IndexOf(o)).All(i =>
            results[i].GetTensorDataAsSpan<float>().SequenceEqual(again[i].GetTensorDataAsSpan<float>())
            && results[i].GetTensorDataAsSpan<float>().ToArray().All(float.IsFinite));
    }

    private string? Wrong(string name, float[] gradient)
    {
        float[] values = _values[name].GetTensorDataAsSpan<float>().ToArray();
        double size = Math.Sqrt(values.Sum(v => (double)v * v) / values.Length);
        if (size == 0) size = 1;
        // Every element moves by a part of itself: variances must not become negative.
        double[] scales = [.. values.Select(v => Math.Max(Math.Abs(v), 0.01 * size))];
        double norm = Math.Sqrt(gradient.Zip(scales, (g, s) => g * s * g * s).Sum());
        var told = new List<string>();
        // One direction that shows every element, and one in which the gradient itself is as large as it can be.
        foreach (bool along in (bool[])[false, true])
        {
            if (along && norm == 0) continue;
            float[] direction = [.. gradient.Zip(scales, (g, s) => (float)(s * (along
                ? g * s / norm * Math.Sqrt(values.Length)
                : Normal())))];
            double expected = direction.Zip(gradient, (d, g) => (double)d * g).Sum();
            double floor = 3e-3 * norm;
            var seen = Steps.Select(step => Difference(name, values, direction, step)).Where(s => double.IsFinite(s.Slope)).ToList();
            if (seen.Count == 0) continue;
            // What rounding hides.
            double rounding = seen.Max(s => s.Rounding);
            if (!seen.Exists(s => Math.Abs(s.Slope - expected) <= (0.01 * Math.Abs(expected)) + floor + s.Rounding))
                told.Add(FormattableString.Invariant($"{expected:g5} against ")
                    + string.Join(' ', seen.Select(s => FormattableString.Invariant($"{s.Slope:g5}")))
                    + FormattableString.Invariant($" ±{rounding:g2}"));
        }
        return told.Count > 0 ? $"{name}: {string.Join("; ", told)}" : null;
    }

    private (double Slope, double Rounding) Difference(string name, float[] values, float[] direction, double step)
    {
        var (up, scale) = Loss(+1);
        var (down, _) = Loss(-1);
        return ((up - down) / (2 * step), 4 * 6e-8 * scale / step);

        (double Loss, double Scale) Loss(int sign)
        {
            float[] moved = [.. values.Zip(direction, (v, d) => (float)(v + (sign * step * d)))];
            using var value = OrtValue.CreateTensorValueFromMemory(moved, _values[name].GetTensorTypeAndShape().Shape);
            var given = new Dictionary<string, OrtValue>(_values, StringComparer.Ordinal) { [name] = value };
            using var run = new RunOptions();
            string[] outputs = [.. _seeds.Keys];
            using var results = _forward.Run(run, given, outputs);
            double loss = 0, scale = 0;
            foreach (var (i, output) in outputs.Index())
            {
                var found = results[i].GetTensorDataAsSpan<float>();
                for (int k = 0; k < found.Length; k++)
                {
                    loss += (double)found[k] * _seeds[output][k];
                    scale += Math.Pow((double)found[k] * _seeds[output][k], 2);
                }
            }
            return (loss, Math.Sqrt(scale));
        }
    }

    private float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));

    private static InferenceSession Open(OnnxModel model)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = 1,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_BASIC,
        };
        return new(model.ToBytes(), options);
    }

    public void Dispose() => _forward.Dispose();
}
