using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Planning;

namespace Espalier.Pruning.Plans;

/// <summary>A part of the model with bounds of its own: nodes whose names match a pattern, with the weights that they read.</summary>
/// <param name="Pattern">The pattern, or the scope that the nodes are in.</param>
/// <param name="Bound">What it may cost, as fractions of what it costs in the dense model.</param>
/// <param name="Cost">What its nodes cost; a group that reaches several components is in the cost of each.</param>
/// <param name="MayYield">Whether the bound is only wished for: where no choice meets it, the budget of the whole decides.</param>
internal sealed record Component(string Pattern, Budget Bound, CostModel Cost, bool MayYield)
{
    /// <summary>
    /// The components of a plan: those that its budget names, or every scope of the network under the budget of the whole.
    /// </summary>
    /// <exception cref="EspalierException">A pattern matches no node.</exception>
    public static IReadOnlyList<Component> Resolve(PruningPlan plan, AxisAnalysis analysis, ICollection<string>? notes)
    {
        if (plan.Budget is not { } budget) return [];
        if (budget.Components is { Count: > 0 } stated)
        {
            return [.. stated.Select(c =>
            {
                if (!analysis.Nodes.Any(n => Matches(c.Pattern, n)))
                    throw new EspalierException($"The component budget '{c.Pattern}' matches the name of no node of the model. Its nodes "
                        + $"are in {Names(Scopes(analysis, all: true))}.");
                return new Component(c.Pattern, new Budget(c.Macs, c.Parameters), analysis.CostOf(n => Matches(c.Pattern, n)),
                    MayYield: false);
            })];
        }
        if (plan.PerComponent != true) return [];
        var scopes = Scopes(analysis);
        if (scopes.Count < 2) notes?.Add("The names of the nodes do not divide the network into components, so it is one.");
        return scopes.Count < 2
            ? []
            : [.. scopes.Select(s =>
                new Component(s, new Budget(budget.Macs, budget.Parameters),
                    analysis.CostOf(n => Scope(n, s.Count(c => c == '/') + 1) == s), MayYield: true))];
    }

    /// <summary>Whether a group's size changes what the component costs.</summary>
    public bool Has(int group) => Cost.Monomials.Any(m => m.Groups.Contains(group));

    /// <summary>Whether a pattern names a node.</summary>
    internal static bool Matches(string pattern, NodeInfo node)
        => Glob.Matches(pattern, Name(node)) || Glob.Matches(pattern, Name(node).TrimStart('/'));

    private static string Name(NodeInfo node) => node.Proto.Name.Length > 0 ? node.Proto.Name : node.Proto.Output.FirstOrDefault() ?? "";

    /// <summary>
    /// The scopes that divide what costs something: as deep as it takes for there to be two; those of the first level where
    /// nothing divides it. With <paramref name="all"/> those of all nodes.
    /// </summary>
    private static IReadOnlyList<string> Scopes(AxisAnalysis analysis, bool all = false)
    {
        var nodes = all ? [.. analysis.Nodes] : analysis.State.Records.Where(r => r.Macs.Count > 0).Select(r => r.Info).ToList();
        int depth = nodes.Select(n => Name(n).Count(c => c == '/')).DefaultIfEmpty(0).Max();
        for (int level = 1; level <= depth && !all; level++)
            if (nodes.Select(n => Scope(n, level)).Distinct(StringComparer.Ordinal).ToList() is { Count: > 1 } found) return found;
        return [.. nodes.Select(n => Scope(n, 1)).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>
    /// The first segments of a name such as <c>/layer1/conv/Conv</c>, of which the last is the node itself and not a scope;
    /// empty for a node outside of all scopes.
    /// </summary>
    private static string Scope(NodeInfo node, int level)
    {
        string[] segments = Name(node).TrimStart('/').Split('/');
        return string.Join('/', segments.Take(Math.Min(level, segments.Length - 1)));
    }

    private static string Names(IReadOnlyList<string> scopes)
        => string.Join(", ", scopes.Where(s => s.Length > 0).Take(8).Select(s => $"'{s}'"))
            + (scopes.Count > 8 ? $" and {scopes.Count - 8} more" : "");
}
