namespace Espalier.Calibration.Checks;

/// <summary>
/// Mean divergence of the outputs of numbers; of those of which the metric says nothing, the squared error over the variance.
/// The task's loss is that of the outputs with labels alone: what else a model gives (caches, states) is no part of the task.
/// </summary>
/// <param name="outputs">Names of the outputs that count; none for all.</param>
internal sealed class DivergenceTally(Metric metric, IReadOnlyList<string>? outputs = null)
{
    private readonly Dictionary<string, OutputTally> _outputs = new(StringComparer.Ordinal);

    public double Mean
        => metric == Metric.TaskLoss ? _outputs.Values.Select(t => t.Divergence(metric)).OfType<double>().DefaultIfEmpty().Average()
        : _outputs.Count == 0 ? 0 : _outputs.Values.Average(t => t.Divergence(metric) ?? t.Divergence(Metric.RelativeError)!.Value);

    public void Add(IReadOnlyDictionary<string, NamedTensor> expected, IReadOnlyDictionary<string, NamedTensor> actual,
        IReadOnlyDictionary<string, long[]>? targets = null)
    {
        foreach (var (name, dense) in expected)
        {
            if (outputs is { Count: > 0 } && !outputs.Contains(name, StringComparer.Ordinal)) continue;
            if (!OutputComparison.IsFloat(dense) || !actual.TryGetValue(name, out var changed) || !dense.Shape.SequenceEqual(changed.Shape))
                continue;
            if (!_outputs.TryGetValue(name, out var tally)) _outputs[name] = tally = new OutputTally(metric, Metric.RelativeError);
            tally.Add(dense, changed, targets?.GetValueOrDefault(name));
        }
    }
}
