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

    [Theory]
    [InlineData("tiny.onnx")]
    [InlineData("models/tinny.onnx")]
    public async Task The_model_becomes_the_nearest(string path) => await Expect("ESP0002", "Change the model to \"models/tiny.onnx\"",
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }")
            .Replace("models/tiny.onnx", path, StringComparison.Ordinal),
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }"));

    [Theory]
    [InlineData("Prune(Axis.Heads)", "Prune(Axis.Heads, Keep = 0.5)")]
    public async Task What_stays_is_said_at_the_rule(string before, string after) => await Expect("ESP0016", "Add Keep = 0.5",
        Samples.PolicyOf($"[{before}] public static partial Rule R {{ get; }}"),
        Samples.PolicyOf($"[{after}] public static partial Rule R {{ get; }}"));

    [Fact]
    public async Task What_stays_is_said_of_all_ranks() => await Expect("ESP0016", "Add Keep = 0.5",
        Samples.PolicyOf("", "[LowRank]"), Samples.PolicyOf("", "[LowRank(Keep = 0.5)]"));

    [Fact]
    public async Task What_stays_is_said_by_a_budget() => await Expect("ESP0016", "Add [Budget(Macs = 0.5)]",
        Samples.PolicyOf("[Prune(Axis.Neurons)] public static partial Rule R { get; }"),
        Samples.PolicyOf("[Prune(Axis.Neurons)] public static partial Rule R { get; }", "\n[Budget(Macs = 0.5)]"));

    [Theory]
    [InlineData("Budget(Macs = 1.0)", "Budget(Macs = 0.5)", "Macs")]
    [InlineData("Budget(Bytes = 1)", "Budget(Bytes = 0.5)", "Bytes")]
    public async Task A_budget_of_the_whole_is_halved(string before, string after, string name) => await Expect("ESP0018",
        $"Change {name} to 0.5",
        Samples.WholePolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }", $"[{before}]"),
        Samples.WholePolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }", $"[{after}]"));

    [Theory]
    [InlineData("static List<Inputs> Data() => [];", "static IEnumerable<Inputs> Data() => [];")]
    [InlineData("IEnumerable<Inputs> Data() => [];", "static IEnumerable<Inputs> Data() => [];")]
    [InlineData("private Inputs[] Data() => [];", "private static IEnumerable<Inputs> Data() => [];")]
    [InlineData("static IEnumerable<Inputs> Data(int n, string s) => [];", "static IEnumerable<Inputs> Data() => [];")]
    [InlineData("static IEnumerable<Inputs> Data<T>() where T : class => [];", "static IEnumerable<Inputs> Data() => [];")]
    [InlineData("static System.Collections.Generic.IEnumerable<int> Data() => [];",
        "static System.Collections.Generic.IEnumerable<Inputs> Data() => [];")]
    public async Task TheCalibrationMethodGetsItsSignature(string before, string after) => await Expect("ESP0011", "Correct the signature",
        Samples.PolicyOf("[Calibration] " + before), Samples.PolicyOf("[Calibration] " + after));

    private const string Stub = """
        [Calibration(Samples = 256)]
            static IEnumerable<Inputs> Samples()
            {
                // Data like what the program will see, and not what it is tested on.
                yield return new Inputs(
                    InputIds: Next<long>(), // input_ids: int64 [batch, seq]
                    AttentionMask: Next<bool>(), // attention.mask: bool [batch, seq]
                    Pixels: Next<float>()); // pixels: float32 [1, 3, 32, 32]

                static TensorData<T> Next<T>() => throw new System.NotImplementedException();
            }
        """;

    [Fact]
    public async Task Calibration_data_are_added_where_a_rule_needs_them()
    {
        const string rule = "[Prune(Axis.Heads, Keep = 0.5), Score(Criterion.Wanda)]\n    public static partial Rule R { get; }";
        await Expect("ESP0010", "Add calibration data", Samples.PolicyOf(rule), Samples.PolicyOf(rule + "\n\n    " + Stub));
    }

    [Fact]
    public async Task Calibration_data_and_a_guard_are_added_to_a_budget()
    {
        const string rule = "[Prune(Axis.Heads)] public static partial Rule R { get; }";
        await Expect("ESP0017", "Add calibration data and [Guard(Agreement = 0.95)]", Samples.WholePolicyOf(rule, "[Budget(Macs = 0.9)]"),
            Samples.WholePolicyOf(rule + "\n\n    " + Stub, "[Budget(Macs = 0.9)]\n[Guard(Agreement = 0.95)]"));
        await Expect("ESP0017", "Add calibration data", Samples.WholePolicyOf(rule, "[Budget(Macs = 0.9), Guard(Equivalence = true)]"),
            Samples.WholePolicyOf(rule + "\n\n    " + Stub, "[Budget(Macs = 0.9), Guard(Equivalence = true)]"), single: true);
    }

    /// <summary>Names are written as the file allows, a class on one line is opened, and without the model the method is bare.</summary>
    [Fact]
    public async Task Calibration_data_are_added_to_any_class() => await Expect("ESP0017", "Add calibration data",
        "[Espalier.PruningPolicy(\"models/other.onnx\"), Espalier.Budget(Macs = 0.5), Espalier.LowRank] static partial class Slim { }\r\n",
        "[Espalier.PruningPolicy(\"models/other.onnx\"), Espalier.Budget(Macs = 0.5), Espalier.LowRank] static partial class Slim {\r\n"
            + "    [Espalier.Calibration(Samples = 256)]\r\n    static System.Collections.Generic.IEnumerable<Inputs> Samples() => throw "
            + "new System.NotImplementedException();\r\n}\r\n");

    [Theory]
    [InlineData("[Prune(Axis.Neurons, Keep = 0.5)] public static partial Rule Plan { get; } static Rule Other => Plan;",
        "[Prune(Axis.Neurons, Keep = 0.5)] public static partial Rule PlanRule { get; } static Rule Other => PlanRule;", "PlanRule")]
    [InlineData("static int Inputs = 1, OwnInputs;", "static int OwnInputs2 = 1, OwnInputs;", "OwnInputs2")]
    [InlineData("static void Outputs() { }", "static void OwnOutputs() { }", "OwnOutputs")]
    public async Task A_name_that_is_taken_becomes_another(string before, string after, string name)
        => await Expect("ESP0019", $"Rename to {name}", Samples.PolicyOf(before), Samples.PolicyOf(after));

    [Fact]
    public async Task The_tokenizer_becomes_the_nearest() => await Expect("ESP0020", "Change the tokenizer to \"models/vocab.txt\"",
        Samples.PolicyOf("", "[Embeddings(\"vocab.txt\")]"), Samples.PolicyOf("", "[Embeddings(\"models/vocab.txt\")]"));

    /// <summary>All of one kind at once, as <c>dotnet format</c> does it.</summary>
    [Theory]
    [InlineData("ESP0002", "Change the model to \"models/tiny.onnx\"", "models/tiny.onnx", "tiny.onnx")]
    [InlineData("ESP0017", "Add calibration data and [Guard(Agreement = 0.95)]", "", "")]
    [InlineData("ESP0019", "Rename to PlanRule", "Rule R", "Rule Plan")]
    public async Task All_of_a_document_are_mended_at_once(string id, string title, string right, string wrong)
    {
        var one = Samples.WholePolicyOf("[Prune(Axis.Neurons)] public static partial Rule R { get; }", "[Budget(Macs = 0.9)]");
        if (right.Length > 0) one = one.Replace(right, wrong, StringComparison.Ordinal);
        var start = one.IndexOf("[Pruning", StringComparison.Ordinal);
        var (document, diagnostics) = await Diagnosed(one + one[start..].Replace("Slim", "Other", StringComparison.Ordinal), id);
        Assert.Equal(2, diagnostics.Count);
        var provider = new PolicyCodeFixProvider();
        var action = await provider.GetFixAllProvider().GetFixAsync(new FixAllContext(document, provider, FixAllScope.Document, id + title,
            [id], new Given(diagnostics), CancellationToken.None));
        var operation = Assert.IsType<ApplyChangesOperation>(Assert.Single(await action!.GetOperationsAsync(CancellationToken.None)));
        var text = (await operation.ChangedSolution.GetDocument(document.Id)!.GetTextAsync()).ToString();
        Assert.DoesNotContain(await Harness.Diagnose(text, ("/shop/obj/tiny.espalier-manifest", Samples.Manifest)), d => d.Id == id);
    }

    [Fact]
    public async Task What_has_no_remedy_has_no_fix()
    {
        var (_, actions) =
            await Actions(Samples.PolicyOf("[Prune(Axis.Experts, Keep = 0.5)] public static partial Rule R { get; }"), "ESP0003");
        Assert.Empty(actions);
    }

    private static async Task Expect(string id, string title, string before, string after, bool single = false)
    {
        var (document, actions) = await Actions(before, id);
        if (single) Assert.Single(actions);
        var action = Assert.Single(actions, a => a.Title == title);
        var operation = Assert.IsType<ApplyChangesOperation>(Assert.Single(await action.GetOperationsAsync(CancellationToken.None)));
        var text = (await operation.ChangedSolution.GetDocument(document.Id)!.GetTextAsync()).ToString();
        Assert.Equal(after, text);
        // What is written compiles, with no warning of its own.
        if (id is "ESP0010" or "ESP0017" && after.Contains("models/tiny.onnx", StringComparison.Ordinal))
            Harness.Generate(after.Replace("public static", "internal static", StringComparison.Ordinal));
        Assert.DoesNotContain(await Harness.Diagnose(text, ("/shop/obj/tiny.espalier-manifest", Samples.Manifest)), d => d.Id == id);
    }

    private static async Task<(Document Document, List<CodeAction> Actions)> Actions(string source, string id)
    {
        var (document, diagnostics) = await Diagnosed(source, id);
        var actions = new List<CodeAction>();
        await new PolicyCodeFixProvider().RegisterCodeFixesAsync(new CodeFixContext(document, Assert.Single(diagnostics),
            (action, _) => actions.Add(action), CancellationToken.None));
        return (document, actions);
    }

    private static async Task<(Document Document, List<Diagnostic> Diagnostics)> Diagnosed(string source, string id)
    {
        using var workspace = new AdhocWorkspace();
        var project = workspace.AddProject("Shop", LanguageNames.CSharp)
            .WithParseOptions(Harness.ParseOptions)
            .WithCompilationOptions(new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary))
            .WithMetadataReferences(Harness.Compilation(false, "").References);
        Harness.Driver().RunGeneratorsAndUpdateCompilation(Harness.Compilation(false, source), out var output, out _);
        foreach (var tree in output.SyntaxTrees.Skip(1))
            project = project.AddDocument(tree.FilePath, await tree.GetTextAsync()).Project;
        var document = project.AddDocument("Slim.cs", SourceText.From(source));
        var compilation = (await document.Project.GetCompilationAsync())!;
        var diagnostics = await Harness.Diagnose(compilation, ("/shop/obj/tiny.espalier-manifest", Samples.Manifest));
        return (document, [.. diagnostics.Where(d => d.Id == id)]);
    }

    private sealed class Given(IReadOnlyList<Diagnostic> diagnostics) : FixAllContext.DiagnosticProvider
    {
        public override Task<IEnumerable<Diagnostic>> GetAllDiagnosticsAsync(Project project, CancellationToken cancellationToken)
            => Task.FromResult<IEnumerable<Diagnostic>>(diagnostics);

        public override Task<IEnumerable<Diagnostic>> GetDocumentDiagnosticsAsync(Document document, CancellationToken cancellationToken)
            => Task.FromResult<IEnumerable<Diagnostic>>(document.Name == "Slim.cs" ? diagnostics : []);

        public override Task<IEnumerable<Diagnostic>> GetProjectDiagnosticsAsync(Project project, CancellationToken cancellationToken)
            => Task.FromResult<IEnumerable<Diagnostic>>([]);
    }
}
