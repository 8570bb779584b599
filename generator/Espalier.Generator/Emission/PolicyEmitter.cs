using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Emission;

/// <summary>
/// Turns a resolved policy into C#: the other part of the policy class. Split by what is written: this file has the frame and
/// the rule properties.
/// </summary>
internal sealed partial class PolicyEmitter
{
    private readonly ResolvedPolicy _resolved;
    private readonly bool _runtime;
    private readonly SourceWriter _writer = new();
    private readonly List<string> _groupNames;
    private readonly List<string> _blockNames;

    private PolicyEmitter(ResolvedPolicy resolved, bool runtime)
    {
        (_resolved, _runtime) = (resolved, runtime);
        _groupNames = Names.Unique(resolved.Groups.Select(g => g.Name), "Groups");
        // Sublayers and blocks apart: a residual block of one region is both, under one name.
        var sublayers = new Queue<string>(Names.Unique(resolved.Blocks.Where(b => b.IsSublayer).Select(b => b.Name), "Sublayers"));
        var blocks = new Queue<string>(Names.Unique(resolved.Blocks.Where(b => !b.IsSublayer).Select(b => b.Name), "Blocks"));
        _blockNames = [.. resolved.Blocks.Select(b => (b.IsSublayer ? sublayers : blocks).Dequeue())];
    }

    private PolicyModel Policy => _resolved.Policy;

    /// <summary>The source file of a policy; with <c>Open</c> where the project references Espalier.Runtime.</summary>
    public static string Emit(ResolvedPolicy resolved, bool runtime) => new PolicyEmitter(resolved, runtime).Emit();

    /// <summary>The source file with the places where a policy's rules are written: the only output that depends on positions.</summary>
    public static string EmitLocations(PolicyLocations locations)
    {
        var json = new JsonText();
        json.Object(() =>
        {
            foreach (var entry in locations.Entries) json.Property(entry.Member, entry.Location);
        });
        var writer = new SourceWriter();
        PolicyFrame.Header(writer);
        writer.Line("[assembly: "
            + $"global::System.Reflection.AssemblyMetadataAttribute({Names.Literal("Espalier.Locations:" + locations.Policy)}, "
            + $"{Names.Literal(json.ToString())})]");
        return writer.ToString();
    }

    private string Emit()
    {
        PolicyFrame.Header(_writer);
        if (_resolved.HasModel)
        {
            // The build reads the plan from the compiled assembly's metadata, without running it.
            _writer.Line("[assembly: "
                + $"global::System.Reflection.AssemblyMetadataAttribute({Names.Literal("Espalier.Plan:" + Policy.FullName)}, "
                + $"{Names.Literal(PlanJsonWriter.Write(_resolved))})]");
            _writer.Line();
        }
        PolicyFrame.Open(_writer, Policy);
        Rules();
        if (Emits(GeneratedMembers.Plan)) Plan();
        if (_resolved.HasModel) Signature();
        PolicyFrame.Close(_writer, Policy);
        return _writer.ToString();
    }

    /// <summary>Whether a member is written: the model is known, and the user's part has nothing of that name.</summary>
    private bool Emits(string member) => _resolved.HasModel && !Policy.Colliding.Contains(member);

    private void Rules()
    {
        foreach (var rule in _resolved.Rules)
        {
            if (rule.Rule.Problem.Length > 0) continue;
            if (!rule.Rule.HasDocumentation) _writer.Summary(Describe(rule));
            var accessibility = rule.Rule.Accessibility;
            _writer.Line($"{accessibility} static partial global::Espalier.Rule {Names.Escape(rule.Rule.Name)}");
            _writer.Open();
            // Without the plan the property still compiles, so that the missing model, or the name that is taken, is the only error.
            _writer.Line(Emits(GeneratedMembers.Plan)
                ? $"get => Plan.Rules.{RuleName(rule)};"
                : $"get => new global::Espalier.Rule({Names.Literal(rule.Rule.Name)}, global::Espalier.Axis.{AxisOf(rule.Rule)}, "
                    + "[], [], 0);");
            _writer.Close();
            _writer.Line();
        }
    }

    // What names no axis is an error elsewhere; the code that is generated still compiles.
    private static Axis AxisOf(RuleModel rule) => AxisRow.Find(rule.Axis)?.Axis ?? Axis.Channels;

    private string RuleName(RuleTargets rule)
    {
        var valid = _resolved.Rules.Where(r => r.Rule.Problem.Length == 0).ToList();
        return Names.Unique(valid.Select(r => r.Rule.Name), "Rules")[valid.IndexOf(rule)];
    }

    private string Describe(RuleTargets rule)
    {
        if (rule.Rule.Drop is { } drop)
        {
            var of = rule.Blocks.Count > drop.AtMost ? FormattableString.Invariant($" of {rule.Blocks.Count}") : "";
            return FormattableString.Invariant($"Removes {drop.AtMost}{of} {PolicyChecks.Plural(drop.Axis)}, ")
                + "the ones that the scores choose when the model is slimmed.";
        }
        long before = rule.Groups.Sum(g => (long)_resolved.Groups[g].Before);
        var (least, most) = (rule.Groups.Sum(g => (long)_resolved.Groups[g].MinAfter),
            rule.Groups.Sum(g => (long)_resolved.Groups[g].MaxAfter));
        var text = FormattableString.Invariant($"{rule.Groups.Count} {(rule.Groups.Count == 1 ? "group" : "groups")} of ")
            + FormattableString.Invariant($"{PolicyChecks.Plural(rule.Rule.Axis)}: {before} → {Names.Range(least, most)} units");
        return text + (least == most ? "." : "; the scores decide when the model is slimmed.");
    }
}
