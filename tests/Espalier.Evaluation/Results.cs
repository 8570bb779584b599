namespace Espalier.Evaluation;

/// <summary>All rows, in a file that a stopped run goes on from: deleting rows makes them be measured again.</summary>
internal sealed class Results(string path)
{
    private readonly List<Row> _rows = [.. (File.Exists(path) ? File.ReadLines(path).Skip(1) : []).Select(Row.Parse)];

    /// <summary>Those on one of the held-out sets.</summary>
    public RowSet Of(Split split) => new([.. _rows.Where(r => r.Split == split)]);

    /// <summary>Whether it was measured on as many items; by another version only where it says so.</summary>
    public bool Has(Row row, string? version = null)
        => _rows.Exists(r => r.IsSame(row) && r.Most == row.Most && (version is null || r.Version == version));

    public void Add(IEnumerable<Row> rows)
    {
        foreach (var row in rows)
        {
            _rows.RemoveAll(r => r.IsSame(row));
            _rows.Add(row);
        }
        var ordered = _rows.OrderBy(r => Array.IndexOf(Task.Names, r.Network)).ThenBy(r => r.Preset).ThenByDescending(r => r.Ratio)
            .ThenBy(r => r.Draw).ThenByDescending(r => r.Split);
        File.WriteAllLines(path, ordered.Select(r => r.ToText()).Prepend(Row.Header));
    }
}

/// <summary>Rows on one of the held-out sets.</summary>
internal sealed record RowSet(IReadOnlyList<Row> Rows)
{
    /// <summary>Most held-out items that the rows were measured on.</summary>
    public int Most => Rows.Count == 0 ? 0 : Rows.Max(r => r.Most);

    /// <summary>The measure of the dense network.</summary>
    public double Dense(string network) => Rows.FirstOrDefault(r => r.Network == network && r.Ratio == 1)?.Score ?? double.NaN;
}
