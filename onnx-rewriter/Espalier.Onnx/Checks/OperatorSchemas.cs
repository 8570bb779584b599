using System.Collections.Concurrent;

namespace Espalier.Onnx.Checks;

/// <summary>
/// The operators that ONNX Runtime 1.31 knows, by domain, name and operator set. An operator that is not here is none of our business:
/// it may come from a library of custom operators, or from a later operator set.
/// </summary>
internal static class OperatorSchemas
{
    private static readonly Dictionary<string, Lazy<Table>> Tables = new(StringComparer.Ordinal)
    {
        [""] = new(() => new("ai.onnx", 26)),
        ["ai.onnx.ml"] = new(() => new("ai.onnx.ml", 5)),
        ["com.microsoft"] = new(() => new("com.microsoft", 1)),
    };

    /// <summary>The domain under one name: <c>ai.onnx</c> is the default domain's long one.</summary>
    public static string Domain(string domain) => domain == "ai.onnx" ? "" : domain;

    /// <summary>The domains that have a table.</summary>
    public static IEnumerable<string> Domains => Tables.Keys;

    /// <summary>The newest operator set of the domain whose operators are all here; null for a domain without a table.</summary>
    public static int? Newest(string domain) => Tables.TryGetValue(Domain(domain), out var table) ? table.Value.Newest : null;

    /// <summary>What the operator must look like in this operator set; null where that is not known.</summary>
    public static OperatorSchema? Find(string domain, string name, long set)
        => Tables.TryGetValue(Domain(domain), out var table) ? table.Value.Find(name, set) : null;

    /// <summary>All schemas of the domain, with the names of their operators.</summary>
    public static IEnumerable<(string Name, OperatorSchema Schema)> InDomain(string domain) => Tables[Domain(domain)].Value.All();

    private sealed class Table
    {
        private readonly Dictionary<string, List<string>> _lines = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, OperatorSchema[]> _schemas = new(StringComparer.Ordinal);

        public Table(string file, int newest)
        {
            Newest = newest;
            using var stream = typeof(OperatorSchemas).Assembly.GetManifestResourceStream(file + ".tsv")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                if (line.StartsWith('#'))
                {
                    continue;
                }
                var name = line[..line.IndexOf('\t', StringComparison.Ordinal)];
                (_lines.TryGetValue(name, out var lines) ? lines : _lines[name] = []).Add(line);
            }
        }

        public int Newest { get; }

        public OperatorSchema? Find(string name, long set)
        {
            if (set > Newest || !_lines.ContainsKey(name))
            {
                return null;
            }
            return Array.FindLast(Schemas(name), s => s.Since <= set);
        }

        public IEnumerable<(string, OperatorSchema)> All()
            => _lines.Keys.Order(StringComparer.Ordinal).SelectMany(name => Schemas(name).Select(s => (name, s)));

        private OperatorSchema[] Schemas(string name) => _schemas.GetOrAdd(name, n => [.. _lines[n].Select(OperatorSchema.Parse)]);
    }
}
