using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;

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
            var scopes = analysis.Nodes.Select(n => Scope(analysis.Names.PathOf(n)));
            if (!analysis.Nodes.Any(n => analysis.Names.Matches(c.Pattern, n)))
                throw new EspalierException($"The component budget '{c.Pattern}' matches the name of no node of the model. Its nodes "
                    + $"are in {Names([.. scopes.Distinct(StringComparer.Ordinal)])}.");
            return new Component(c.Pattern, new Budget(c.Macs, c.Parameters), analysis.CostOf(n => analysis.Names.Matches(c.Pattern, n)));
        })];

    /// <summary>Whether a group's size changes what the component costs.</summary>
    public bool Has(int group) => Cost.Monomials.Any(m => m.Groups.Contains(group));

    /// <summary>
    /// Whether a node of the slim file is one of those that a pattern names in the dense model; one that was added, by its own name.
    /// </summary>
    internal static Func<NodeInfo, bool> InWritten(string pattern, AxisAnalysis dense, AxisAnalysis written)
    {
        var named = dense.Nodes.GroupBy(Key, StringComparer.Ordinal)
            .ToDictionary(n => n.Key, n => dense.Names.Matches(pattern, n.First()), StringComparer.Ordinal);
        return node => named.TryGetValue(Key(node), out bool known) ? known : written.Names.Matches(pattern, node);

        static string Key(NodeInfo node) => node.Proto.Output.FirstOrDefault() ?? "";
    }

    /// <summary>The first module of <c>layer1.conv.Conv</c>; empty for a node outside of all modules.</summary>
    private static string Scope(string path) => path.Split('.') is [var first, _, ..] ? first : "";

    private static string Names(IReadOnlyList<string> scopes)
        => string.Join(", ", scopes.Where(s => s.Length > 0).Take(8).Select(s => $"'{s}'"))
            + (scopes.Count > 8 ? $" and {scopes.Count - 8} more" : "");
}
