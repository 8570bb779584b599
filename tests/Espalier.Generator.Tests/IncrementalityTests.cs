using System.Collections;
using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Espalier.Generator.Tests;

/// <summary>The generator is incremental in the strict sense: an edit that changes no policy and no manifest costs nothing.</summary>
public class IncrementalityTests
{
    private const string Unrelated = "namespace Shop; internal static class Other { internal static int One => 1; }";

    [Fact]
    public void Every_step_is_tracked()
    {
        var build = Harness.Driver(("/shop/obj/tiny.espalier-manifest", Samples.Manifest), Harness.Marker)
            .RunGenerators(Harness.Compilation(true, Samples.Policy));
        var names = Harness.Steps(build.GetRunResult()).Select(s => s.Name).Distinct(StringComparer.Ordinal);
        Assert.Equal(typeof(TrackingNames).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(f => (string)f.GetRawConstantValue()!).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_second_run_over_the_same_input_is_cached()
    {
        var result = First(out var compilation).RunGenerators(compilation).GetRunResult();
        Assert.All(Harness.Steps(result), s => Assert.Equal((s.Name, IncrementalStepRunReason.Cached), (s.Name, s.Reason)));
        Harness.AssertCached(result);
    }

    [Fact]
    public void A_keystroke_in_another_file_costs_nothing()
    {
        var driver = First(out var compilation);
        var other = compilation.SyntaxTrees[1];
        var edited = compilation.ReplaceSyntaxTree(other,
            Harness.Parse(Unrelated.Replace("=> 1", "=> 12", StringComparison.Ordinal), other.FilePath));
        Harness.AssertCached(driver.RunGenerators(edited).GetRunResult());
        var added = compilation.AddSyntaxTrees(Harness.Parse("class Added;", "/shop/Added.cs"));
        Harness.AssertCached(driver.RunGenerators(added).GetRunResult());
    }

    [Fact]
    public void Another_additional_file_costs_nothing()
    {
        var driver = First(out var compilation);
        Harness.AssertCached(driver.AddAdditionalTexts([new Harness.Text("/shop/notes.txt", "espalier-manifest\t2")])
            .RunGenerators(compilation).GetRunResult());
    }

    [Fact]
    public void An_edit_in_a_body_of_the_policy_leaves_its_source_alone()
    {
        var result = Edit(Samples.Policy.Replace("Verses() => [];", "Verses() { yield break; }", StringComparison.Ordinal));
        Harness.AssertCached(result);
    }

    [Fact]
    public void Lines_above_a_policy_change_its_places_only()
    {
        var result = Edit("// A comment.\n" + Samples.Policy);
        var steps = Harness.Steps(result);
        Assert.All(steps.Where(s => s.Name is not (TrackingNames.Attributed or TrackingNames.Locations)),
            s => Assert.True(s.Reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"{s.Name}: {s.Reason}"));
        Assert.Equal(IncrementalStepRunReason.Modified, Assert.Single(steps, s => s.Name == TrackingNames.Locations).Reason);
    }

    [Fact]
    public void What_a_build_reports_changes_no_step_of_the_sources()
    {
        var first = Harness.Compilation(true, Samples.Policy, Unrelated);
        var driver = Harness.Driver(("/shop/obj/tiny.espalier-manifest", Samples.Manifest), Harness.Marker).RunGenerators(first);
        var tree = first.SyntaxTrees[0];
        var result = driver.RunGenerators(first.ReplaceSyntaxTree(tree, Harness.Parse("// A comment.\n" + Samples.Policy, tree.FilePath)))
            .GetRunResult();
        var changed = Harness.Steps(result)
            .Where(s => s.Reason is not (IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged)).Select(s => s.Name);
        Assert.Equal([TrackingNames.Attributed, TrackingNames.Locations, TrackingNames.Reported], changed);
    }

    [Fact]
    public void A_rule_that_changes_is_emitted_again()
    {
        var result = Edit(Samples.Policy.Replace("MinKeep = 2", "MinKeep = 3", StringComparison.Ordinal));
        var steps = Harness.Steps(result).ToLookup(s => s.Name, s => s.Reason, StringComparer.Ordinal);
        Assert.Equal([IncrementalStepRunReason.Modified], steps[TrackingNames.Policy]);
        Assert.Equal([IncrementalStepRunReason.Modified], steps[TrackingNames.Resolved]);
        Assert.Equal([IncrementalStepRunReason.Cached], steps[TrackingNames.Manifest]);
        Assert.Equal([IncrementalStepRunReason.Cached], steps[TrackingNames.Locations]);
    }

    [Fact]
    public void A_rule_in_another_part_of_the_policy_is_seen()
    {
        const string Part = "using Espalier; namespace Shop; public static partial class SlimTiny { [Prune(Axis.HeadDims, Keep = 0.5)] "
            + "internal static partial Rule More { get; } }";
        var driver = First(out var compilation);
        var added = compilation.AddSyntaxTrees(Harness.Parse(Part, "/shop/Part.cs"));
        driver = driver.RunGenerators(added);
        Assert.Contains("Rule More", driver.GetRunResult().GeneratedTrees.Select(t => t.ToString()).First(), StringComparison.Ordinal);
        // And an edit of it, though the file with the policy's attribute stays as it is.
        var edited = added.ReplaceSyntaxTree(added.SyntaxTrees[^1],
            Harness.Parse(Part.Replace("0.5", "0.25", StringComparison.Ordinal), "/shop/Part.cs"));
        var steps = Harness.Steps(driver.RunGenerators(edited).GetRunResult()).ToLookup(s => s.Name, s => s.Reason, StringComparer.Ordinal);
        Assert.Equal([IncrementalStepRunReason.Modified], steps[TrackingNames.Policy]);
    }

    [Fact]
    public void A_manifest_of_another_model_stops_at_the_policy()
    {
        var again = First(out var compilation)
            .AddAdditionalTexts([new Harness.Text("/shop/obj/other.espalier-manifest",
                Samples.Manifest.Replace("models/tiny.onnx", "models/other.onnx", StringComparison.Ordinal))])
            .RunGenerators(compilation).GetRunResult();
        var steps = Harness.Steps(again).ToLookup(s => s.Name, s => s.Reason, StringComparer.Ordinal);
        Assert.Equal([IncrementalStepRunReason.Modified], steps[TrackingNames.Manifests]);
        Assert.Equal([IncrementalStepRunReason.Unchanged], steps[TrackingNames.Input]);
        Assert.Equal([IncrementalStepRunReason.Cached], steps[TrackingNames.Resolved]);
    }

    [Theory]
    [InlineData("", "", IncrementalStepRunReason.Unchanged, IncrementalStepRunReason.Cached)]
    [InlineData("neurons\t256", "neurons\t320", IncrementalStepRunReason.Modified, IncrementalStepRunReason.Modified)]
    public void A_manifest_that_is_written_again_is_parsed_and_only_a_difference_goes_on(string from, string to,
        IncrementalStepRunReason manifest, IncrementalStepRunReason resolved)
    {
        var compilation = Harness.Compilation(true, Samples.Policy, Unrelated);
        var old = new Harness.Text("/shop/obj/tiny.espalier-manifest", Samples.Manifest);
        var text = from.Length == 0 ? Samples.Manifest : Samples.Manifest.Replace(from, to, StringComparison.Ordinal);
        var again = Harness.Driver(old).RunGenerators(compilation).ReplaceAdditionalText(old, new Harness.Text(old.Path, text))
            .RunGenerators(compilation).GetRunResult();
        var steps = Harness.Steps(again).ToLookup(s => s.Name, s => s.Reason, StringComparer.Ordinal);
        Assert.Equal([manifest], steps[TrackingNames.Manifest]);
        Assert.Equal([resolved], steps[TrackingNames.Resolved]);
    }

    [Fact]
    public void Equal_sources_give_equal_models()
    {
        var one = Values(Samples.Policy);
        var two = Values(Samples.Policy.Replace("MinKeep = 2", "MinKeep=1+1", StringComparison.Ordinal)
            .Replace("Axis.Heads", "Espalier.Axis.Heads", StringComparison.Ordinal));
        Assert.Equal(one, two);
        Assert.Equal(one.Select(v => v.GetHashCode()), two.Select(v => v.GetHashCode()));
    }

    [Theory]
    [InlineData("MinKeep = 2", "MinKeep = 3")]
    [InlineData("RoundTo = 16", "RoundTo = 8")]
    [InlineData("Macs = 0.6", "Macs = 0.7")]
    [InlineData("Agreement = 0.98", "Agreement = 0.9")]
    [InlineData("Criterion.Variance", "Criterion.Wanda")]
    [InlineData("Criterion.Variance", "Criterion.Variance, Aggregate = Aggregate.Max")]
    [InlineData("Criterion.Variance", "Criterion.Variance, ScoreFile = \"s.json\"")]
    [InlineData("Compensation.LeastSquares", "Compensation.Bias")]
    [InlineData("\"stem*\"", "\"conv*\"")]
    [InlineData("Samples = 64", "Samples = 65")]
    [InlineData("Seed = 7", "Seed = 8")]
    [InlineData("Keep = 0.5", "Keep = 0.75")]
    public void Different_sources_give_different_models(string from, string to)
        => Assert.NotEqual(Values(Samples.Policy), Values(Samples.Policy.Replace(from, to, StringComparison.Ordinal)));

    [Fact]
    public void Models_hold_no_symbols_syntax_or_compilation()
    {
        var visited = new HashSet<object>(ReferenceEqualityComparer.Instance);
        foreach (var (name, value, _) in Harness.Steps(First(out _).GetRunResult())) Walk(value, name, visited);
        Assert.True(visited.Count > 50);
    }

    private static GeneratorDriver First(out CSharpCompilation compilation)
    {
        compilation = Harness.Compilation(true, Samples.Policy, Unrelated);
        return Harness.Driver().RunGenerators(compilation);
    }

    private static GeneratorDriverRunResult Edit(string policy)
    {
        var driver = First(out var compilation);
        var tree = compilation.SyntaxTrees[0];
        return driver.RunGenerators(compilation.ReplaceSyntaxTree(tree, Harness.Parse(policy, tree.FilePath))).GetRunResult();
    }

    private static List<object> Values(string policy)
        => [.. Harness.Steps(Harness.Driver().RunGenerators(Harness.Compilation(true, policy)).GetRunResult())
            .Where(s => s.Name is TrackingNames.Policy or TrackingNames.Resolved).Select(s => s.Value)];

    private static void Walk(object? node, string path, HashSet<object> visited)
    {
        if (node is null || !visited.Add(node)) return;
        Assert.False(node is Compilation or ISymbol or SyntaxNode or SyntaxTree or SemanticModel or Location or AttributeData
            or AdditionalText, $"{path} holds {node.GetType()}");
        var type = node.GetType();
        if (type.IsPrimitive || type.IsEnum || node is string) return;
        if (node is IEnumerable items)
        {
            foreach (var item in items) Walk(item, path + "[]", visited);
            return;
        }
        for (var t = type; t is not null && t != typeof(object); t = t.BaseType!)
            foreach (var field in t.GetFields(
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                Walk(field.GetValue(node), $"{path}.{field.Name}", visited);
    }
}
