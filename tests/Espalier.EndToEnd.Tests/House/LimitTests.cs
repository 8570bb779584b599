using System.Text.RegularExpressions;
using Espalier.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.EndToEnd.Tests.House;

/// <summary>Sizes that keep code and prose readable: of lines, files, methods and lists of parameters.</summary>
public sealed partial class LimitTests
{
    private const int CodeWidth = 140, ProseWidth = 110, FileLines = 400, MethodLines = 60, MostParameters = 6;

    private static readonly string[] Product = ["dsl", "generator", "onnx-rewriter", "runtime"];

    /// <summary>Pages that a program writes.</summary>
    private static readonly string[] Generated = ["onnx-rewriter/GRADIENTS.md",
        "onnx-rewriter/OPERATORS.md", "tests/Espalier.Evaluation/README.md"];

    /// <summary>Tables whose form an analyzer of the compiler prescribes.</summary>
    private const string Releases = "generator/Espalier.Generator/AnalyzerReleases.";

    [Fact]
    public void Code_is_within_its_limits()
    {
        var faults = new List<string>();
        foreach (string file in Files("*.cs", [.. Product, "tests", "examples"]))
        {
            string text = File.ReadAllText(Path.Combine(Assets.Root, file));
            string[] lines = text.ReplaceLineEndings("\n").Split('\n');
            faults.AddRange(lines.Index().Where(l => l.Item.Length > CodeWidth)
                .Select(l => $"{file}:{l.Index + 1} has {l.Item.Length} characters"));
            if (lines.Length > FileLines + 1) faults.Add($"{file} has {lines.Length} lines");
            if (Product.Contains(file.Split('/')[0])) faults.AddRange(Members(text).Select(f => $"{file}:{f}"));
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [Fact]
    public void Prose_is_within_its_limits()
    {
        var faults = new List<string>();
        foreach (string file in Files("*.md", ["."]).Except(Generated)
            .Where(f => !f.StartsWith(Releases, StringComparison.Ordinal)))
        {
            bool code = false;
            foreach (var (number, line) in File.ReadAllLines(Path.Combine(Assets.Root, file)).Index())
            {
                if (Fence().IsMatch(line)) code = !code;
                else if (!code && line.Length > ProseWidth && !line.TrimStart().StartsWith('|') && line.TrimStart().Contains(' '))
                    faults.Add($"{file}:{number + 1} has {line.Length} characters");
            }
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    /// <summary>Methods, constructors and local functions that are too long or take too much.</summary>
    private static IEnumerable<string> Members(string text)
    {
        foreach (var node in CSharpSyntaxTree.ParseText(text).GetRoot().DescendantNodes())
        {
            var (name, parameters) = node switch
            {
                MethodDeclarationSyntax m => (m.Identifier.Text, m.ParameterList),
                ConstructorDeclarationSyntax c => (c.Identifier.Text, c.ParameterList),
                LocalFunctionStatementSyntax l => (l.Identifier.Text, l.ParameterList),
                TypeDeclarationSyntax t => (t.Identifier.Text, t.ParameterList),
                _ => (null, (ParameterListSyntax?)null),
            };
            if (name is null) continue;
            var span = node.GetLocation().GetLineSpan();
            int lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
            if (lines > MethodLines && node is not TypeDeclarationSyntax)
                yield return $"{span.StartLinePosition.Line + 1} {name} has {lines} lines";
            if (parameters?.Parameters.Count > MostParameters)
                yield return $"{span.StartLinePosition.Line + 1} {name} has {parameters.Parameters.Count} parameters";
        }
    }

    private static IEnumerable<string> Files(string pattern, IEnumerable<string> folders) => folders
        .SelectMany(folder => Directory.GetFiles(Path.Combine(Assets.Root, folder), pattern, SearchOption.AllDirectories))
        .Select(path => Path.GetRelativePath(Assets.Root, path).Replace('\\', '/'))
        .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or ".git" or "artifacts" or "TestResults")
            && !path.Contains(".received.", StringComparison.Ordinal) && !path.Contains(".verified.", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^\s*(```|~~~)", RegexOptions.CultureInvariant)]
    private static partial Regex Fence();
}
