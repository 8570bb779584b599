using System.Diagnostics;
using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>One method at one budget on one draw of calibration data.</summary>
/// <param name="Network">The network.</param>
/// <param name="Preset">The method.</param>
/// <param name="Ratio">Bound on the multiply-accumulates.</param>
/// <param name="Draw">Number of the draw, and seed.</param>
/// <param name="Score">The measure of the slim network; NaN where the method cannot meet the budget.</param>
/// <param name="Error">Standard error over the held-out items of the difference from the dense network.</param>
/// <param name="Macs">Multiply-accumulates that it came to, as a fraction.</param>
/// <param name="Seconds">Processor time of calibrating and slimming.</param>
/// <param name="Megabytes">Peak memory of the process, evaluation included.</param>
internal sealed record Row(string Network, Preset Preset, double Ratio, int Draw, double Score, double Error, double Macs, double Seconds,
    double Megabytes)
{
    public string ToText()
        => string.Create(CultureInfo.InvariantCulture,
            $"{Network}\t{Preset}\t{Ratio:0.00}\t{Draw}\t{Score:0.0000}\t{Error:0.0000}\t{Macs:0.0000}\t{Seconds:0.0}\t{Megabytes:0}");

    public static Row Parse(string line)
    {
        string[] cells = line.Split('\t');
        double Number(int k) => double.Parse(cells[k], CultureInfo.InvariantCulture);
        return new(cells[0], Enum.Parse<Preset>(cells[1]), Number(2), (int)Number(3), Number(4), Number(5), Number(6),
            Number(7), Number(8));
    }
}

/// <summary>All rows, in a file that a stopped run goes on from: deleting rows makes them be measured again.</summary>
internal sealed class Results(string path)
{
    private readonly List<(Row Row, int Most)> _rows = [.. (File.Exists(path) ? File.ReadLines(path).Skip(1) : [])
        .Select(l => (Row.Parse(l), int.Parse(l.Split('\t')[9], CultureInfo.InvariantCulture)))];

    public IReadOnlyList<Row> Rows => [.. _rows.Select(r => r.Row)];

    /// <summary>Most test items that the rows were measured on.</summary>
    public int Most => _rows.Count == 0 ? 0 : _rows.Max(r => r.Most);

    /// <summary>The measure of the dense network.</summary>
    public double Dense(string network) => _rows.FirstOrDefault(r => r.Row.Network == network && r.Row.Ratio == 1).Row?.Score ?? double.NaN;

    public bool Has(string network, Preset preset, double ratio, int draw, int most)
        => _rows.Exists(r => r.Most == most && r.Row.Network == network && r.Row.Preset == preset && Math.Abs(r.Row.Ratio - ratio) < 1e-9
            && r.Row.Draw == draw);

    public void Add(IEnumerable<Row> rows, int most)
    {
        foreach (var row in rows)
        {
            _rows.RemoveAll(r => r.Row.Network == row.Network && r.Row.Preset == row.Preset && Math.Abs(r.Row.Ratio - row.Ratio) < 1e-9
                && r.Row.Draw == row.Draw);
            _rows.Add((row, most));
        }
        var ordered = _rows.OrderBy(r => Array.IndexOf(Task.Names, r.Row.Network)).ThenBy(r => r.Row.Preset)
            .ThenByDescending(r => r.Row.Ratio).ThenBy(r => r.Row.Draw);
        File.WriteAllLines(path, ordered.Select(r => $"{r.Row.ToText()}\t{r.Most}")
            .Prepend("network\tpreset\tratio\tdraw\tscore\terror\tmacs\tseconds\tmegabytes\tmost"));
    }
}

/// <summary>Runs this program again, on one processor.</summary>
internal static class Children
{
    public static IReadOnlyList<Row> Run(string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(Children).Assembly.Location);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        start.Environment["DOTNET_PROCESSOR_COUNT"] = "1";
        using var process = Process.Start(start)!;
        var rows = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Row.Parse).ToList();
        process.WaitForExit();
        return process.ExitCode == 0
            ? rows
            : throw new InvalidOperationException($"'{string.Join(' ', arguments)}' ended with {process.ExitCode}.");
    }
}
