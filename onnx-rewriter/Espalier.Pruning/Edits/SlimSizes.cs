using System.Collections.Immutable;
using Espalier.Axes.Terms;

namespace Espalier.Pruning.Edits;

/// <summary>Sizes of factors after pruning.</summary>
internal sealed class SlimSizes(Dictionary<Factor, ImmutableArray<int>> kept)
{
    public long? Size(Factor factor) => kept.TryGetValue(factor, out var units) ? units.Length : factor.Size;

    public bool Prunes(Factor factor) => kept.ContainsKey(factor);

    public bool Touches(Term term) => kept.Count > 0 && term.Leaves.Any(kept.ContainsKey);

    public int[] KeptIndices(Term term) => term.KeptIndices(f => kept.TryGetValue(f, out var units) ? units : null);

    /// <summary>Indices of the axis that go, ascending.</summary>
    public int[] RemovedIndices(Term term) => [.. Enumerable.Range(0, (int)term.Size!.Value).Except(KeptIndices(term))];

    public Polynomial Of(Term term) => Polynomial.Of(term, Size);
}
