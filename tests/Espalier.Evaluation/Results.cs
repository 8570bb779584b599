using System.Globalization;

namespace Espalier.Evaluation;

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
