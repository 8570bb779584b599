using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Σ_h Σ_{j∈u} E[q_hj²] · E[k_hj²], over the products of two activations that contract the group: what dimension j of head h
/// adds to the scores before the softmax, up to how queries and keys hang together (ThinK, arXiv:2407.21018). There queries are
/// the last 32 of one prompt and dimensions go per head and prompt; here the means are over all calibration tokens. Where vectors can
/// be sorted, each head has its own order (<see cref="Bases.HeadBasis.Sorted"/>); these scores are for the other groups, whose heads
/// lose the same dimensions.
/// </summary>
internal sealed class QueryKey : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.QueryKey];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of two activations whose product contracts it";

    public override void Require(Group group, Criterion criterion, DenseModel model, Requirements needs)
        => needs.Tensors(model.Places.Contractions(group).SelectMany(c => new[] { c.Left, c.Right }));

    public override double[]? Compute(Group group, ScoreContext context)
    {
        var statistics = context.Statistics!;
        var scores = new double[group.Size];
        bool measured = false;
        foreach (var (left, right, term) in context.Places.Contractions(group))
        {
            if (!statistics.Tensors.TryGetValue(left, out var q) || !statistics.Tensors.TryGetValue(right, out var k)) continue;
            int[] unitOf = term.UnitMap(group.Factor);
            if (q.Mean.Length != k.Mean.Length || q.Mean.Length % unitOf.Length != 0) continue;
            for (int i = 0; i < q.Mean.Length; i++)
                if (unitOf[i % unitOf.Length] is >= 0 and var unit) scores[unit] += Square(q, i) * Square(k, i);
            measured = true;
        }
        return measured ? scores : null;

        static double Square(AxisMoments moments, int i) => moments.Variance[i] + (moments.Mean[i] * moments.Mean[i]);
    }
}
