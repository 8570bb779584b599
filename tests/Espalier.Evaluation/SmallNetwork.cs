using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Onnx;

namespace Espalier.Evaluation;

/// <summary>A network of the same form with fewer channels or neurons, trained from scratch as the large one was.</summary>
/// <param name="Macs">Its multiply-accumulates as a fraction of the large one's.</param>
/// <param name="Score">Its measure on the test data.</param>
internal sealed record SmallNetwork(string Network, double Macs, double Score)
{
    /// <summary>What the page says where there is none.</summary>
    public const string Missing = "No row shows a small network trained from scratch, which a slim one should beat "
        + "(arXiv:1810.05270): `train.py FOLDER NAME@0.7` of `tests/assets` makes them, `--small FOLDER` measures them.";

    private const string Header = "network\tmacs\tscore";

    /// <summary>The rows of a file; none where there is no such file.</summary>
    public static IReadOnlyList<SmallNetwork> Read(string path) => File.Exists(path)
        ? [.. File.ReadLines(path).Skip(1).Select(l => l.Split('\t')).Select(c => new SmallNetwork(c[0], Number(c[1]), Number(c[2])))]
        : [];

    /// <summary>Measures the networks in a folder on the test data, and writes their rows among those that a file has.</summary>
    /// <param name="folder">Has a file for each network, named after it.</param>
    public static void Measure(IEnumerable<Task> tasks, string folder, string path)
    {
        var rows = Read(path).ToDictionary(r => r.Network, StringComparer.Ordinal);
        foreach (var task in tasks)
        {
            string file = Path.Combine(folder, $"{task.Name}.onnx");
            if (!File.Exists(file)) continue;
            using OnnxModel dense = OnnxModel.Open(task.Model), small = OnnxModel.Open(file);
            double Macs(OnnxModel model) => AxisAnalysis.Run(model).Cost.Evaluate(CostUnit.Macs);
            rows[task.Name] = new(task.Name, Macs(small) / Macs(dense), task.Evaluate(small, Split.Test).Average());
        }
        File.WriteAllLines(path, [Header, .. Task.Names.Where(rows.ContainsKey).Select(n => string.Create(CultureInfo.InvariantCulture,
            $"{n}\t{rows[n].Macs:0.0000}\t{rows[n].Score:0.0000}"))]);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>A line of the table: the score stands at the smallest bound that it meets.</summary>
    public string Line(double[] ratios)
    {
        double bound = ratios.Where(r => Macs <= r).DefaultIfEmpty(ratios[0]).Min();
        var cells = ratios.Select(r => r == bound ? Score.ToString("0.0000", CultureInfo.InvariantCulture) : "");
        return string.Create(CultureInfo.InvariantCulture,
            $"| small, from scratch | {string.Join(" | ", cells)} | {100 * Macs:0} | | | |\n");
    }
}
