using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Weights;

/// <summary>Which indices of the dense model's activations stay: where to look in them for what the slim model has.</summary>
/// <param name="inputs">Shapes of the graph's inputs in the run, by name.</param>
internal sealed class KeptUnits(AxisAnalysis analysis, Selection selection, IReadOnlyDictionary<string, IReadOnlyList<long>> inputs)
{
    private readonly Dictionary<Factor, ImmutableArray<int>> _kept = analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id))
        .ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);

    private readonly Dictionary<Factor, long> _sizes = Sizes(analysis, inputs);

    private readonly Dictionary<string, DataType> _types = analysis.State.Records.Where(r => r.Info.Scope == 0).SelectMany(r => r.Outputs)
        .GroupBy(t => t.Name, StringComparer.Ordinal)
        .ToDictionary(g => g.Key, g => (DataType)g.First().ElementType, StringComparer.Ordinal);

    /// <summary>
    /// Whether a tensor is known to hold numbers that change by rounding only: floating-point ones, or a quantised activation's.
    /// </summary>
    public bool IsComparable(string tensor) => _types.GetValueOrDefault(tensor)
        is DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16 or DataType.Int8 or DataType.Uint8;

    /// <summary>Kept indices per axis, null for an axis that stays whole.</summary>
    /// <param name="tensor">A tensor of the dense model.</param>
    /// <param name="shape">Its shape in the run.</param>
    /// <returns>Null where the terms do not tell.</returns>
    public int[]?[]? Of(string tensor, IReadOnlyList<long> shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (analysis.TermsOf(tensor) is not { } terms || terms.Count != shape.Count) return null;
        var kept = new int[]?[shape.Count];
        for (int axis = 0; axis < kept.Length; axis++)
        {
            if (!terms[axis].Leaves.Any(_kept.ContainsKey)) continue;
            if (SizesIn(terms[axis], shape[axis]) is not { } size) return null;
            kept[axis] = terms[axis].KeptIndices(f => _kept.TryGetValue(f, out var units) ? units : null, f => size(f));
        }
        return kept;
    }

    /// <summary>The sizes of an axis's factors in the run: those of inputs are known, and one that is not follows from the axis.</summary>
    private Func<Factor, long?>? SizesIn(Term term, long size)
    {
        long? Known(Factor f) => f.Size ?? (_sizes.TryGetValue(f, out long n) ? n : null);
        long? At(Func<Factor, long?> sizes) => Polynomial.Of(term, sizes).Value;
        var open = term.Leaves.Where(f => Known(f) is null).Distinct().ToList();
        if (open.Count == 0) return At(Known) == size ? Known : null;
        if (open.Count > 1) return null;
        // The size grows evenly with a factor that occurs once; where it does not, the check below fails.
        long? least = At(f => f == open[0] ? 0 : Known(f)), step = At(f => f == open[0] ? 1 : Known(f)) - least;
        if (step is not > 0) return null;
        long only = (size - least!.Value) / step.Value;
        long? All(Factor f) => f == open[0] ? only : Known(f);
        return At(All) == size ? All : null;
    }

    private static Dictionary<Factor, long> Sizes(AxisAnalysis analysis, IReadOnlyDictionary<string, IReadOnlyList<long>> inputs)
    {
        var sizes = new Dictionary<Factor, long>();
        foreach (var (name, shape) in inputs)
        {
            if (analysis.TermsOf(name) is not { } terms || terms.Count != shape.Count) continue;
            for (int axis = 0; axis < terms.Count; axis++)
                if (terms[axis].Leaves is [{ Size: null } factor] && Polynomial.Of(terms[axis], _ => 2).Value == 2)
                    sizes.TryAdd(factor, shape[axis]);
        }
        return sizes;
    }
}
