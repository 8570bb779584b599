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
    public static ExplainedTensor Read(AxisAnalysis analysis, string what)
    {
        if (Find(analysis, what) is null && analysis.Groups.FirstOrDefault(g => g.Name == what) is { Occurrences: [var first, ..] } named)
            return new(first.Tensor,
                [new(first.Axis, Place(analysis, first.Tensor, first.Axis), first.Term.ToString(), [Read(analysis, first.Tensor, named)])]);
        var (tensor, axis) = Parse(analysis, what);
        if (analysis.TermsOf(tensor) is not { } terms) return new(tensor, null);
        if (axis >= terms.Count)
            throw new UsageException(FormattableString.Invariant($"'{tensor}' has {terms.Count} axes; there is no axis {axis}."));
        return new(tensor, [.. terms.Index().Where(t => axis is null || axis == t.Index)
            .Select(t => Read(analysis, tensor, t.Index, t.Item))]);
    }

    private static ExplainedAxis Read(AxisAnalysis analysis, string tensor, int axis, Term term)
    {
        var groups = analysis.Groups.Where(g => Occurs(g, tensor, axis, term)).ToList();
        var frozen = groups.Count > 0 ? null : term.Leaves.FirstOrDefault(l => analysis.ReasonOf(l) is not null);
        return new(axis, Place(analysis, tensor, axis), term.ToString()!, [.. groups.Select(g => Read(analysis, tensor, g))])
        {
            Reason = frozen is null ? null : analysis.ReasonOf(frozen),
            Chain = frozen is null ? [] : analysis.ChainOf(tensor, frozen),
        };
    }

    private static ExplainedGroup Read(AxisAnalysis analysis, string tensor, Group group) => new(group.Name, AxisRow.Get(group.Kind).Plural,
        group.Size, Words.Camel(group.Exactness))
    {
        Reason = group.Reason,
        Chain = analysis.ChainOf(tensor, group.Factor),
        MinKeep = group.MinKeep,
        Partner = group.Partner?.Name,
        PartnerKind = group.Partner is { } partner ? AxisRow.Get(partner.Kind).Plural : null,
        Members = [.. group.Occurrences.Select(o => FormattableString.Invariant($"{Place(analysis, o.Tensor, o.Axis)} = {o.Term}"))
            .Distinct(StringComparer.Ordinal)],
        Readers = [.. group.Consumers.Select(c => $"{c.Node}, weight {analysis.Names.Describe(c.Parameter)}")],
    };

    /// <summary>The same for people.</summary>
    public static void Write(TextWriter output, ExplainedTensor explained)
    {
        if (explained.Axes is not { } axes)
        {
            output.WriteLine($"{explained.Tensor}: its rank is unknown, so nothing on it can be pruned. An operator before it has no rule, "
                + "or its shape depends on data.");
            return;
        }
        foreach (var axis in axes)
        {
            output.WriteLine($"{axis.Place} = {axis.Term}");
            if (axis.Groups.Count == 0)
            {
                output.WriteLine("  no group: "
                    + (axis.Reason ?? "the axis has one element, its size is dynamic, or it occurs in no weight"));
                Chain(output, axis.Chain);
            }
            foreach (var group in axis.Groups) Write(output, group);
        }
    }

    private static void Write(TextWriter output, ExplainedGroup group)
    {
        output.WriteLine(FormattableString.Invariant($"  {group.Name}: {group.Kind}, {group.Units} units, {Verdict(group)}"));
        if (group.Reason is not null) output.WriteLine($"    because: {group.Reason}");
        Chain(output, group.Chain);
        if (group.MinKeep > 1) output.WriteLine(FormattableString.Invariant($"    at least {group.MinKeep} units must stay"));
        if (group.Partner is not null) output.WriteLine($"    pairs with {group.Partner} ({group.PartnerKind})");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    the same units in {group.Members.Count} weight axes:"));
        foreach (string member in group.Members.Take(MostMembers)) output.WriteLine($"      {member}");
        if (group.Members.Count > MostMembers)
            output.WriteLine(FormattableString.Invariant($"      and {group.Members.Count - MostMembers} more"));
        foreach (string reader in group.Readers.Take(MostMembers)) output.WriteLine($"    read by {reader}");
        if (group.Readers.Count > MostMembers)
            output.WriteLine(FormattableString.Invariant($"    and {group.Readers.Count - MostMembers} more readers"));
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

    private static string Verdict(ExplainedGroup group) => group.Exactness switch
    {
        "exact" => "exact: removing units equals masking them",
        "inexact" => "inexact: units can be removed, but what is left is not what masking gives",
        _ => "frozen: units cannot be removed",
    };
}
