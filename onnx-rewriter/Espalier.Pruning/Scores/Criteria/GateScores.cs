using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Gates;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Sources;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Scores from the gated twin, one run over the samples per unit. With the gate at 0 the divergence of the outputs is what the
/// unit's removal costs. With the gate at 1 − δ it is ½ δ² F to second order, because a divergence has its minimum at the dense
/// model; F is the curvature, for the Kullback-Leibler divergence the Fisher information of the gate that Kwon et al.
/// (arXiv:2204.09656) take from gradients.
/// </summary>
internal sealed class GateScores : UnitScore
{
    /// <summary>Most units of a group: each takes a run.</summary>
    public const int MostUnits = 256;

    private const float Step = 0.5f;

    public override IReadOnlyList<Criterion> Criteria => [Criterion.Fisher, Criterion.OutputDivergence, Criterion.MaskRegression];

    public override string Obstacle(Criterion criterion)
        => $"it has more than {MostUnits} units, or no gate can stand in front of all that reads them";

    /// <summary>What <see cref="Measure"/> gave: units of all groups are measured together.</summary>
    public override double[]? Compute(Group group, ScoreContext context) => context.Gated?.GetValueOrDefault(group.Id)?.ToArray();

    /// <summary>By group number; groups without a gate, or with too many units, are left out.</summary>
    /// <param name="criteria">The groups to score.</param>
    /// <param name="seed">Seed of random masks.</param>
    public static IReadOnlyDictionary<int, double[]> Measure(DenseModel model, IReadOnlyDictionary<int, Criterion> criteria,
        IModelProbe probe, int seed = 0)
    {
        var analysis = model.Analysis;
        var scores = new Dictionary<int, double[]>(MaskRegression.Compute(model, criteria.Where(c => c.Value == Criterion.MaskRegression)
            .Select(c => c.Key).ToHashSet(), probe, seed));
        var single = criteria.Where(c => c.Value != Criterion.MaskRegression).Select(c => c.Key).ToHashSet();
        if (single.Count == 0) return scores;
        using var twin = GatedTwin.Build(analysis, g => single.Contains(g.Id) && g.Size <= MostUnits, sublayers: false);
        var step = new WorkStep("measuring what units do", 0, twin.Gates.Keys.Sum(id => (long)analysis.Groups[id].Size));
        foreach (var (id, gate) in twin.Gates)
        {
            bool fisher = criteria[id] == Criterion.Fisher;
            int size = analysis.Groups[id].Size;
            var settings = Enumerable.Range(0, size).Select(u =>
            {
                float[] values = [.. Enumerable.Repeat(1f, size)];
                values[u] = fisher ? 1 - Step : 0;
                return (IReadOnlyDictionary<string, float[]>)new Dictionary<string, float[]> { [gate] = values };
            }).ToList();
            scores[id] = Aggregation.Lift([.. probe.Divergences(twin.Model, settings, step)
                .Select(d => fisher ? 2 * d / (Step * Step) : d)]);
            step = step with { Done = step.Done + size };
        }
        return scores;
    }
}
