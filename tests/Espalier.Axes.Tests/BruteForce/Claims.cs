using System.Globalization;
using Espalier.Axes.Groups;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.BruteForce;

/// <summary>
/// Compares what the inference says of every tensor with what a run shows: its sizes, and where it claims zeros. A claim that
/// does not hold need not show in the outputs of this model, and would make the next one wrong.
/// </summary>
internal static class Claims
{
    /// <summary>Removes the units of a selection from the masked model and looks at every tensor.</summary>
    /// <returns>How many claims of zero were compared: a tensor and a group each.</returns>
    public static int Check(AxisAnalysis analysis, Selection selection, int seed = 1, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var slim = Surgery.Apply(analysis, selection);
        // The tensors are compared with their dense terms, so inputs and outputs stay as they are.
        var graph = analysis.Model.Proto.Graph;
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var face = graph.Input.Concat(graph.Output).Select(v => v.Name).Where(n => !weights.Contains(n)).ToHashSet(StringComparer.Ordinal);
        using var masked = MaskedModel.Build(analysis.Model, slim.Removed.Where(r => !face.Contains(r.Key))
            .ToDictionary(r => r.Key, r => r.Value));
        var inputs = SeededInputs.For(analysis.Model, seed, sizes);
        try
        {
            var trace = Trace.Run(analysis, masked, inputs);
            Sizes(analysis, trace);
            return Zeros(analysis, selection, trace);
        }
        finally
        {
            foreach (var value in inputs.Values) value.Dispose();
        }
    }

    private static void Sizes(AxisAnalysis analysis, Trace trace)
    {
        foreach (var (name, value) in trace.Tensors)
        {
            if (analysis.MainTensor(name)?.Terms is not { } terms) continue;
            bool fits = terms.Length == value.Shape.Length
                && terms.Zip(value.Shape).All(p => trace.SizeOf(p.First) is not { } size || size == p.Second);
            Assert.True(fits,
                $"'{name}' is [{string.Join(", ", terms.Select(t => t.ToString()))}], but was "
                    + $"[{string.Join(", ", value.Shape)}]\n{SlimOracle.Describe(analysis)}");
        }
    }

    private static int Zeros(AxisAnalysis analysis, Selection selection, Trace trace)
    {
        int compared = 0;
        foreach (var (id, kept) in selection.Kept)
        {
            var group = analysis.Groups[id];
            if (kept.Length == group.Size) continue;
            var removed = Enumerable.Range(0, group.Size).Select(u => !kept.Contains(u)).ToArray();
            foreach (var (name, value) in trace.Tensors)
            {
                if (value.Values.Length == 0) continue;
                if (analysis.MainTensor(name) is not { Terms: { } terms } tensor || !tensor.Zero.Contains(group.Factor)) continue;
                bool[]?[] gone = [.. terms.Select(t => trace.UnitMap(t, group.Factor)?.Select(u => u >= 0 && removed[u]).ToArray())];
                if (gone.Any(g => g is null)) continue;
                compared++;
                int at = Enumerable.Range(0, value.Values.Length)
                    .FirstOrDefault(i => value.Values[i] != 0 && Removed(i, value.Shape, gone!), -1);
                Assert.True(at < 0, string.Create(CultureInfo.InvariantCulture,
                    $"'{name}' of {tensor.Producer} is said to be zero at removed units of {group.Name}, but element {at} is "
                        + $"{value.Values[Math.Max(at, 0)]:g4}\n{SlimOracle.Describe(analysis, selection)}"));
            }
        }
        return compared;
    }

    private static bool Removed(int element, long[] shape, bool[][] gone)
    {
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            int index = (int)(element % shape[axis]);
            element = (int)(element / shape[axis]);
            if (gone[axis][index]) return true;
        }
        return false;
    }
}
