using Espalier.Onnx;
using Espalier.Onnx.Limits;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Fuzz;

/// <summary>
/// A folder of models of single operators with data, as ONNX has them for its backends (Debian:
/// <c>libonnx-testdata</c>): each is saved as it
/// was; then its inputs become weights, and half of everything exact goes.
/// </summary>
internal static class TestDataCommand
{
    private static readonly string[] Columns =
    [
        "same bytes", "refused, as by ONNX Runtime", "REFUSED", "OTHER BYTES", "slim = masked", "slim = masked, not seen",
            "nothing to remove", "not run by ONNX Runtime", "NO REASON", "DIFFERENT",
    ];

    /// <summary>Endings that must not be.</summary>
    private static readonly string[] Bad = ["REFUSED", "OTHER BYTES", "NO REASON", "DIFFERENT"];

    public static int Run(string folder)
    {
        var table = new SortedDictionary<string, SortedDictionary<string, int>>(StringComparer.Ordinal);
        var lines = new List<string>();
        var reasons = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(folder, "*.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(folder, path);
            var row = Path.GetDirectoryName(Path.GetDirectoryName(name)) ?? "";
            foreach (var (kind, what) in (IEnumerable<(string, string)>)[Saved(path), .. OfWeights.Slimmed(path)])
            {
                var counts = table.TryGetValue(row, out var known) ? known : table[row] = new(StringComparer.Ordinal);
                counts[kind] = counts.GetValueOrDefault(kind) + 1;
                if (kind == "nothing to remove") reasons[what] = reasons.GetValueOrDefault(what) + 1;
                else if (what.Length > 0) lines.Add($"{kind}: {name}: {what.ReplaceLineEndings(" ")}");
            }
        }
        foreach (var line in lines.Order(StringComparer.Ordinal)) Console.WriteLine(line);
        foreach (var (reason, count) in reasons.OrderByDescending(r
            => r.Value)) Console.WriteLine($"nothing to remove, {count} times: {reason}");
        Console.WriteLine($"| folder | {string.Join(" | ", Columns)} |\n|---|{string.Concat(Columns.Select(_ => "---|"))}");
        foreach (var (row, counts) in table)
            Console.WriteLine($"| {row} | {string.Join(" | ", Columns.Select(c => counts.GetValueOrDefault(c)))} |");
        return table.Values.Any(counts => Bad.Any(counts.ContainsKey)) ? 1 : 0;
    }

    /// <summary>Opened and saved.</summary>
    private static (string Kind, string What) Saved(string path)
    {
        string? theirs = null;
        try
        {
            using var session = new InferenceSession(path);
        }
        catch (OnnxRuntimeException e)
        {
            theirs = e.Message;
        }
        try
        {
            using var model = OnnxModel.Open(path);
            return model.ToBytes().AsSpan().SequenceEqual(File.ReadAllBytes(path)) ? ("same bytes", "") : ("OTHER BYTES", "");
        }
        catch (OnnxFormatException e)
        {
            return theirs is null ? ("REFUSED", e.Message) : ("refused, as by ONNX Runtime", $"{e.Message} ONNX Runtime: {theirs}");
        }
    }
}
