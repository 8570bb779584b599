using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Planning;
using Espalier.Pruning.Algebra;

namespace Espalier.Pruning.Plans;

/// <summary>A rule on depth with the sublayers or blocks that it may remove.</summary>
internal sealed record DropCandidates(DropRule Rule, IReadOnlyList<Block> Blocks)
{
    /// <summary>In the order of the plan's rules.</summary>
    /// <exception cref="EspalierException">A rule matches nothing.</exception>
    public static IReadOnlyList<DropCandidates> Resolve(PruningPlan plan, AxisAnalysis analysis)
        => [.. plan.Drop.Select(rule => new DropCandidates(rule, Find(plan, rule, analysis)))];

    private static IReadOnlyList<Block> Find(PruningPlan plan, DropRule rule, AxisAnalysis analysis)
    {
        bool sublayers = rule.Axis == Axis.Sublayers;
        var ofKind = analysis.Blocks.Where(b => b.IsSublayer == sublayers).ToList();
        var matching = ofKind.Where(b => Glob.Matches(rule.Pattern, b.Name)).ToList();
        if (matching.Count == 0)
        {
            string kind = rule.Axis.CamelCase();
            throw new EspalierException(ofKind.Count == 0
                ? $"{rule.Describe()}: the model has no {kind}: no region of it runs between a residual stream and its Add. "
                    + "Remove the rule."
                : $"{rule.Describe()}: the pattern '{rule.Pattern}' matches none of the {kind}. There are: "
                    + $"{RuleNames.Listed([.. ofKind.Select(b => b.Name)])}.");
        }
        var open = matching.Where(b => !plan.Protect.Any(p => Glob.Matches(p, b.Name))).ToList();
        return plan.ProtectEnds == true ? [.. open.Except(open.Ends())] : open;
    }
}
