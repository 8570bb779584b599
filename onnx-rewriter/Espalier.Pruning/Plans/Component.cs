using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Planning;

namespace Espalier.Pruning.Plans;

/// <summary>A part of the model with bounds of its own: nodes whose names match a pattern, with the weights that they read.</summary>
/// <param name="Pattern">The pattern, or the scope that the nodes are in.</param>
/// <param name="Bound">What it may cost, as fractions of what it costs in the dense model.</param>
/// <param name="Cost">What its nodes cost; a group that reaches several components is in the cost of each.</param>
internal sealed record Component(string Pattern, Budget Bound, CostModel Cost)
{
    /// <summary>The components of a plan: those that its budget names.</summary>
    /// <exception cref="EspalierException">A pattern matches no node.</exception>
    public static IReadOnlyList<Component> Resolve(PruningPlan plan, AxisAnalysis analysis)
        => [.. (plan.Budget?.Components ?? []).Select(c =>
        {
            if (!analysis.Nodes.Any(n => Matches(c.Pattern, n)))
                throw new EspalierException($"The component budget '{c.Pattern}' matches the name of no node of the model. Its nodes "
                    + $"are in {Names([.. analysis.Nodes.Select(Scope).Distinct(StringComparer.Ordinal)])}.");
            return new Component(c.Pattern, new Budget(c.Macs, c.Parameters), analysis.CostOf(n => Matches(c.Pattern, n)));
        })];

    /// <summary>Whether a group's size changes what the component costs.</summary>
    public bool Has(int group) => Cost.Monomials.Any(m => m.Groups.Contains(group));

    /// <summary>Whether a pattern names a node.</summary>
    internal static bool Matches(string pattern, NodeInfo node)
        => Glob.Matches(pattern, Name(node)) || Glob.Matches(pattern, Name(node).TrimStart('/'));

    private static string Name(NodeInfo node) => node.Proto.Name.Length > 0 ? node.Proto.Name : node.Proto.Output.FirstOrDefault() ?? "";

    /// <summary>
    /// The first segment of a name such as <c>/layer1/conv/Conv</c>, of which the last is the node itself and not a scope; empty
    /// for a node outside of all scopes.
    /// </summary>
    private static string Scope(NodeInfo node) => Name(node).TrimStart('/').Split('/') is [var first, _, ..] ? first : "";

    private static string Names(IReadOnlyList<string> scopes)
        => string.Join(", ", scopes.Where(s => s.Length > 0).Take(8).Select(s => $"'{s}'"))
            + (scopes.Count > 8 ? $" and {scopes.Count - 8} more" : "");
}
