using System.Collections.Immutable;
using System.Numerics.Tensors;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Changes the weights that read pruned groups so that they make up for what was removed. Formulas and sources: README of this room.</summary>
public sealed class Compensator
{
    private readonly AxisAnalysis _analysis;
    private readonly CalibrationStatistics _statistics;
    private readonly WeightTable _weights;
    private readonly ICollection<string> _notes;
    private readonly SortedDictionary<string, float[]> _edited = new(StringComparer.Ordinal);
    private readonly SortedDictionary<int, float[]> _added = [];

    private Compensator(AxisAnalysis analysis, CalibrationStatistics statistics, ICollection<string> notes)
        => (_analysis, _statistics, _weights, _notes) = (analysis, statistics, new WeightTable(analysis), notes);

    /// <summary>Computes the changed weights.</summary>
    /// <param name="analysis">The model's axes.</param>
    /// <param name="selection">What is kept.</param>
    /// <param name="method">How the readers of a group make up for it, per group number.</param>
    /// <param name="statistics">What calibration measured on the dense model; null without calibration.</param>
    /// <param name="notes">Gets a note for every consumer that was compensated in a weaker way, or not at all.</param>
    /// <returns>Weights in the dense layout: only the kept columns and the biases matter.</returns>
    /// <exception cref="EspalierException">A method needs calibration and there is none.</exception>
    public static WeightEdits Compute(AxisAnalysis analysis, Selection selection, Func<int, With> method, CalibrationStatistics? statistics, ICollection<string>? notes = null)
    {
        var pruned = analysis.Groups.Where(g => selection.Kept.TryGetValue(g.Id, out var kept) && kept.Length < g.Size).ToList();
        var methods = new Dictionary<int, With>();
        foreach (var group in pruned)
            foreach (var consumer in group.Consumers)
                methods[consumer.Id] = (With)Math.Max((int)methods.GetValueOrDefault(consumer.Id), (int)method(group.Id));
        if (methods.Values.All(m => m == With.None)) return WeightEdits.Nothing;
        if (statistics is null)
            throw new EspalierException("Compensation by bias or least squares needs calibration data, but there are none. Give calibration data, or compensate with None.");

        var keptOf = pruned.ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);
        var goneNodes = analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).SelectMany(b => b.Nodes).ToHashSet();
        var self = new Compensator(analysis, statistics, notes ?? []);
        var affected = analysis.Consumers.Where(c => methods.GetValueOrDefault(c.Id) != With.None && !goneNodes.Contains(c.Node.Ordinal));
        foreach (var sharing in affected.GroupBy(c => (c.Parameter, c.ParameterAxis, c.OutputAxis)))
        {
            var consumers = sharing.ToList();
            int[] kept = consumers[0].Contracted.KeptIndices(f => keptOf.TryGetValue(f, out var k) ? k : (ImmutableArray<int>?)null);
            self.Compensate(consumers, kept, consumers.Max(c => methods[c.Id]));
        }
        return new WeightEdits(self._edited, self._added);
    }

    private void Compensate(List<Consumer> consumers, int[] kept, With method)
    {
        var first = consumers[0];
        if (_weights.Shape(first.Parameter) is not { } shape)
        {
            Note(first, "is not compensated: its weight is made by a node, not held in the file");
            return;
        }
        if (ConsumerMatrix.Of(first, shape) is not { } matrix)
        {
            Note(first, "is not compensated: its weight has a form that compensation does not know");
            return;
        }
        if (kept.Length == shape[first.ParameterAxis]) return;
        if (first.Kind == ConsumerKind.Convolution && first.OutputAxis != 0)
        {
            Note(first, "is not compensated: what a removed channel adds through a transposed convolution differs from position to position");
            return;
        }
        var seen = new List<(Consumer Consumer, ActivationStatistics Statistics)>();
        foreach (var consumer in consumers)
        {
            if (_statistics.Consumers.TryGetValue(consumer.Id, out var statistics) && matrix.Reader(statistics, m => m.Mean) is not null) seen.Add((consumer, statistics));
            else Note(consumer, "is not compensated: calibration has no statistics of its input");
        }
        if (seen.Count == 0) return;
        float[] weight = _weights.Floats(first.Parameter);
        if (method == With.LeastSquares && seen.Count == consumers.Count && Refit(seen, matrix, weight, kept)) return;
        foreach (var (consumer, statistics) in seen)
        {
            if (TakesBias(consumer, matrix)) AddToBias(consumer, matrix, MeanContribution(matrix, weight, kept, statistics));
            else Note(consumer, "is not compensated: it has no bias of its own that could take the change");
        }
    }

    /// <summary>Refits the weight on its kept inputs and corrects the biases; false where only the bias can be corrected.</summary>
    private bool Refit(List<(Consumer Consumer, ActivationStatistics Statistics)> seen, ConsumerMatrix matrix, float[] weight, int[] kept)
    {
        var first = seen[0].Consumer;
        string? obstacle =
            _weights.Uses(first.Parameter) != seen.Count ? $"'{first.Parameter}' is read elsewhere too"
            : Enumerable.Range(0, matrix.Batches).Any(b => seen.Any(s => InputMoments.Of(s.Statistics, matrix, b) is null)) ? "calibration has no covariance of its input"
            : null;
        if (obstacle is not null)
        {
            Note(first, $"is compensated by its bias alone: {obstacle}");
            return false;
        }
        // Without a bias the mean cannot be kept apart: then the best weights follow from the moments about zero.
        InputMoments[] pooled = [.. Enumerable.Range(0, matrix.Batches).Select(b => InputMoments.Pool([.. seen.Select(s => InputMoments.Of(s.Statistics, matrix, b)!)]))];
        bool centred = seen.All(s => TakesBias(s.Consumer, matrix));
        var stays = Flags(kept, matrix.Inputs);
        int[] keptFeatures = [.. Enumerable.Range(0, matrix.Features).Where(f => stays[f / matrix.Window])];
        int[] removedFeatures = [.. Enumerable.Range(0, matrix.Features).Where(f => !stays[f / matrix.Window])];
        var edited = (float[])weight.Clone();
        for (int b = 0; b < matrix.Batches; b++)
        {
            double[] dense = matrix.Matrix(weight, b);
            if (LeastSquares.Change(dense, matrix.Outputs, Moments(b), pooled[b].Count, keptFeatures, removedFeatures) is not { } change)
            {
                Note(first, "is compensated by its bias alone" + (matrix.Batches > 1 ? $" at index {b} of its batch" : "") + ": the covariance of its kept inputs has no factorisation");
                continue;
            }
            for (int o = 0, at = 0; o < matrix.Outputs; o++)
                foreach (int f in keptFeatures) edited[matrix.Offset(b, o, f)] = (float)(dense[o * matrix.Features + f] + change[at++]);
        }
        float[] elements = _weights.Elements(first.Parameter, edited);
        if (_weights.IsQuantized(first.Parameter))
        {
            edited = _weights.Numbers(first.Parameter, elements);
            if (!(Error(edited) < Error(weight)))
            {
                Note(first, "is compensated by its bias alone: within the range of the weight's integers a refit has a larger error");
                return false;
            }
        }
        _edited[first.Parameter] = elements;
        foreach (var (consumer, statistics) in centred ? seen : [])
        {
            double[] added = MeanContribution(matrix, weight, kept, statistics);
            for (int b = 0; b < matrix.Batches; b++)
            {
                double[] mean = InputMoments.Of(statistics, matrix, b)!.Mean;
                for (int o = 0; o < matrix.Outputs; o++)
                    foreach (int f in keptFeatures) added[matrix.OutputChannel(b, o)] -= ((double)edited[matrix.Offset(b, o, f)] - weight[matrix.Offset(b, o, f)]) * mean[f];
            }
            AddToBias(consumer, matrix, added);
        }
        return true;

        double[] Moments(int b) => centred ? pooled[b].Covariance : pooled[b].AboutZero();

        double Error(float[] numbers) => Enumerable.Range(0, matrix.Batches).Sum(b =>
        {
            double[] difference = matrix.Matrix(numbers, b);
            TensorPrimitives.Subtract(difference, matrix.Matrix(weight, b), difference);
            for (int o = 0; o < matrix.Outputs; o++)
                foreach (int f in removedFeatures) difference[o * matrix.Features + f] = -weight[matrix.Offset(b, o, f)];
            return LeastSquares.Error(difference, matrix.Outputs, Moments(b));
        });
    }

    /// <summary>Mean of what the removed inputs add to every output channel.</summary>
    private static double[] MeanContribution(ConsumerMatrix matrix, float[] weight, int[] kept, ActivationStatistics statistics)
    {
        var means = matrix.Reader(statistics, m => m.Mean)!;
        var stays = Flags(kept, matrix.Inputs);
        var added = new double[matrix.Batches * matrix.Outputs];
        for (int b = 0; b < matrix.Batches; b++)
        {
            for (int f = 0; f < matrix.Features; f++)
            {
                if (stays[matrix.ContractedIndex(b, f)]) continue;
                double mean = means(b, f);
                if (mean == 0) continue;
                for (int o = 0; o < matrix.Outputs; o++) added[matrix.OutputChannel(b, o)] += weight[matrix.Offset(b, o, f)] * mean;
            }
        }
        return added;
    }

    /// <summary>Whether the consumer has a bias that nothing else reads, or can be given one.</summary>
    private bool TakesBias(Consumer consumer, ConsumerMatrix matrix)
    {
        int channels = matrix.Batches * matrix.Outputs;
        if (consumer.HasComputedBias) return false;
        if (consumer.Bias is not { } bias) return consumer.Kind == ConsumerKind.Convolution || matrix.Batches == 1;
        if (_weights.Shape(bias) is not { } shape || _weights.Uses(bias) != 1) return false;
        long count = shape.Aggregate(1L, (a, b) => a * b);
        return count == channels || (matrix.Batches == 1 && shape.Length > 0 && shape[^1] == channels);
    }

    private void AddToBias(Consumer consumer, ConsumerMatrix matrix, double[] added)
    {
        if (Array.TrueForAll(added, v => v == 0)) return;
        if (consumer.Bias is not { } bias)
        {
            _added[consumer.Id] = Array.ConvertAll(added, v => (float)v);
            return;
        }
        float[] values = _weights.Floats(bias);
        for (int i = 0; i < values.Length; i++) values[i] = (float)(values[i] + added[i % added.Length]);
        _edited[bias] = _weights.Elements(bias, values);
    }

    private void Note(Consumer consumer, string what) => _notes.Add($"{consumer.Node} (weight '{consumer.Parameter}') {what}.");

    private static bool[] Flags(int[] kept, int size)
    {
        var flags = new bool[size];
        foreach (int i in kept) flags[i] = true;
        return flags;
    }
}
