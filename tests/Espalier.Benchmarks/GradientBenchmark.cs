using Espalier.Axes;
using Espalier.Calibration.Gradients;
using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Benchmarks;

/// <summary>Processor time of the way forth and back, with the gradients of all weights, over that of the model alone; one thread.</summary>
internal static class Gradients
{
    private const int Rounds = 7, Batch = 16;

    public static void Print(IReadOnlyList<string> names, bool args0 = true)
    {
        Console.WriteLine("network          forward ms   ratio   (forth with what the way back reads)");
        foreach (string name in Assets.Networks().Where(n => names.Count == 0 || names.Contains(Path.GetFileNameWithoutExtension(n))))
        {
            using var model = OnnxModel.Open(Assets.Path(name));
            var analysis = AxisAnalysis.Run(model);
            var weights = model.Proto.Graph.Initializer.Where(t => t.DataType == 1).Select(t => t.Name).ToList();
            var sizes = SeededInputs.Sizes(model);
            foreach (var (key, _) in sizes.ToList().Where(s => s.Value == 2)) sizes[key] = Batch;
            var inputs = SeededInputs.For(model, 1, sizes);
            using var options = new SessionOptions { IntraOpNumThreads = 1 };
            using var forward = new InferenceSession(model.ToBytes(), options);
            using var both = new GradientRun(analysis, weights, args0 ? weights : [], threads: 1);
            using var run = new RunOptions();
            var (alone, there, back) = (new List<double>(), new List<double>(), new List<double>());
            for (int round = 0; round < Rounds + 2; round++)
            {
                double a = Time(() => { using var _ = forward.Run(run, inputs.Where(i => forward.InputNames.Contains(i.Key)).ToDictionary(), forward.OutputNames); });
                double half = 0, start = Environment.CpuUsage.TotalTime.TotalMilliseconds;
                both.Run(inputs, outputs =>
                {
                    half = Environment.CpuUsage.TotalTime.TotalMilliseconds - start;
                    return outputs.Where(o => both.Backward.Seeds.ContainsKey(o.Key))
                        .ToDictionary(o => o.Key, o => o.Value.GetTensorDataAsSpan<float>().ToArray());
                }, _ => { });
                double all = Environment.CpuUsage.TotalTime.TotalMilliseconds - start;
                if (round < 2) continue;
                alone.Add(a);
                there.Add(half / a);
                back.Add(all / a);
            }
            Console.WriteLine(FormattableString.Invariant($"{name,-16} {Median(alone),10:0.0} {Median(back),7:0.00}   {Median(there):0.00}"));
            foreach (var (tensor, reason) in both.Backward.Stopped.Take(2)) Console.WriteLine($"  {tensor}: {reason}");
        }
    }

    private static double Time(Action action)
    {
        double start = Environment.CpuUsage.TotalTime.TotalMilliseconds;
        action();
        return Environment.CpuUsage.TotalTime.TotalMilliseconds - start;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
