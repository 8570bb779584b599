using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;

namespace Espalier.Calibration.Checks;

/// <summary>
/// The right class of every row of an output, for <see cref="Metric.TaskLoss"/>. Where there are labels, and one for each row,
/// those; else of an output [batch, sequence, classes] beside an integer input [batch, sequence] whose numbers are classes, the
/// next token: then text is all that a language model needs (the likelihood by which SLEB, arXiv:2402.09025, chooses).
/// </summary>
public sealed class Targets
{
    private readonly LookupTables _tables;
    private readonly Dictionary<IReadOnlyDictionary<string, NamedTensor>, long[]> _labels = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, long?> _rows = new(StringComparer.Ordinal);

    /// <param name="labels">One array per sample, with a class for each of its rows, negative for none; null without labels.</param>
    /// <exception cref="EspalierException">There are fewer labels than samples.</exception>
    public Targets(OnnxModel model, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? samples = null,
        IReadOnlyList<long[]>? labels = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _tables = new LookupTables(model);
        if (samples is null || labels is null) return;
        if (labels.Count < samples.Count)
            throw new EspalierException(
                $"There are {samples.Count} calibration samples and {labels.Count} labels. Give a label for every sample, in their order.");
        foreach (var (sample, own) in samples.Zip(labels)) _labels[sample] = own;
    }

    /// <summary>Classes of an output's rows; null where none are known.</summary>
    /// <param name="output">What the dense model gives for a batch.</param>
    /// <param name="batch">The samples of the batch, in order.</param>
    /// <exception cref="EspalierException">A label is no class of the output.</exception>
    public long[]? Of(NamedTensor output, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> batch)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(batch);
        if (!OutputComparison.IsFloat(output) || output.Shape.Count is not (2 or 3) || output.Shape[^1] < 2) return null;
        long classes = output.Shape[^1], rows = output.Values.LongLength / classes;
        if (batch.All(_labels.ContainsKey) && batch.Sum(s => _labels[s].LongLength) == rows)
        {
            long[] own = [.. batch.SelectMany(s => _labels[s])];
            return own.FirstOrDefault(l => l >= classes, -1) is >= 0 and var wrong
                ? throw new EspalierException($"The labels have {wrong}, but the output '{output.Name}' has {classes} classes, 0 to "
                    + $"{classes - 1}. Give the labels of this model's classes.") : own;
        }
        if (output.Shape.Count != 3 || TokensOf(output.Shape, batch) is not { } tokens) return null;
        long length = output.Shape[1];
        return [.. Enumerable.Range(0, (int)rows).Select(r => r % length < length - 1 ? tokens[r + 1] : -1)];
    }

    /// <summary>Classes by output, of those outputs that have any.</summary>
    /// <param name="outputs">What the dense model gives for a batch.</param>
    /// <param name="batch">The samples of the batch, in order.</param>
    /// <exception cref="EspalierException">No output has any.</exception>
    public IReadOnlyDictionary<string, long[]> Of(IReadOnlyDictionary<string, NamedTensor> outputs,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> batch)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        var found = outputs.Select(o => (o.Key, Rows: Of(o.Value, batch))).Where(o => o.Rows is not null)
            .ToDictionary(o => o.Key, o => o.Rows!, StringComparer.Ordinal);
        return found.Count > 0 ? found : throw Missing(outputs.Values);
    }

    /// <summary>Says that there is nothing to compare answers with.</summary>
    internal EspalierException Missing(IEnumerable<NamedTensor> outputs)
    {
        string given = string.Join(", ", outputs.Select(o => $"'{o.Name}' [{string.Join(',', o.Shape)}]"));
        return new(_labels.Count > 0
            ? $"TaskLoss: no output has as many rows of classes as there are labels: {given}, and {_labels.Values.First().Length} a "
                + "sample. Give one class for every row, or use KullbackLeibler."
            : $"TaskLoss compares the model's answers with labels, and there are none: no output of {given} has one row of classes per "
                + "token of an integer input whose tokens are these classes. "
            + "Give labels (--labels FILE, an array 'labels' in an .npz, or [Calibration(Labels = …)]), or use KullbackLeibler, which "
            + "needs none.");
    }

    /// <summary>The tokens that the classes are about, in the order of the rows.</summary>
    private long[]? TokensOf(IReadOnlyList<long> logits, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> batch)
    {
        var joined = SampleBatches.Join(batch).ToDictionary(t => t.Name, StringComparer.Ordinal);
        return TokenInput(logits, [.. joined.Values]) is { } name ? Longs(joined[name]) : null;
    }

    /// <summary>
    /// The integer input [batch, sequence] whose numbers are classes of the output. Masks, types and positions have such a
    /// shape too: of several only the one that looks up a table with a row per class counts.
    /// </summary>
    internal string? TokenInput(IReadOnlyList<long> logits, IReadOnlyList<NamedTensor> inputs)
    {
        var shaped = inputs.Where(i => i.ElementType is "int64" or "int32" && i.Shape.SequenceEqual(logits.Take(2))).ToList();
        var own = shaped.Count == 1 ? shaped : [.. shaped.Where(i => RowsOf(i.Name) == logits[^1])];
        return own.Count == 1 && Longs(own[0]).All(v => v >= 0 && v < logits[^1]) ? own[0].Name : null;
    }

    private long? RowsOf(string input)
    {
        if (!_rows.TryGetValue(input, out var rows)) _rows[input] = rows = _tables.Rows(input);
        return rows;
    }

    private static long[] Longs(NamedTensor t) => t.Values as long[] ?? Array.ConvertAll((int[])t.Values, v => (long)v);
}
