using Espalier.Axes;
using Espalier.Calibration.Gradients;
using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Benchmarks;

/// <summary>
/// Processor time of the way forth and back, with the gradients of all weights, over that of the model alone: one thread, one run.
/// </summary>
internal static class Gradients
{
    private const int Rounds = 7, Warm = 2, Batch = 16;

    /// <param name="names">Networks; none for all.</param>
    /// <param name="areTrained">Whether weights change between runs, and so are inputs; else they are constants, as for scores.</param>
    public static void Print(IReadOnlyList<string> names, bool areTrained)
    {
        Console.WriteLine("network          forward ms   ratio   (forth with what the way back reads)");
        foreach (string name in Assets.Networks().Where(n => names.Count == 0 || names.Contains(Path.GetFileNameWithoutExtension(n))))
        {
            using var model = OnnxModel.Open(Assets.Path(name));
            string[] weights = [.. model.Proto.Graph.Initializer.Where(t => t.DataType == 1).Select(t => t.Name)];
            var sizes = SeededInputs.Sizes(model);
            foreach (var (key, _) in sizes.ToList().Where(s => s.Value == 2)) sizes[key] = Batch;
            var inputs = SeededInputs.For(model, 1, sizes);
            using var options = new SessionOptions { IntraOpNumThreads = 1 };
            using var forward = new InferenceSession(model.ToBytes(), options);
            using var both = new GradientRun(AxisAnalysis.Run(model), weights, areTrained ? weights : [], threads: 1);
            var (alone, there, back) = Times(forward, both, inputs);
            Console.WriteLine(FormattableString.Invariant($"{name,-16} {alone,10:0.0} {back,7:0.00}   {there:0.00}"));
            foreach (var (tensor, reason) in both.Backward.Stopped.Take(2)) Console.WriteLine($"  {tensor}: {reason}");
        }
    }

    /// <summary>Milliseconds of the model alone, and the two ratios; medians.</summary>
    private static (double Alone, double There, double Back) Times(InferenceSession forward, GradientRun both,
        Dictionary<string, OrtValue> inputs)
    {
        using var run = new RunOptions();
        var given = inputs.Where(i => forward.InputNames.Contains(i.Key)).ToDictionary();
        var (alone, there, back) = (new List<double>(), new List<double>(), new List<double>());
        for (int round = 0; round < Rounds + Warm; round++)
        {
            double start = Now;
            forward.Run(run, given, forward.OutputNames).Dispose();
            double own = Now - start, half = 0;
            start = Now;
            both.Run(inputs, outputs =>
            {
                half = Now - start;
                return outputs.Where(o => both.Backward.Seeds.ContainsKey(o.Key))
                    .ToDictionary(o => o.Key, o => o.Value.GetTensorDataAsSpan<float>().ToArray());
            }, _ => { });
            double all = Now - start;
            if (round < Warm) continue;
            alone.Add(own);
            there.Add(half / own);
            back.Add(all / own);
        }
        return (Median(alone), Median(there), Median(back));
    }

    private static double Now => Environment.CpuUsage.TotalTime.TotalMilliseconds;

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
