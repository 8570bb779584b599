using System.Collections.Immutable;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>
/// What every population alone costs the layers that read it, at every size: ‖W'X − WX‖² / ‖WX‖² of the best refit W' on what
/// is left, the prior of ZipLM (arXiv:2302.04089), 0 with all units and 1 with none. From covariances: nothing is run.
/// </summary>
internal sealed class LayerErrors(DenseModel model, CalibrationStatistics statistics)
{
    /// <summary>By consumer number, those of the last choice: the next one is of the same population as a rule.</summary>
    private readonly Dictionary<int, List<BrainSurgeon>> _matrices = [];

    /// <summary>Sizes of each population with their errors; an error never falls as units go.</summary>
    /// <param name="kept">Units that stay of the groups of a population, for counts.</param>
    /// <param name="loss">Their error.</param>
    public static ErrorDatabase Measure(IReadOnlyList<Population> populations,
        Func<Dictionary<int, int>, IReadOnlyDictionary<int, ImmutableArray<int>>> kept,
        Func<IReadOnlyDictionary<int, ImmutableArray<int>>, double> loss)
        => new(populations, [.. populations.Select(p =>
        {
            double reached = 0;
            return (IReadOnlyList<Level>)[.. ErrorDatabase.Sizes(p)
                .Select(counts => new Level(counts, reached = Math.Max(reached, loss(kept(counts)))))];
        })]);

    /// <summary>
    /// Mean over the consumers of the groups of what they lose, each as a share of what it gives. A consumer without a covariance
    /// counts by the share of what it loses of its inputs.
    /// </summary>
    /// <param name="kept">By group number, units that stay.</param>
    public double Loss(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
    {
        var groups = kept.Keys.Select(id => model.Analysis.Groups[id]).ToList();
        var keptOf = groups.ToDictionary(g => g.Factor, g => kept[g.Id]);
        var consumers = groups.SelectMany(g => g.Consumers).DistinctBy(c => c.Id).ToList();
        foreach (int other in _matrices.Keys.Except(consumers.Select(c => c.Id)).ToList()) _matrices.Remove(other);
        return consumers.Select(consumer =>
        {
            int[] stays = consumer.Contracted.KeptIndices(f => keptOf.TryGetValue(f, out var units) ? units : (ImmutableArray<int>?)null);
            int size = (int)consumer.Contracted.Size!.Value;
            int[] gone = [.. Enumerable.Range(0, size).Except(stays)];
            if (!_matrices.TryGetValue(consumer.Id, out var matrices))
                _matrices[consumer.Id] = matrices = [.. BrainSurgeon.Find(consumer, statistics, model.Weights)];
            return matrices.Count > 0 ? matrices.Sum(m => m.Cost(gone)) : (double)gone.Length / size;
        }).DefaultIfEmpty(0).Average();
    }
}
