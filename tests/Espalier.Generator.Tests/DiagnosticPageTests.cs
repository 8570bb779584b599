using System.Text.RegularExpressions;
using Espalier.Axes;
using Espalier.Axes.Manifests;
using Espalier.Onnx;
using Espalier.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.Generator.Tests;

/// <summary>The examples of the diagnostics' pages, on the model that they name: wrong ones are, right ones are not.</summary>
public sealed partial class DiagnosticPageTests
{
    /// <summary>What a page takes for given, and the policy round an example that is only members.</summary>
    private const string Given = """
        using System;
        using System.Collections.Generic;
        using System.Linq;
        using Espalier;
        using static Given;

        internal static class Given
        {
            public static IEnumerable<(TensorData<long> Ids, TensorData<long> Mask)> Verses => [];
        }

        """;

    /// <summary>What is said of a policy as a whole: examples of single rules say nothing of it.</summary>
    private static readonly string[] OfTheWhole = ["ESP0017", "ESP0018"];

    private static readonly Lazy<(string, string)> Bert = new(() =>
    {
        using var model = OnnxModel.Open(Assets.Path("bert.onnx"));
        return ("/shop/obj/bert.espalier-manifest", ManifestWriter.Write(AxisAnalysis.Run(model), "models/bert.onnx"));
    });

    public static TheoryData<string> Pages => [.. Directory.GetFiles(Path.Combine(Assets.Root, "docs", "diagnostics"), "ESP*.md")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal).Except(["ESP0013"])]; // XML of a project

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task What_is_called_wrong_is_and_what_is_called_right_is_not(string id)
    {
        string page = File.ReadAllText(Path.Combine(Assets.Root, "docs", "diagnostics", id + ".md")).ReplaceLineEndings("\n");
        string[] examples = [.. Example().Matches(page).Select(m => m.Groups[1].Value)];
        Assert.Equal(["Wrong", "Right"], examples);
        string[] sources = [.. Example().Matches(page).Select(m => Source(id, m.Groups[2].Value))];
        var wrong = await Harness.Diagnose(sources[0], Bert.Value);
        Assert.Equal([id], wrong.Select(d => d.Id).Distinct());
        var right = await Harness.Diagnose(sources[1], Bert.Value);
        Assert.Empty(right);
        // With what is generated it is C#, so that no name is there that a reader would look for in vain.
        Harness.Driver(Bert.Value).RunGeneratorsAndUpdateCompilation(Harness.Compilation(true, sources[1]), out var output, out _);
        Assert.Empty(output.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error));
    }

    private static string Source(string id, string text)
    {
        string disabled = $"#pragma warning disable {string.Join(", ", OfTheWhole.Where(w => w != id))}\n";
        bool isWhole = SyntaxFactory.ParseCompilationUnit(text).Members is [ClassDeclarationSyntax];
        return disabled + Given + (isWhole
            ? text
            : $"[PruningPolicy(\"models/bert.onnx\")]\npublic static partial class SlimBert\n{{\n{text}\n}}\n");
    }

    [GeneratedRegex(@"^(Wrong|Right):\n\n```csharp\n(.*?)^```",
        RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Example();
}
