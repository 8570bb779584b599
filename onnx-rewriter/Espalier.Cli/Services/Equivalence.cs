using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Bases;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Factoring;

namespace Espalier.Cli.Services;

/// <summary>
/// A model that is to equal the masked dense one: the slim model itself where nothing was compensated, no head's dimensions were sorted
/// and all that went is exact; else the model that the same exact removals give without that, with the slim model's factors.
/// </summary>
/// <param name="Model">That model.</param>
/// <param name="Removal">What went from the dense one.</param>
/// <param name="Selection">The same, as a selection.</param>
internal sealed record Equivalence(OnnxModel Model, Removal Removal, Selection Selection) : IDisposable
{
    /// <summary>Made for this check; null where it is the slim or the dense model.</summary>
    private OnnxModel? Own { get; init; }

    /// <summary>Whether <see cref="Model"/> is the slim model.</summary>
    public bool IsSlim { get; private init; }

    /// <summary>Groups that lost units and of which masking says nothing.</summary>
    public IReadOnlyList<string> Inexact { get; private init; } = [];

    public bool Compensated { get; private init; }

    /// <exception cref="EspalierException">The report names something that the models do not have.</exception>
    public static Equivalence Measure(AxisAnalysis analysis, PruningReport report, OnnxModel slim)
    {
        var exactness = analysis.Groups.ToDictionary(g => g.Name, g => g.Exactness, StringComparer.Ordinal);
        var pruned = report.Groups.Where(g => g.Kept < g.Size).Select(g => g.Name);
        var inexact = pruned.Where(g => exactness.GetValueOrDefault(g) == Exactness.Inexact).ToList();
        bool compensated = report.Plan.Prune.Any(r => r.Compensate != Compensation.None || BasisChange.IsSorted(r));
        if (inexact.Count == 0 && !compensated)
            return new(slim, Removal.From(report, analysis.File), Select(analysis, report, exactOnly: false)) { IsSlim = true };
        var selection = Select(analysis, report, exactOnly: true);
        var plain = Surgery.Apply(analysis, selection, StoredFactors.Read(analysis, report, slim));
        return new(plain.Model, RemovalOf(plain), selection)
        {
            Own = plain.Model == analysis.Model ? null : plain.Model,
            Inexact = inexact,
            Compensated = compensated,
        };
    }

    /// <summary>What surgery says that it did.</summary>
    private static Removal RemovalOf(SlimModel slim) => new()
    {
        Slices = slim.Removed,
        Bypassed = slim.Bypassed,
        Renamed = slim.Renamed,
        Factored = [.. slim.Factored.Select(f => (f.Key, f.Value.Down, f.Value.Up))],
    };

    /// <inheritdoc/>
    public void Dispose() => Own?.Dispose();

    /// <summary>What a report removed, as a selection.</summary>
    private static Selection Select(AxisAnalysis analysis, PruningReport report, bool exactOnly)
    {
        var groups = analysis.Groups.ToDictionary(g => g.Name, StringComparer.Ordinal);
        var kept = new SortedDictionary<int, ImmutableArray<int>>();
        // A group of which nothing stays went with a removed block.
        foreach (var pruned in report.Groups.Where(g => g.Kept > 0 && g.Kept < g.Size))
        {
            if (!groups.TryGetValue(pruned.Name, out var group) || group.Size != pruned.Size)
                throw new EspalierException($"The model has no group '{pruned.Name}' of {pruned.Size} units. "
                    + "Was the report written for this model?");
            if (exactOnly && group.Exactness != Exactness.Exact) continue;
            kept[group.Id] = [.. Enumerable.Range(0, group.Size).Except(pruned.RemovedUnits)];
        }
        return new Selection(kept, [.. report.Blocks.Select(name => analysis.Blocks.FirstOrDefault(b => b.Name == name)?.Id
            ?? throw new EspalierException($"The model has no block '{name}'. Was the report written for this model?"))]);
    }
}
