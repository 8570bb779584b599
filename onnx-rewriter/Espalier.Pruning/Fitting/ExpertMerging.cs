using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Terms;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>
/// Merges removed experts into kept ones (STUN, arXiv:2409.06211; UNCURL, arXiv:2409.01483): each into the kept one whose
/// router row is nearest, if their weights are alike. Weights and router rows become means, weighted by use p; the router gives
/// the expert the probability of all of them, by ln(Σp / p) more in its logit.
/// </summary>
internal sealed class ExpertMerging(DenseModel model, CalibrationStatistics statistics, ICollection<string> notes)
{
    /// <summary>
    /// Most ‖a − b‖² / (‖a‖² + ‖b‖²) of two experts that are merged. Of equal ones it is 0; of unrelated ones 1, and their mean is neither.
    /// </summary>
    public const double Alike = 0.5;

    private readonly AxisAnalysis _analysis = model.Analysis;
    private readonly WeightTable _weights = model.Weights;

    /// <summary>Changes weights in the dense layout.</summary>
    /// <param name="edited">Weights that are changed already, as the file holds them; gets more.</param>
    /// <param name="added">Biases that consumers get; gets the router's.</param>
    public void Merge(Group group, IReadOnlyCollection<int> kept, IDictionary<string, float[]> edited, IDictionary<int, float[]> added)
    {
        if (RouterRows.Find(_analysis, group, model.Places, _weights) is not { } rows)
        {
            notes.Add($"Group '{group.Name}' is not merged: no router of the file chooses its units.");
            return;
        }
        var own = group.Occurrences.Where(o => o.Term.Resolved is FactorTerm && _weights.IsMeasurable(o.Tensor)).ToList();
        var numbers = own.Select(o => o.Tensor).Distinct(StringComparer.Ordinal).ToDictionary(t => t,
            t => edited.TryGetValue(t, out var e) ? (float[])_weights.Numbers(t, e).Clone() : _weights.Floats(t), StringComparer.Ordinal);
        var merged = Pairs(group, kept, rows, own, numbers);
        int gone = group.Size - kept.Count, joined = merged.Values.Sum(m => m.Count - 1);
        if (joined < gone)
            notes.Add($"{gone - joined} of the {gone} removed units of group '{group.Name}' are not merged: their weights are unlike "
                + $"those that stay.{(joined == 0 ? " Nothing is merged, so the method is plain removal here." : "")}");
        if (joined == 0) return;
        if (SignalScores.Signals(_analysis, group, Criterion.RouterUse).FirstOrDefault() is { Chosen: > 0 and var k })
            notes.Add(FormattableString.Invariant($"Group '{group.Name}' is merged, but its router chooses {k} of its units: what were ")
                + "several of them took a place each and now take one, so another takes the rest, and even equal ones do not merge "
                + "without a trace.");
        double[] use = Use(group);
        foreach (var place in own) Average(numbers[place.Tensor], place, merged, use);
        Raise(group, merged, use, numbers, added);
        foreach (var (tensor, values) in numbers) edited[tensor] = _weights.Elements(tensor, values);
    }

    /// <summary>By kept expert, itself and those that are merged into it.</summary>
    private SortedDictionary<int, List<int>> Pairs(Group group, IReadOnlyCollection<int> kept, RouterRows rows, List<Occurrence> own,
        Dictionary<string, float[]> numbers)
    {
        var router = RouterRows.Weights(_analysis, group, model.Places).Select(p => p.Tensor).ToHashSet(StringComparer.Ordinal);
        var compared = own.Where(p => !router.Contains(p.Tensor) && _weights.Shape(p.Tensor)!.Length > 1).ToList();
        var merged = new SortedDictionary<int, List<int>>();
        var stays = kept.ToHashSet();
        foreach (int expert in Enumerable.Range(0, group.Size).Where(e => !stays.Contains(e)))
        {
            int into = kept.OrderBy(k => rows.Distance(expert, k)).ThenBy(k => k).First();
            if (!AreAlike(expert, into, compared, numbers)) continue;
            if (!merged.TryGetValue(into, out var members)) merged[into] = members = [into];
            members.Add(expert);
        }
        return merged;
    }

    private bool AreAlike(int a, int b, List<Occurrence> places, Dictionary<string, float[]> numbers)
    {
        double apart = 0, size = 0;
        foreach (var place in places)
        {
            float[] values = numbers[place.Tensor];
            var (inner, step) = Strides(place);
            for (int outer = 0; outer < values.Length; outer += step)
                for (int i = 0; i < inner; i++)
                {
                    double x = values[outer + (a * inner) + i], y = values[outer + (b * inner) + i];
                    apart += (x - y) * (x - y);
                    size += (x * x) + (y * y);
                }
        }
        return apart <= Alike * size;
    }

    /// <summary>How much each expert is used; equal where that was not measured.</summary>
    private double[] Use(Group group)
    {
        double[] use = SignalScores.Mean(_analysis, group, Criterion.RouterUse, statistics) ?? [];
        if (use.Length == 0 || use.Sum() <= 0) use = [.. Enumerable.Repeat(1.0, group.Size)];
        // An expert that no sample needed counts a little: weights must not be divided by nothing.
        double least = use.Sum() * 1e-9;
        return [.. use.Select(u => Math.Max(u, least))];
    }

    private void Average(float[] values, Occurrence place, SortedDictionary<int, List<int>> merged, double[] use)
    {
        var (inner, step) = Strides(place);
        foreach (var (into, members) in merged)
        {
            double total = members.Sum(m => use[m]);
            for (int outer = 0; outer < values.Length; outer += step)
                for (int i = 0; i < inner; i++)
                    values[outer + (into * inner) + i] = (float)members.Sum(m => use[m] / total * values[outer + (m * inner) + i]);
        }
    }

    /// <summary>Elements of one index of an axis, and of all of them.</summary>
    private (int Inner, int Step) Strides(Occurrence place)
    {
        int[] shape = _weights.Shape(place.Tensor)!;
        int inner = shape[(place.Axis + 1)..].Aggregate(1, (a, b) => a * b);
        return (inner, inner * shape[place.Axis]);
    }

    /// <summary>The router's logit of a merged expert stands for all that it holds.</summary>
    private void Raise(Group group, SortedDictionary<int, List<int>> merged, double[] use, Dictionary<string, float[]> numbers,
        IDictionary<int, float[]> added)
    {
        var raise = new float[group.Size];
        foreach (var (into, members) in merged) raise[into] = (float)Math.Log(members.Sum(m => use[m]) / use[into]);
        foreach (var place in RouterRows.Weights(_analysis, group, model.Places))
        {
            var reader = _analysis.Consumers.FirstOrDefault(c => c.Parameter == place.Tensor && c.OutputAxis == place.Axis);
            if (reader is { Bias: { } bias } && numbers.TryGetValue(bias, out float[]? values) && values.Length == raise.Length
                && _weights.Uses(bias) == 1)
                for (int e = 0; e < raise.Length; e++) values[e] += raise[e];
            else if (reader is { Bias: null, HasComputedBias: false })
                added[reader.Id] = added.TryGetValue(reader.Id, out float[]? has) ? [.. has.Zip(raise, (a, b) => a + b)] : raise;
            else notes.Add($"Group '{group.Name}' is merged, but its router ('{place.Tensor}') has no bias that could take the "
                + "probability of what is gone.");
        }
    }
}
