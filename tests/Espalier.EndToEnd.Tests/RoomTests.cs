using System.Text.RegularExpressions;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>The rooms of the product: a folder is a namespace, and what it imports lies below it.</summary>
public sealed partial class RoomTests
{
    /// <summary>From the ground up, project by project. A room may import those before it.</summary>
    private static readonly (string Folder, string[] Rooms)[] Projects =
    [
        ("onnx-rewriter/Espalier.Onnx", ["Limits", "Payloads", "Wire", "Graphs", "Checks", "Files", ""]),
        ("onnx-rewriter/Espalier.Oracle", [""]),
        ("onnx-rewriter/Espalier.Axes", ["Terms", "Sizes", "Graph", "Operators", "Operators.Table", "Operators.Code", "Zeros", "Inference", "Groups", "Costs",
            "", "Measurements", "Roles", "Manifests"]),
        ("onnx-rewriter/Espalier.Pruning", ["Weights", "Algebra", "Plans", "Edits", "Gates", "Scores.Criteria", "Scores", "Depth", "Budgets", "Spreads",
            "Allocators", "Fitting", "Factoring", "Diffs", ""]),
        ("runtime/Espalier.Calibration", ["Graph", "Data", "Inputs", "Checks", "Statistics"]),
    ];

    private const int MostFiles = 13;

    [Fact]
    public void Arrows_only_run_down()
    {
        var rank = Projects.SelectMany(p => p.Rooms.Select(room => Namespace(p.Folder, room))).Select((name, k) => (name, k)).ToDictionary(p => p.name, p => p.k);
        var faults = new List<string>();
        foreach (var (folder, rooms) in Projects)
        {
            string[] files = [.. Directory.GetFiles(Path.Combine(Assets.Root, folder), "*.cs", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Path.Combine(Assets.Root, folder), f).Replace('\\', '/'))
                .Where(f => !f.StartsWith("obj/", StringComparison.Ordinal) && !f.StartsWith("bin/", StringComparison.Ordinal))];
            foreach (var room in files.GroupBy(f => f.Contains('/', StringComparison.Ordinal) ? f[..f.LastIndexOf('/')].Replace('/', '.') : ""))
            {
                string own = Namespace(folder, room.Key);
                if (!rank.ContainsKey(own)) faults.Add($"{own} is no room");
                if (room.Count() > MostFiles) faults.Add($"{own} holds {room.Count()} files");
                foreach (string file in room)
                {
                    string text = File.ReadAllText(Path.Combine(Assets.Root, folder, file));
                    if (!text.Contains($"\nnamespace {own};", StringComparison.Ordinal) && !text.StartsWith($"namespace {own};", StringComparison.Ordinal)) faults.Add($"{file} is not in {own}");
                    foreach (Match import in Import().Matches(text))
                    {
                        string name = import.Groups[1].Length > 0 ? import.Groups[2].Value[..import.Groups[2].Value.LastIndexOf('.')] : import.Groups[2].Value;
                        if (rank.TryGetValue(name, out int at) && at >= rank.GetValueOrDefault(own) && !(name == own && import.Groups[1].Length > 0)) faults.Add($"{own}: {file} imports {name}");
                    }
                }
            }
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));

        static string Namespace(string folder, string room) => folder[(folder.LastIndexOf('/') + 1)..] + (room.Length > 0 ? "." + room : "");
    }

    [GeneratedRegex(@"^using (static )?(Espalier[\w.]*);", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Import();
}
