using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.House;

/// <summary>The rooms of the product: a folder is a namespace, and what it imports lies below it.</summary>
public sealed partial class RoomTests
{
    /// <summary>From the ground up, project by project. A room may import those before it.</summary>
    private static readonly (string Folder, string Rooms)[] Projects =
    [
        (Dsl, "Planning ."),
        ("onnx-rewriter/Espalier.Onnx", "Limits Payloads Wire Graphs Checks Files ."),
        ("onnx-rewriter/Espalier.Oracle", "."),
        ("onnx-rewriter/Espalier.Axes",
            "Terms Sizes Graph Operators Operators.Notation Operators.Table Operators.Code Zeros Inference Groups Naming Costs . "
            + "Measurements Roles Manifests"),
        ("onnx-rewriter/Espalier.Gradients",
            "Notation Writing Rules Rules.Positions Rules.Sampling Rules.Sequences Rules.Statistics Fused ."),
        ("onnx-rewriter/Espalier.Pruning",
            "Weights Moments Algebra Plans Edits Bases Gates Scores.Sources Scores.Criteria Scores Depth Budgets Spreads Allocators "
                + "Fitting Factoring Diffs ."),
        ("runtime/Espalier.Calibration",
            "Windows Graph Arrays Data Inputs Checks Trimming Timing Sums Results Stages Statistics Gradients"),
        ("onnx-rewriter/Espalier.Cli", "Host Steps Inspections Pages Services Building Options Commands ."),
        ("generator/Espalier.Generator", "Collections Policies Manifests Planning Diagnostics Emission ."),
        ("generator/Espalier.CodeFixes", "."),
    ];

    private const string Dsl = "dsl/Espalier";

    private const int MostFiles = 13;

    [Fact]
    public void Arrows_only_run_down()
    {
        var places = Projects.SelectMany(p => p.Rooms.Split(' ').Select(room => Namespace(p.Folder, room))).ToList();
        var faults = new List<string>();
        foreach (string folder in Projects.Select(p => p.Folder))
        {
            var rooms = Files(Path.Combine(Assets.Root, folder)).GroupBy(file => Namespace(folder, RoomOf(file)))
                .ToDictionary(r => r.Key, r => r.ToList());
            foreach (var (own, files) in rooms)
            {
                if (!places.Contains(own)) faults.Add($"{own} is no room");
                faults.AddRange(files.GroupBy(RoomOf).Where(room => room.Count() > MostFiles)
                    .Select(room => $"{own} holds {room.Count()} files"));
                bool IsAbove(string room) => places.IndexOf(room) > places.IndexOf(own);
                // Types of the rooms that it lies in are seen without an import.
                var seen = rooms.Where(r => own.StartsWith(r.Key + ".", StringComparison.Ordinal) && IsAbove(r.Key))
                    .SelectMany(r => r.Value).Select(file => Path.GetFileName(file).Split('.')[0]).ToHashSet();
                foreach (string file in files)
                {
                    string text = File.ReadAllText(Path.Combine(Assets.Root, folder, file));
                    if (file != "Program.cs" && StatedIn().Match(text).Groups[1].Value != own) faults.Add($"{file} is not in {own}");
                    faults.AddRange(Import().Matches(text).Select(m => m.Groups[1].Value)
                        .Where(name => places.IndexOf(name) >= places.IndexOf(own)).Select(name => $"{file} imports {name}"));
                    faults.AddRange(Word().Matches(text).Select(m => m.Value).Where(seen.Contains).Distinct()
                        .Select(name => $"{file} names {name}"));
                }
            }
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    // Who writes a policy imports one namespace.
    private static string Namespace(string folder, string room) => (folder, room) is (Dsl, "Vocabulary")
        ? "Espalier"
        : folder[(folder.LastIndexOf('/') + 1)..] + (room is "." or "" ? "" : "." + room);

    private static IEnumerable<string> Files(string folder) => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(folder, f)).Where(f => f.Split('/', '\\')[0] is not ("obj" or "bin"));

    private static string RoomOf(string file) => Path.GetDirectoryName(file)!.Replace('/', '.').Replace('\\', '.');

    // Not in comments and texts, and no method that is called.
    [GeneratedRegex(@"(?<=^(?:(?!//)[^""\n])*)\b[A-Z]\w*\b(?!(?<!new \w+)\()", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Word();

    [GeneratedRegex(@"^namespace ([\w.]*);", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex StatedIn();

    [GeneratedRegex(@"^using (Espalier[\w.]*);", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Import();
}
