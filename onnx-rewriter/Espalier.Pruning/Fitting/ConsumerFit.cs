using System.Collections.Immutable;
using System.Numerics.Tensors;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Terms;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>Fits the weights of consumers, one after the other, to what they read in the dense model or read now.</summary>
internal sealed class ConsumerFit
{
    private readonly FitRequest _request;
    private readonly CalibrationStatistics _statistics;
    private readonly WeightTable _weights;
    private readonly AxisAnalysis _analysis;
    private readonly ICollection<string> _notes;
    private readonly Dictionary<Factor, ImmutableArray<int>> _keptOf;
    /// <summary>Numbers of the consumers of pruned groups.</summary>
    private readonly IReadOnlySet<int> _losing;
    private readonly RankReduction _ranks;
    private readonly SortedDictionary<string, float[]> _edited = new(StringComparer.Ordinal);
    private readonly SortedDictionary<int, float[]> _added = [];

    /// <param name="request">What is asked for; with statistics.</param>
    /// <param name="pruned">The groups that lose units.</param>
    public ConsumerFit(DenseModel model, FitRequest request, IReadOnlyCollection<Group> pruned)
    {
        (_request, _statistics, _weights, _analysis) = (request, request.Statistics!, model.Weights, model.Analysis);
        _notes = request.Notes ?? [];
        _keptOf = pruned.ToDictionary(g => g.Factor, g => request.Selection.Kept[g.Id]);
        _ranks = new(request.Ranks);
        _losing = pruned.Where(g => request.Method(g.Id) != Compensation.Merge).SelectMany(g => g.Consumers).Select(c => c.Id).ToHashSet();
    }

    /// <summary>What is changed so far, in the dense layout.</summary>
    public WeightEdits Edits => new(_edited, _added) { Factors = _ranks.Factors };

    /// <summary>Moments of consumers in the model as it is now, with their errors; empty for the dense model alone.</summary>
    public IReadOnlyDictionary<int, ErrorStatistics> Seen { get; set; } = new Dictionary<int, ErrorStatistics>();

    /// <summary>Where a consumer is observed in the slim model.</summary>
    public FitPoint PointOf(Consumer consumer)
    {
        var output = ConsumerMatrix.Create(consumer, _weights.Shape(consumer.Parameter) ?? []) is { Batches: 1 }
            ? _analysis.OutputOf(consumer)
            : null;
        return new(consumer, output, output is null ? [] : output.Channels.KeptIndices(KeptOf));
    }

    /// <summary>Where what a normalisation gives is observed.</summary>
    public FitPoint PointOf(NormAffine norm)
    {
        var consumer = norm.Consumer;
        return new(consumer, new(consumer.Activation, consumer.ActivationAxis, consumer.Contracted, []), Kept(consumer));
    }

    /// <summary>Fits the scale and the shift of a normalisation, where what reads it was observed.</summary>
    public void Fit(NormAffine norm)
    {
        if (Seen.TryGetValue(norm.Consumer.Id, out var seen) && norm.Fit(seen, Kept(norm.Consumer), _weights) is { } fitted)
            foreach (var (name, elements) in fitted) _edited[name] = elements;
        else Note(norm.Consumer, $"reads '{norm.Scale}', which stays as it is: what it scales could not be observed");
    }

    /// <summary>Merges removed experts into kept ones; what was fitted inside of them is averaged as well.</summary>
    public void Merge(ExpertMerging merging, Group group) => merging.Merge(group, _request.Selection.Kept[group.Id], _edited, _added);

    private int[] Kept(Consumer consumer) => consumer.Contracted.KeptIndices(KeptOf);

    private ImmutableArray<int>? KeptOf(Factor factor) => _keptOf.TryGetValue(factor, out var kept) ? kept : null;

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
        bool changes = kept.Length < first.Contracted.Size || _ranks.Has(first.Parameter);
        if (!changes && !consumers.Any(c => Seen.ContainsKey(c.Id))) return;
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
        var stays = kept.ToHashSet();
        int[] features = [.. Enumerable.Range(0, matrix.Features).Where(f => stays.Contains(f / matrix.Window))];
        float[] weight = _weights.Floats(first.Parameter);
        var observed = consumers.Select(c => Observe(c, matrix, weight, features)).ToList();
        foreach (var one in observed.Where(r => r.Errors is null))
            Note(one.Consumer, "is not compensated: calibration has no statistics of its input");
        if (CompensationRow.Get(method).Needs.HasFlag(Needs.Covariance) && observed.All(r => r.Errors is not null)
            && Refit(observed, matrix, weight, features, new(method, [.. features.Select(f => units[f / matrix.Window])],
                method != Compensation.Reconstruction && observed.All(r => TakesBias(r.Consumer, matrix)),
                _request.Sequential is not null), method)) return;
        foreach (var one in observed.Where(r => r.Errors is not null))
        {
            if (TakesBias(one.Consumer, matrix)) AddToBias(one, matrix, one.Errors!);
            else if (features.Length < matrix.Features)
                Note(one.Consumer, "is not compensated: it has no bias of its own that could take the change");
        }
    }

    /// <summary>A consumer with what it reads.</summary>
    /// <param name="Outputs">Output channels of one matrix that are seen.</param>
    /// <param name="Moments">Per matrix; null where there are no covariances.</param>
    /// <param name="Errors">Per matrix, what the mean of each output lacks; null where nothing is known.</param>
    private sealed record Observed(Consumer Consumer, int[] Outputs, FitMoments[]? Moments, double[][]? Errors);

    private Observed Observe(Consumer consumer, ConsumerMatrix matrix, float[] weight, int[] features)
    {
        if (Seen.TryGetValue(consumer.Id, out var seen) && PointOf(consumer) is { Output: { } output } point
            && seen.InputMean.Length == features.Length && seen.ErrorMean.Length == point.Outputs.Length)
        {
            var moments = FitMoments.Create(seen, ChannelGain.Of(output, point.Outputs, _weights, _analysis));
            return new(consumer, point.Outputs, [moments], [moments.ErrorMean]);
        }
        int[] all = [.. Enumerable.Range(0, matrix.Outputs)];
        if (!_statistics.Consumers.TryGetValue(consumer.Id, out var statistics)) return new(consumer, all, null, null);
        FitMoments?[] own = [.. Enumerable.Range(0, matrix.Batches)
            .Select(b => FitMoments.Create(statistics, matrix, b, matrix.Matrix(weight, b), features))];
        if (Array.TrueForAll(own, m => m is not null)) return new(consumer, all, own!, [.. own.Select(m => m!.ErrorMean)]);
        if (matrix.Accessor(statistics, m => m.Mean) is not { } mean) return new(consumer, all, null, null);
        return new(consumer, all, null, [.. Enumerable.Range(0, matrix.Batches)
            .Select(b => Lost(matrix, matrix.Matrix(weight, b), features, f => mean(b, f)))]);
    }

    /// <summary>Mean of what the features that are gone added to every output.</summary>
    private static double[] Lost(ConsumerMatrix matrix, double[] weight, int[] features, Func<int, double> mean)
    {
        var gone = Enumerable.Range(0, matrix.Features).Except(features).Select(f => (Feature: f, Mean: mean(f))).ToList();
        return [.. Enumerable.Range(0, matrix.Outputs).Select(o => gone.Sum(f => weight[(o * matrix.Features) + f.Feature] * f.Mean))];
    }

    /// <summary>Refits the weight on its kept inputs and corrects the biases; false where only the bias can be corrected.</summary>
    private bool Refit(List<Observed> observed, ConsumerMatrix matrix, float[] weight, int[] features, MatrixFit fit, Compensation method)
    {
        var first = observed[0].Consumer;
        int[] outputs = observed[0].Outputs;
        string? obstacle =
            _weights.Uses(first.Parameter) != observed.Count ? $"'{first.Parameter}' is read elsewhere too"
            : observed.Any(r => r.Moments is null) ? "calibration has no covariance of its input"
            : !observed.TrueForAll(r => r.Outputs.AsSpan().SequenceEqual(outputs)) ? "its readers are observed in different ways"
            : null;
        if (obstacle is not null)
        {
            Note(first, $"is compensated by its bias alone: {obstacle}");
            return false;
        }
        FitMoments[] pooled = [.. Enumerable.Range(0, matrix.Batches)
            .Select(b => FitMoments.Pool([.. observed.Select(r => r.Moments![b])]))];
        var edited = (float[])weight.Clone();
        for (int b = 0; b < matrix.Batches; b++)
        {
            double[] fitted = Kept(matrix, weight, b, outputs, features);
            if (fit.Change(fitted, pooled[b], out string? why) is { } change) TensorPrimitives.Add(fitted, change, fitted);
            else Note(first, "is compensated by its bias alone" + (matrix.Batches > 1 ? $" at index {b} of its batch" : "") + $": {why}");
            if (_ranks.Has(first.Parameter)) fitted = _ranks.Reduce(first.Parameter, fitted, matrix, outputs, features, pooled[b]);
            for (int o = 0, at = 0; o < outputs.Length; o++)
                foreach (int f in features)
                    edited[matrix.Offset(b, outputs[o], f)] = (float)fitted[at++];
        }
        float[] elements = _weights.Elements(first.Parameter, edited);
        if (_weights.IsQuantized(first.Parameter))
        {
            // Equal variance is no smaller error, so only the others are judged by it.
            edited = _weights.Numbers(first.Parameter, elements);
            if (method != Compensation.Affine && !(Enumerable.Range(0, matrix.Batches).Sum(Gain) < 0))
            {
                Note(first, "is compensated by its bias alone: within the range of the weight's integers a refit has a larger error");
                return false;
            }
        }
        if (!_ranks.Has(first.Parameter)) _edited[first.Parameter] = elements;
        foreach (var one in fit.IsCentred ? observed : [])
            AddToBias(one, matrix, [.. one.Moments!.Select((m, b) => MatrixFit.BiasOf(Change(b), m))]);
        return true;

        double[] Change(int b)
        {
            double[] now = Kept(matrix, edited, b, outputs, features);
            TensorPrimitives.Subtract<double>(now, Kept(matrix, weight, b, outputs, features), now);
            return now;
        }

        double Gain(int b) => LeastSquares.Gain(Change(b), fit.IsCentred ? pooled[b] : pooled[b].AboutZero());
    }

    /// <summary>The weights of some inputs of some outputs, row-major.</summary>
    private static double[] Kept(ConsumerMatrix matrix, float[] weight, int b, int[] outputs, int[] features)
    {
        var kept = new double[outputs.Length * features.Length];
        for (int o = 0, at = 0; o < outputs.Length; o++)
            foreach (int f in features) kept[at++] = weight[matrix.Offset(b, outputs[o], f)];
        return kept;
    }

    /// <summary>Whether the consumer has a bias that nothing else reads, or can be given one.</summary>
    private bool TakesBias(Consumer consumer, ConsumerMatrix matrix)
    {
        int channels = matrix.Batches * matrix.Outputs;
        if (consumer.HasComputedBias || consumer.BiasScale == 0) return false;
        // A layer that loses nothing keeps its nodes.
        if (consumer.Bias is not { } bias)
            return (_losing.Contains(consumer.Id) || _ranks.Has(consumer.Parameter))
                && (consumer.Kind == ConsumerKind.Convolution || matrix.Batches == 1);
        if (_weights.Shape(bias) is not { } shape || _weights.Uses(bias) != 1) return false;
        long count = shape.Aggregate(1L, (a, b) => a * b);
        return count == channels || (matrix.Batches == 1 && shape.Length > 0 && shape[^1] == channels);
    }

    /// <param name="added">What each output lacks, per matrix.</param>
    private void AddToBias(Observed one, ConsumerMatrix matrix, double[][] added)
    {
        var consumer = one.Consumer;
        var whole = new double[matrix.Batches * matrix.Outputs];
        for (int b = 0; b < matrix.Batches; b++)
            for (int o = 0; o < one.Outputs.Length; o++)
                whole[matrix.OutputChannel(b, one.Outputs[o])] = added[b][o] * consumer.BiasScale;
        if (Array.TrueForAll(whole, v => v == 0)) return;
        if (consumer.Bias is not { } bias)
        {
            _added[consumer.Id] = Array.ConvertAll(whole, v => (float)v);
            return;
        }
        float[] values = _weights.Floats(bias);
        for (int i = 0; i < values.Length; i++) values[i] = (float)(values[i] + whole[i % whole.Length]);
        _edited[bias] = _weights.Elements(bias, values);
    }

    /// <summary>Says so of a consumer of a pruned group; of others nothing was asked.</summary>
    public void Note(Consumer consumer, string what)
    {
        if (_losing.Contains(consumer.Id)) _notes.Add($"{consumer.Node} (weight '{consumer.Parameter}') {what}.");
    }
}
