using System.Collections.Immutable;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Terms;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>Fits the weights of consumers, one after the other, to what they read in the dense model or read now.</summary>
internal sealed class ConsumerFit
{
    private readonly FitRequest _request;
    private readonly CalibrationStatistics _statistics;
    private readonly WeightTable _weights;
    private readonly ICollection<string> _notes;
    private readonly Dictionary<Factor, ImmutableArray<int>> _keptOf;
    /// <summary>Numbers of the consumers of pruned groups.</summary>
    private readonly IReadOnlySet<int> _losing;
    private readonly SortedDictionary<string, float[]> _edited = new(StringComparer.Ordinal);
    private readonly SortedDictionary<int, float[]> _added = [];

    /// <param name="request">What is asked for; with statistics.</param>
    /// <param name="pruned">The groups that lose units.</param>
    public ConsumerFit(DenseModel model, FitRequest request, IReadOnlyCollection<Group> pruned)
    {
        (_request, _statistics, _weights) = (request, request.Statistics!, model.Weights);
        _notes = request.Notes ?? [];
        _keptOf = pruned.ToDictionary(g => g.Factor, g => request.Selection.Kept[g.Id]);
        _losing = pruned.Where(g => request.Method(g.Id) != Compensation.Merge).SelectMany(g => g.Consumers).Select(c => c.Id).ToHashSet();
    }

    /// <summary>What is changed so far, in the dense layout.</summary>
    public WeightEdits Edits => new(_edited, _added);

    /// <summary>Moments of consumers in the model as it is now, with those of the dense model; empty for the dense model alone.</summary>
    public IReadOnlyDictionary<int, PairedStatistics> Paired { get; set; } = new Dictionary<int, PairedStatistics>();

    /// <summary>Fits the scale and the shift of a normalisation, where what reads it was observed.</summary>
    public void Fit(NormAffine norm)
    {
        if (Paired.TryGetValue(norm.Consumer.Id, out var seen) && norm.Fit(seen, Kept(norm.Consumer), _weights) is { } fitted)
            foreach (var (name, elements) in fitted) _edited[name] = elements;
        else Note(norm.Consumer, $"reads '{norm.Scale}', which stays as it is: what it scales could not be observed");
    }

    /// <summary>Merges removed experts into kept ones; what was fitted inside of them is averaged as well.</summary>
    public void Merge(ExpertMerging merging, Group group) => merging.Merge(group, _request.Selection.Kept[group.Id], _edited, _added);

    private int[] Kept(Consumer consumer)
        => consumer.Contracted.KeptIndices(f => _keptOf.TryGetValue(f, out var k) ? k : (ImmutableArray<int>?)null);

    /// <summary>
    /// Unit of every index of a contracted axis, from 0: the indices that are in the same unit of each pruned group; −1 for those in none.
    /// </summary>
    private static int[] Units(Term contracted, IReadOnlyList<Factor> pruned)
    {
        var maps = pruned.Where(f => contracted.Leaves.Contains(f)).Select(contracted.UnitMap).ToList();
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, (int)contracted.Size!.Value).Select(k =>
        {
            if (maps.TrueForAll(m => m[k] < 0)) return -1;
            string unit = string.Join(' ', maps.Select(m => m[k]));
            return numbers.TryGetValue(unit, out int number) ? number : numbers[unit] = numbers.Count;
        })];
    }

    /// <summary>Fits the weight that consumers share, or corrects their biases.</summary>
    /// <param name="consumers">Consumers that read one weight in one way.</param>
    /// <param name="method">The most demanding way that a rule asks for.</param>
    public void Fit(IReadOnlyList<Consumer> consumers, Compensation method)
    {
        var first = consumers[0];
        int[] kept = Kept(first), units = Units(first.Contracted, [.. _keptOf.Keys]);
        if (kept.Length == first.Contracted.Size && !consumers.Any(c => Paired.ContainsKey(c.Id))) return;
        if (_weights.Shape(first.Parameter) is not { } shape)
        {
            Note(first, "is not compensated: its weight is made by a node, not held in the file");
            return;
        }
        if (ConsumerMatrix.Create(first, shape) is not { } matrix)
        {
            Note(first, "is not compensated: its weight has a form that compensation does not know");
            return;
        }
        if (first.Kind == ConsumerKind.Convolution && first.OutputAxis != 0)
        {
            if (kept.Length < shape[first.ParameterAxis])
                Note(first, "is not compensated: what a removed channel adds through a transposed convolution differs from position to "
                    + "position");
            return;
        }
        var stays = Flags(kept, matrix.Inputs);
        int[] features = [.. Enumerable.Range(0, matrix.Features).Where(f => stays[f / matrix.Window])];
        var observed = consumers.Select(c => new Observed(c, Moments(c, matrix, features), Means(c, matrix, features))).ToList();
        foreach (var one in observed.Where(r => r.Means is null))
            Note(one.Consumer, "is not compensated: calibration has no statistics of its input");
        float[] weight = _weights.Floats(first.Parameter);
        if (CompensationRow.Get(method).Needs.HasFlag(Needs.Covariance) && observed.All(r => r.Means is not null)
            && Refit(observed, matrix, weight, features, method, units)) return;
        foreach (var one in observed.Where(r => r.Means is not null))
        {
            if (TakesBias(one.Consumer, matrix))
                AddToBias(one.Consumer, matrix, BiasChange(matrix, weight, weight, features, one.Means!));
            else if (features.Length < matrix.Features)
                Note(one.Consumer, "is not compensated: it has no bias of its own that could take the change");
        }
    }

    /// <summary>A consumer with what it reads, per matrix: joint moments, where there are covariances, and means.</summary>
    private sealed record Observed(Consumer Consumer, ConsumerMoments[]? Moments, (double[] Dense, double[] Kept)[]? Means);

    private ConsumerMoments[]? Moments(Consumer consumer, ConsumerMatrix matrix, int[] features)
    {
        if (Paired.TryGetValue(consumer.Id, out var paired))
        {
            if (matrix.Batches != 1 || ConsumerMoments.Create(paired, matrix, features.Length) is not { } joint) return null;
            var alone = _statistics.Consumers.TryGetValue(consumer.Id, out var dense)
                ? ConsumerMoments.Covariances(dense, matrix, 0)
                : null;
            return [joint with { Dense = alone?.Covariance }];
        }
        if (!_statistics.Consumers.TryGetValue(consumer.Id, out var statistics)) return null;
        var moments = new ConsumerMoments[matrix.Batches];
        for (int b = 0; b < moments.Length; b++)
        {
            if (ConsumerMoments.Create(statistics, matrix, b, features) is not { } own) return null;
            moments[b] = own;
        }
        return moments;
    }

    private (double[] Dense, double[] Kept)[]? Means(Consumer consumer, ConsumerMatrix matrix, int[] features)
    {
        if (Paired.TryGetValue(consumer.Id, out var paired))
            return matrix.Batches == 1 && paired.DenseMean.Length == matrix.Features && paired.SlimMean.Length == features.Length
                ? [(paired.DenseMean, paired.SlimMean)]
                : null;
        if (!_statistics.Consumers.TryGetValue(consumer.Id, out var statistics) || matrix.Accessor(statistics, m => m.Mean) is not { } mean)
            return null;
        return [.. Enumerable.Range(0, matrix.Batches)
            .Select(b =>
                ((double[])[.. Enumerable.Range(0, matrix.Features).Select(f => mean(b, f))],
                    (double[])[.. features.Select(f => mean(b, f))]))];
    }

    /// <summary>Refits the weight on its kept inputs and corrects the biases; false where only the bias can be corrected.</summary>
    private bool Refit(List<Observed> observed, ConsumerMatrix matrix, float[] weight, int[] features, Compensation method, int[] units)
    {
        var first = observed[0].Consumer;
        string? obstacle =
            _weights.Uses(first.Parameter) != observed.Count ? $"'{first.Parameter}' is read elsewhere too"
            : observed.Any(r => r.Moments is null) ? "calibration has no covariance of its input"
            : null;
        if (obstacle is not null)
        {
            Note(first, $"is compensated by its bias alone: {obstacle}");
            return false;
        }
        // Without a bias the mean cannot be kept apart: then the best weights follow from the moments about zero.
        bool centred = observed.All(r => TakesBias(r.Consumer, matrix));
        ConsumerMoments[] pooled = [.. Enumerable.Range(0, matrix.Batches)
            .Select(b => ConsumerMoments.Pool([.. observed.Select(r => r.Moments![b])]))];
        var fit = new MatrixFit(method, matrix.Outputs, features, [.. features.Select(f => units[f / matrix.Window])], centred,
            _request.LeavesOutHeldOut);
        var edited = (float[])weight.Clone();
        for (int b = 0; b < matrix.Batches; b++)
        {
            double[] dense = matrix.Matrix(weight, b);
            if (fit.Change(dense, pooled[b], out string? why) is not { } change)
            {
                Note(first, "is compensated by its bias alone" + (matrix.Batches > 1 ? $" at index {b} of its batch" : "") + $": {why}");
                continue;
            }
            for (int o = 0, at = 0; o < matrix.Outputs; o++)
                foreach (int f in features) edited[matrix.Offset(b, o, f)] = (float)(dense[(o * matrix.Features) + f] + change[at++]);
        }
        float[] elements = _weights.Elements(first.Parameter, edited);
        if (_weights.IsQuantized(first.Parameter))
        {
            // Equal variance is no smaller error, so only the others are judged by it.
            edited = _weights.Numbers(first.Parameter, elements);
            if (method != Compensation.Affine && !(Loss(edited) < Loss(weight)))
            {
                Note(first, "is compensated by its bias alone: within the range of the weight's integers a refit has a larger error");
                return false;
            }
        }
        _edited[first.Parameter] = elements;
        foreach (var one in centred ? observed : [])
            AddToBias(one.Consumer, matrix, BiasChange(matrix, weight, edited, features, one.Means!));
        return true;

        double Loss(float[] numbers)
            => Enumerable.Range(0, matrix.Batches)
                .Sum(b => LeastSquares.Loss(matrix.Matrix(weight, b), matrix.Matrix(numbers, b), matrix.Outputs, centred
                    ? pooled[b]
                    : pooled[b].AboutZero(), features));
    }

    /// <summary>Mean of what the inputs added to every output channel in the dense model, less what they add now.</summary>
    private static double[] BiasChange(ConsumerMatrix matrix, float[] dense, float[] edited, int[] features,
        (double[] Dense, double[] Kept)[] means)
    {
        var added = new double[matrix.Batches * matrix.Outputs];
        for (int b = 0; b < matrix.Batches; b++)
        {
            var (mean, left) = means[b];
            var now = new double[matrix.Features];
            var stays = new bool[matrix.Features];
            for (int k = 0; k < features.Length; k++) (now[features[k]], stays[features[k]]) = (left[k], true);
            for (int f = 0; f < matrix.Features; f++)
            {
                for (int o = 0; o < matrix.Outputs; o++)
                {
                    int at = matrix.Offset(b, o, f);
                    added[matrix.OutputChannel(b, o)] += (dense[at] * mean[f]) - (stays[f] ? edited[at] * now[f] : 0);
                }
            }
        }
        return added;
    }

    /// <summary>Whether the consumer has a bias that nothing else reads, or can be given one.</summary>
    private bool TakesBias(Consumer consumer, ConsumerMatrix matrix)
    {
        int channels = matrix.Batches * matrix.Outputs;
        if (consumer.HasComputedBias || consumer.BiasScale == 0) return false;
        // A layer that loses nothing keeps its nodes.
        if (consumer.Bias is not { } bias)
            return _losing.Contains(consumer.Id) && (consumer.Kind == ConsumerKind.Convolution || matrix.Batches == 1);
        if (_weights.Shape(bias) is not { } shape || _weights.Uses(bias) != 1) return false;
        long count = shape.Aggregate(1L, (a, b) => a * b);
        return count == channels || (matrix.Batches == 1 && shape.Length > 0 && shape[^1] == channels);
    }

    private void AddToBias(Consumer consumer, ConsumerMatrix matrix, double[] added)
    {
        if (Array.TrueForAll(added, v => v == 0)) return;
        added = Array.ConvertAll(added, v => v * consumer.BiasScale);
        if (consumer.Bias is not { } bias)
        {
            _added[consumer.Id] = Array.ConvertAll(added, v => (float)v);
            return;
        }
        float[] values = _weights.Floats(bias);
        for (int i = 0; i < values.Length; i++) values[i] = (float)(values[i] + added[i % added.Length]);
        _edited[bias] = _weights.Elements(bias, values);
    }

    /// <summary>Says so of a consumer of a pruned group; of others nothing was asked.</summary>
    public void Note(Consumer consumer, string what)
    {
        if (_losing.Contains(consumer.Id)) _notes.Add($"{consumer.Node} (weight '{consumer.Parameter}') {what}.");
    }

    private static bool[] Flags(int[] kept, int size)
    {
        var flags = new bool[size];
        foreach (int i in kept) flags[i] = true;
        return flags;
    }
}
