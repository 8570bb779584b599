namespace Espalier.Evaluation.Real;

/// <summary>The rows that were measured; the file is written anew with each.</summary>
internal sealed class RealResults
{
    private readonly string _path;
    private readonly List<RealRow> _rows;

    public RealResults(string path)
        => (_path, _rows) = (path, File.Exists(path) ? [.. File.ReadLines(path).Skip(1).Select(RealRow.Parse)] : []);

    public IReadOnlyList<RealRow> Rows => _rows;

    /// <summary>Whether there is such a row; of another version only where it says so.</summary>
    public bool Has(RealKey key, Split split, string? version = null)
        => _rows.Exists(r => r.Key == key && r.Split == split && (version is null || r.Version == version));

    public void Add(RealRow row)
    {
        _rows.RemoveAll(r => r.Key == row.Key && r.Split == row.Split);
        _rows.Add(row);
        var ordered = _rows.OrderBy(r => r.Key.Network, StringComparer.Ordinal).ThenBy(r => r.Key.Preset).ThenByDescending(r => r.Key.Ratio)
            .ThenBy(r => r.Key.Samples).ThenBy(r => r.Key.Draw).ThenBy(r => r.Split);
        File.WriteAllLines(_path, ordered.Select(r => r.ToText()).Prepend(RealRow.Header));
    }
}
