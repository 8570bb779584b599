using System.Collections.Immutable;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>
/// Running means and variances of the batch normalisations that a model still has, measured anew on the slim model, one after
/// the other in graph order, since each changes what the next one sees (as recalibration after pruning does, e.g. in OBSPA,
/// arXiv:2403.18955; no batch is normalised by itself). Made-up inputs say what pruning changes, not what data give: of them a
/// mean moves by as much, and a variance by the same factor, as they do between both models.
/// </summary>
internal static class NormStatistics
{
    /// <summary>Edits with the new statistics.</summary>
    /// <param name="probe">Runs the slim model.</param>
    /// <param name="notes">Gets a note for every normalisation that keeps its statistics.</param>
    /// <param name="madeUp">Whether the probe's inputs are made up.</param>
    public static WeightEdits Measure(DenseModel model, Selection selection, WeightEdits edits, IModelProbe probe,
        ICollection<string> notes, bool madeUp = false)
    {
        var (analysis, weights) = (model.Analysis, model.Weights);
        var kept = selection.Kept.Where(k => k.Value.Length < analysis.Groups[k.Key].Size)
            .ToDictionary(k => analysis.Groups[k.Key].Factor, k => k.Value);
        var readers = analysis.Consumers.Where(c => c.Contracted.Leaves.Any(kept.ContainsKey)).Select(c => c.Node.Ordinal).ToList();
        var gone = analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).SelectMany(b => b.Nodes).ToHashSet();
        var changed = new SortedDictionary<string, float[]>(edits.Weights.ToDictionary(w => w.Key, w => w.Value), StringComparer.Ordinal);
        foreach (var record in analysis.State.Records)
        {
            // What lies before everything that lost inputs sees what it saw.
            if (record.Info.Proto is not { OpType: "BatchNormalization", Domain: "" or "ai.onnx" } || gone.Contains(record.Info.Ordinal)
                || (selection.RemovedBlocks.IsEmpty && !readers.Exists(r => r < record.Info.Ordinal))) continue;
            if (record.Info.Scope != 0
                || record.Inputs is not [{ } input, _, _, { Source: null, IsParameter: true } mean,
                { Source: null, IsParameter: true } variance]
                || weights.Shape(mean.Name) is null || weights.Shape(variance.Name) is null || weights.Uses(mean.Name) != 1
                || weights.Uses(variance.Name) != 1)
            {
                notes.Add($"{record.Info} keeps its running statistics: they are no weights of its own, or lie in a subgraph.");
                continue;
            }
            using var slim = Surgery.Apply(analysis, selection, edits with { Weights = changed }).Model;
            int[] channels = mean.Terms![0].KeptIndices(f => kept.TryGetValue(f, out var k) ? k : (ImmutableArray<int>?)null);
            if (probe.Channels(slim, input.Name) is not { } found || found.Mean.Length != channels.Length)
            {
                notes.Add($"{record.Info} keeps its running statistics: '{input.Name}' could not be measured in the slim model.");
                continue;
            }
            var (means, variances) = found;
            if (madeUp)
            {
                if (probe.Channels(analysis.Model, input.Name) is not { } before) continue;
                float[] ownMean = weights.Floats(mean.Name), ownVariance = weights.Floats(variance.Name);
                means = [.. channels.Select((c, k) => ownMean[c] + means[k] - before.Mean[c])];
                variances = [.. channels.Select((c, k) => before.Variance[c] > 0 ? ownVariance[c] * variances[k] / before.Variance[c]
                    : ownVariance[c])];
            }
            changed[mean.Name] = Place(weights.Floats(mean.Name), means);
            changed[variance.Name] = Place(weights.Floats(variance.Name), variances);

            float[] Place(float[] values, double[] measured)
            {
                for (int k = 0; k < channels.Length; k++) values[channels[k]] = (float)measured[k];
                return values;
            }
        }
        return edits with { Weights = changed };
    }
}
