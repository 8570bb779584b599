using Espalier.CodeFixes;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace Espalier.Generator.Tests;

/// <summary>Code fixes change what the diagnostic is about, nothing else, and the diagnostic is gone then.</summary>
public class CodeFixTests
{
    [Theory]
    [InlineData("public class Slim", "public static partial class Slim")]
    [InlineData("public static class Slim", "public static partial class Slim")]
    [InlineData("internal partial class Slim", "internal static partial class Slim")]
    [InlineData("partial class Slim", "static partial class Slim")]
    [InlineData("class Slim", "static partial class Slim")]
    public async Task ThePolicyBecomesStaticPartial(string before, string after)
    {
        const string Head = "using Espalier;\n\n/// <summary>Doc.</summary>\n[PruningPolicy(\"models/tiny.onnx\")]\n";
        await Expect("ESP0001", "Make the policy static partial", $"{Head}{before}\n{{\n}}\n", $"{Head}{after}\n{{\n}}\n");
    }

    [Fact]
    public async Task Its_containers_become_partial() => await Expect("ESP0001", "Make the policy static partial",
        "using Espalier;\n// Here.\nclass Outer { [PruningPolicy(\"models/tiny.onnx\")] static class Slim { } }",
        "using Espalier;\n// Here.\npartial class Outer { [PruningPolicy(\"models/tiny.onnx\")] static partial class Slim { } }");

    [Theory]
    [InlineData("public Rule R { get; }", "public static partial Rule R { get; }")]
    [InlineData("public static Rule R { get; }", "public static partial Rule R { get; }")]
    [InlineData("Rule R { get; }", "static partial Rule R { get; }")]
    public async Task TheRuleBecomesStaticPartial(string before, string after) => await Expect("ESP0014", "Make the rule static partial",
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)]\n    " + before),
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)]\n    " + after));

    [Theory]
    [InlineData("Prune(Axis.Heads, \"encodr.*\", Keep = 0.5)", "Prune(Axis.Heads, \"encoder.*\", Keep = 0.5)", "encoder.*")]
    [InlineData("Prune(Axis.Heads, pattern: \"encoder.?.haeds\", Keep = 0.5)",
        "Prune(Axis.Heads, pattern: \"encoder.?.heads\", Keep = 0.5)", "encoder.?.heads")]
    [InlineData("Drop(Axis.Blocks, \"encoder.O\")", "Drop(Axis.Blocks, \"encoder.0\")", "encoder.0")]
    public async Task The_pattern_becomes_the_nearest(string before, string after, string pattern)
    {
        await Expect("ESP0003", $"Change the pattern to \"{pattern}\"",
            Samples.PolicyOf($"[{before}] public static partial Rule R {{ get; }}"),
            Samples.PolicyOf($"[{after}] public static partial Rule R {{ get; }}"));
    }

    [Theory]
    [InlineData("Prune(Axis.Width, Keep = 0.5)", "Prune(Axis.Width, Keep = 0.5, AllowInexact = true)")]
    [InlineData("Prune(Axis.Width, Keep = 0.5, AllowInexact = false)", "Prune(Axis.Width, Keep = 0.5, AllowInexact = true)")]
    public async Task An_inexact_group_is_allowed(string before, string after) => await Expect("ESP0008", "Allow inexact pruning",
        Samples.PolicyOf($"[{before}] public static partial Rule R {{ get; }}"),
        Samples.PolicyOf($"[{after}] public static partial Rule R {{ get; }}"));

    [Fact]
    public async Task What_has_no_remedy_has_no_fix()
    {
        var (_, actions) =
            await Actions(Samples.PolicyOf("[Prune(Axis.Experts, Keep = 0.5)] public static partial Rule R { get; }"), "ESP0003");
        Assert.Empty(actions);
    }

    private static async Task Expect(string id, string title, string before, string after)
    {
        var (document, actions) = await Actions(before, id);
        var action = Assert.Single(actions);
        Assert.Equal(title, action.Title);
        var operation = Assert.IsType<ApplyChangesOperation>(Assert.Single(await action.GetOperationsAsync(CancellationToken.None)));
        var text = (await operation.ChangedSolution.GetDocument(document.Id)!.GetTextAsync()).ToString();
        Assert.Equal(after, text);
        Assert.DoesNotContain(await Harness.Diagnose(text, ("/shop/obj/tiny.espalier-manifest", Samples.Manifest)), d => d.Id == id);
    }

    private static async Task<(Document Document, List<CodeAction> Actions)> Actions(string source, string id)
    {
        using var workspace = new AdhocWorkspace();
        var project = workspace.AddProject("Shop", LanguageNames.CSharp)
            .WithParseOptions(Harness.ParseOptions)
            .WithCompilationOptions(new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary))
            .WithMetadataReferences(Harness.Compilation(false, "").References);
        var document = project.AddDocument("Slim.cs", SourceText.From(source));
        var compilation = (await document.Project.GetCompilationAsync())!;
        var diagnostic =
            Assert.Single(await Harness.Diagnose(compilation, ("/shop/obj/tiny.espalier-manifest", Samples.Manifest)), d => d.Id == id);
        var actions = new List<CodeAction>();
        await new PolicyCodeFixProvider().RegisterCodeFixesAsync(new CodeFixContext(document, diagnostic,
            (action, _) => actions.Add(action), CancellationToken.None));
        return (document, actions);
    }
}
