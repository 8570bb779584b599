using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Cli.Host;
using Espalier.Planning;

namespace Espalier.Cli.Inspections;

/// <summary>What <c>why</c> prints.</summary>
internal static class Explanation
{
    private const int MostMembers = 12;
    private const int MostNear = 3;

    /// <summary>Explains all axes of a tensor, or one.</summary>
    /// <param name="what">Name or alias of a tensor, the same with <c>:axis</c>, or name of a group.</param>
    /// <exception cref="UsageException">There is no such tensor or axis.</exception>
    public static void Write(TextWriter output, AxisAnalysis analysis, string what)
    {
        if (Find(analysis, what) is null && analysis.Groups.FirstOrDefault(g => g.Name == what) is { Occurrences: [var first, ..] } named)
        {
            output.WriteLine(FormattableString.Invariant($"{Place(analysis, first.Tensor, first.Axis)} = {first.Term}"));
            Write(output, analysis, first.Tensor, named);
            return;
        }
        var (tensor, axis) = Parse(analysis, what);
        var terms = analysis.TermsOf(tensor);
        if (terms is null)
        {
            output.WriteLine($"{tensor}: its rank is unknown, so nothing on it can be pruned. An operator before it has no rule, or its "
                + "shape depends on data.");
            return;
        }
        if (axis >= terms.Count)
            throw new UsageException(FormattableString.Invariant($"'{tensor}' has {terms.Count} axes; there is no axis {axis}."));
        for (var i = 0; i < terms.Count; i++)
        {
            if (axis is null || axis == i) Write(output, analysis, tensor, i, terms[i]);
        }
    }

    private static void Write(TextWriter output, AxisAnalysis analysis, string tensor, int axis, Term term)
    {
        output.WriteLine(FormattableString.Invariant($"{Place(analysis, tensor, axis)} = {term}"));
        var groups = analysis.Groups.Where(g => Occurs(g, tensor, axis, term)).ToList();
        if (groups.Count == 0)
        {
            var frozen = term.Leaves.FirstOrDefault(l => analysis.ReasonOf(l) is not null);
            output.WriteLine("  no group: "
                + (frozen is null
                    ? "the axis has one element, its size is dynamic, or it occurs in no weight"
                    : analysis.ReasonOf(frozen)));
            if (frozen is not null) Chain(output, analysis.ChainOf(tensor, frozen));
        }
        foreach (var group in groups) Write(output, analysis, tensor, group);
    }

    private static void Write(TextWriter output, AxisAnalysis analysis, string tensor, Group group)
    {
        string kind = AxisRow.Get(group.Kind).Plural;
        output.WriteLine(FormattableString.Invariant($"  {group.Name}: {kind}, {group.Size} units, {Verdict(group)}"));
        if (group.Reason is not null) output.WriteLine($"    because: {group.Reason}");
        Chain(output, analysis.ChainOf(tensor, group.Factor));
        if (group.MinKeep > 1) output.WriteLine(FormattableString.Invariant($"    at least {group.MinKeep} units must stay"));
        if (group.Partner is { } partner) output.WriteLine($"    pairs with {partner.Name} ({AxisRow.Get(partner.Kind).Plural})");
        var members = group.Occurrences
            .Select(o => FormattableString.Invariant($"{Place(analysis, o.Tensor, o.Axis)} = {o.Term}"))
            .Distinct(StringComparer.Ordinal).ToList();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    the same units in {members.Count} weight axes:"));
        foreach (var member in members.Take(MostMembers)) output.WriteLine($"      {member}");
        if (members.Count > MostMembers) output.WriteLine(FormattableString.Invariant($"      and {members.Count - MostMembers} more"));
        foreach (var consumer in group.Consumers.Take(MostMembers))
            output.WriteLine($"    read by {consumer.Node}, weight {analysis.Names.Describe(consumer.Parameter)}");
        if (group.Consumers.Count > MostMembers)
            output.WriteLine(FormattableString.Invariant($"    and {group.Consumers.Count - MostMembers} more readers"));
    }

    /// <summary>An axis of a tensor as texts name it, with its name in the file where that is another.</summary>
    private static string Place(AxisAnalysis analysis, string tensor, int axis)
        => FormattableString.Invariant($"{analysis.Names.Readable(tensor)}:{axis}")
            + (analysis.Names.Aliases.ContainsKey(tensor) ? $" ({tensor})" : "");

    /// <summary>Tensors and operators in turn, from the tensor that was asked for to where the reason is.</summary>
    private static void Chain(TextWriter output, IReadOnlyList<string> steps)
    {
        for (var i = 0; i < steps.Count; i++) output.WriteLine((i == 0 ? "      from " : "       via ") + steps[i]);
    }

    private static (string Tensor, int? Axis) Parse(AxisAnalysis analysis, string what)
    {
        // Names of tensors may hold colons: the whole text is a name wherever the model has it.
        if (Find(analysis, what) is { } whole) return (whole, null);
        var at = what.LastIndexOf(':');
        if (at > 0 && int.TryParse(what.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var axis))
        {
            if (Find(analysis, what[..at]) is { } tensor) return (tensor, axis);
            what = what[..at];
        }
        var near = Nearest(analysis, what);
        throw new UsageException($"the model has no tensor or group '{what}'."
            + (near.Count == 0 ? "" : $" Did you mean '{string.Join("' or '", near)}'? 'espalier inspect' lists groups."));
    }

    private static string? Find(AxisAnalysis analysis, string name)
        => Exists(analysis, name) ? name : analysis.Names.TensorOf(name);

    /// <summary>Names of weights and groups that differ least; those that hold the text come first.</summary>
    private static List<string> Nearest(AxisAnalysis analysis, string what)
        => [.. analysis.Model.Proto.Graph.Initializer.Select(t => analysis.Names.Readable(t.Name)).Concat(analysis.Names.Aliases.Values)
            .Concat(analysis.Model.Proto.Graph.Input.Select(i => i.Name)).Concat(analysis.Groups.Select(g => g.Name))
            .Distinct(StringComparer.Ordinal)
            .OrderBy(n => !n.Contains(what, StringComparison.OrdinalIgnoreCase)).ThenBy(n => NearestPattern.Find(what, n).Distance)
            .ThenBy(n => n, StringComparer.Ordinal).Take(MostNear)];

    private static bool Exists(AxisAnalysis analysis, string tensor)
        => analysis.TermsOf(tensor) is not null || Names(analysis).Contains(tensor, StringComparer.Ordinal);

    private static IEnumerable<string> Names(AxisAnalysis analysis) => analysis.Model.Proto.Graph.Initializer.Select(t => t.Name)
        .Concat(analysis.Model.Proto.Graph.Input.Select(i => i.Name))
        .Concat(analysis.Nodes.SelectMany(n => n.Proto.Output).Where(n => n.Length > 0))
        .Distinct(StringComparer.Ordinal);

    private static bool Occurs(Group group, string tensor, int axis, Term term)
        => group.Occurrences.Any(o => o.Tensor == tensor && o.Axis == axis) || term.Leaves.Contains(group.Factor);

    private static string Verdict(Group group) => group.Exactness switch
    {
        Exactness.Exact => "exact: removing units equals masking them",
        Exactness.Inexact => "inexact: units can be removed, but what is left is not what masking gives",
        _ => "frozen: units cannot be removed",
    };
}
