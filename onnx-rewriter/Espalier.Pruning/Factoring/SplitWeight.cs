using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Factoring;

/// <summary>A weight in a form of the model in which it is two.</summary>
internal sealed class SplitWeight
{
    /// <summary>
    /// Cost of both factors at full rank over the cost of the weight, at most. Above it the rank has to fall so far before it saves
    /// anything that what it loses is never the least.
    /// </summary>
    private const double MostAtFullRank = 1.5;

    /// <summary>Ranks of which fewer are not worth a choice.</summary>
    private const int FewestRanks = 8;

    /// <param name="names">Of both factors.</param>
    /// <param name="analysis">The inference over the form.</param>
    public SplitWeight(RankBasis basis, (string Down, string Up) names, AxisAnalysis analysis)
    {
        (Basis, Down, Up) = (basis, names.Down, names.Up);
        var firsts = analysis.Products.Where(p => p.Parameter == Down).ToDictionary(p => p.Node.Proto.Output[0], StringComparer.Ordinal);
        Pairs = [.. analysis.Products.Where(p => p.Parameter == Up).Select(p => (firsts[p.Activation], p))];
        var factor = analysis.TermsOf(Up)![Pairs[0].Second.ParameterAxis].Leaves.Single();
        Ranks = analysis.Groups.Single(g => g.Factor == factor);
    }

    public RankBasis Basis { get; }

    /// <summary>Name of the first factor.</summary>
    public string Down { get; }

    /// <summary>Name of the second factor.</summary>
    public string Up { get; }

    /// <summary>The products in the place of every one that read the weight.</summary>
    public IReadOnlyList<(Consumer First, Consumer Second)> Pairs { get; }

    public Group Ranks { get; }

    /// <summary>Why a weight is not split; null where it is.</summary>
    public static string? Obstacle(FactorableWeight target, ConsumerMatrix? matrix, DenseModel model)
    {
        if (matrix is not { Batches: 1 }) return "its matrix has a form that ranks cannot be taken from";
        int ranks = Math.Min(matrix.Outputs, matrix.Features);
        if (ranks < FewestRanks) return FormattableString.Invariant($"fewer than {FewestRanks} ranks");
        double whole = ranks * (double)(matrix.Outputs + matrix.Features) / ((double)matrix.Outputs * matrix.Features);
        if (whole > MostAtFullRank)
            return FormattableString.Invariant($"at full rank the factors would be more than {MostAtFullRank} times as large");
        foreach (var consumer in target.Consumers)
        {
            if (consumer.Node.Scope != 0) return $"{consumer.Node} is in a body";
            if (consumer.HasComputedBias || consumer.BiasScale == 0) return $"{consumer.Node} adds what is no weight";
            if (consumer.Bias is { } bias && (model.Weights.Uses(bias) != 1 || model.Weights.Shape(bias) is not { } shape
                || shape.Aggregate(1L, (a, b) => a * b) != matrix.Outputs)) return $"the bias '{bias}' is read elsewhere too";
        }
        return null;
    }

    /// <summary>What it costs by unit; see <see cref="FactoredCost"/>.</summary>
    public IEnumerable<FactoredCost> Costs(AxisAnalysis model, AxisAnalysis form)
    {
        var (first, second, whole) = (form.CostOf(Reads(Pairs.Select(p => p.First))), form.CostOf(Reads(Pairs.Select(p => p.Second))),
            model.CostOf(Reads(Basis.Target.Consumers)));
        return Enum.GetValues<CostUnit>().Select(unit => new FactoredCost(unit, whole.Evaluate(unit), first, second, Ranks.Id));

        static Func<NodeInfo, bool> Reads(IEnumerable<Consumer> consumers)
        {
            var nodes = consumers.Select(c => c.Node.Ordinal).ToHashSet();
            return node => nodes.Contains(node.Ordinal);
        }
    }
}
