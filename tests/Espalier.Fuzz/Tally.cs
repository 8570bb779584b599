using System.Globalization;
using System.Text.Json;

namespace Espalier.Fuzz;

/// <summary>How files ended, by what was done to them.</summary>
internal sealed class Tally
{
    /// <summary>Endings of one kind of change.</summary>
    public sealed class Row
    {
        /// <summary>How many ended in each way, in the order of <see cref="Ending"/>.</summary>
        public long[] Endings { get; set; } = new long[5];

        /// <summary>Longest processor time, in milliseconds.</summary>
        public double Longest { get; set; }

        /// <summary>Processor time of all together, in milliseconds.</summary>
        public double Time { get; set; }

        /// <summary>Most bytes held; where they were not measured those allocated, which are more.</summary>
        public long Most { get; set; }

        public void Add(Row other)
        {
            for (int k = 0; k < Endings.Length; k++) Endings[k] += other.Endings[k];
            (Longest, Time, Most) = (Math.Max(Longest, other.Longest), Time + other.Time, Math.Max(Most, other.Most));
        }
    }

    /// <summary>The rows.</summary>
    public SortedDictionary<string, Row> Rows { get; set; } = new(StringComparer.Ordinal);

    /// <summary>How many in all.</summary>
    public long Total => Rows.Values.Sum(r => r.Endings.Sum());

    public void Count(string kind, Passed passed)
    {
        double time = passed.Time.TotalMilliseconds;
        var row = new Row { Longest = time, Time = time, Most = passed.Held };
        row.Endings[(int)passed.Ending]++;
        Add(kind, row);
    }

    public void Add(Tally other)
    {
        foreach (var (kind, row) in other.Rows) Add(kind, row);
    }

    public static Tally Read(string path) => File.Exists(path) ? JsonSerializer.Deserialize<Tally>(File.ReadAllText(path))! : new();

    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this));

    /// <summary>The table.</summary>
    public string Table()
    {
        var all = new Row();
        foreach (var row in Rows.Values) all.Add(row);
        string[] columns =
        [
            "change", "slimmed", "nothing exact to remove", "refused at opening", "refused later", "findings", "longest, ms",
            "most memory, MB",
        ];
        List<string> lines = [$"| {string.Join(" | ", columns)} |", $"|{string.Concat(columns.Select(_ => "---|"))}"];
        foreach (var (kind, row) in Rows.Append(new("all", all)))
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"| {kind} | {string.Join(" | ", row.Endings)} | {row.Longest:0} | {row.Most / 1e6:0.0} |"));
        return string.Join('\n', lines);
    }

    private void Add(string kind, Row row)
    {
        if (!Rows.TryGetValue(kind, out var own)) Rows[kind] = own = new Row();
        own.Add(row);
    }
}
