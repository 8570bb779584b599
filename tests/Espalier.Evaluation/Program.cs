using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Espalier;
using Espalier.Axes;
using Espalier.Calibration;
using Espalier.Evaluation;
using Espalier.Onnx;
using Espalier.Pruning;

// Prints accuracy against MACs for the trained networks, one row per method, as a Markdown table:
//   dotnet run -c Release --project tests/Espalier.Evaluation -- [NETWORK…] [--most N]
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string root = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Espalier.RepositoryRoot").Value!;
int at = Array.IndexOf(args, "--most");
int most = at >= 0 ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : 10_000;
var names = args.Where((a, k) => at < 0 || (k != at && k != at + 1)).ToHashSet(StringComparer.Ordinal);
double[] ratios = [.. (Environment.GetEnvironmentVariable("RATIOS") ?? "0.9,0.75,0.6,0.5").Split(',').Select(double.Parse)];
string[] only = (Environment.GetEnvironmentVariable("ONLY") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
(string Name, Criterion Score, With Compensate)[] methods =
[
    ("random", Criterion.Random, With.None),
    ("L2", Criterion.L2, With.None),
    ("L2 + least squares", Criterion.L2, With.LeastSquares),
    ("variance + bias", Criterion.Variance, With.Bias),
    ("variance + least squares", Criterion.Variance, With.LeastSquares),
    ("optimal brain + least squares", Criterion.OptimalBrain, With.LeastSquares),
];
foreach (var task in Espalier.Evaluation.Task.All(root, most).Where(t => names.Count == 0 || names.Contains(t.Name)))
{
    using var dense = OnnxModel.Open(task.Model);
    var analysis = AxisAnalysis.Of(dense);
    Console.WriteLine($"\n### {task.Name}: {task.Measure}; dense {task.Evaluate(dense):0.0000}\n");
    Console.WriteLine("| method | allocation | " + string.Join(" | ", ratios.Select(r => $"{r:0 %}")) + " | seconds |");
    Console.WriteLine("|---|---|" + string.Concat(ratios.Select(_ => "---|")) + "---|");
    CalibrationStatistics? statistics = null;
    ModelProbe? probe = null;
    foreach (var allocate in (Allocation[])[Allocation.Uniform, Allocation.Global, Allocation.Divergence])
        foreach (var (name, score, compensate) in methods)
        {
            if (only.Length > 0 && !only.Contains(name[..1] + allocate.ToString()[..1])) continue;
            var clock = Stopwatch.StartNew();
            var row = new List<string>();
            foreach (double ratio in ratios)
            {
                var plan = new PruningPlan
                {
                    Prune = [.. task.Axes.Select(axis => new PruneRule { Name = axis.ToString(), Axis = axis, Score = score, Compensate = compensate, RoundTo = axis == Axis.Channels ? 4 : 1 })
                        .Where(rule => analysis.Groups.Any(g => g.Exactness == Exactness.Exact && g.Kind.ToString() == rule.Axis.ToString()))],
                    Budget = new Budget(Macs: ratio),
                    Allocate = allocate,
                    Schedule = Enum.Parse<Schedule>(Environment.GetEnvironmentVariable("SCHEDULE") ?? "OneShot"),
                };
                try
                {
                    if (statistics is null && Slimmer.Needs(plan, analysis) is not null)
                    {
                        var most2 = plan with { Prune = [.. plan.Prune.Select(p => p with { Score = Criterion.Variance, Compensate = With.LeastSquares })] };
                        statistics = Calibrator.Run(analysis, task.Calibration(dense), Slimmer.Needs(most2, analysis)!);
                    }
                    probe ??= new ModelProbe(analysis, task.Calibration(dense));
                    var slim = Slimmer.Run(dense, plan, analysis, statistics, probe);
                    row.Add($"{task.Evaluate(slim.Model):0.0000}");
                }
                catch (EspalierException e)
                {
                    row.Add(e.Message.Split('.')[0]);
                }
            }
            Console.WriteLine($"| {name} | {allocate.ToString().ToLowerInvariant()} | {string.Join(" | ", row)} | {clock.Elapsed.TotalSeconds:0} |");
        }
}
return 0;
