using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Roles;

/// <summary>Walks from a tensor to what it was made from, up to products.</summary>
/// <param name="follows">Which tensors count, and are gone beyond.</param>
internal sealed class Upstream(InferenceState state, Predicate<TensorState> follows)
{
    /// <summary>The nearest nodes of a kind.</summary>
    public List<NodeRecord> Nearest(TensorState from, Predicate<NodeRecord> wanted)
        => [.. Walk(from, wanted).Select(step => step.Maker).OfType<NodeRecord>().Where(maker => wanted(maker))];

    /// <summary>The tensor and those before it, nearest first, each with its maker; nothing before a maker that ends the walk.</summary>
    public IEnumerable<(TensorState Tensor, NodeRecord? Maker)> Walk(TensorState from, Predicate<NodeRecord> ends)
    {
        var seen = new HashSet<TensorState>();
        var open = new Queue<TensorState>([from]);
        while (open.TryDequeue(out var tensor))
        {
            if (!follows(tensor) || !seen.Add(tensor)) continue;
            var maker = tensor.Producer < 0 ? null : state.Records[tensor.Producer];
            yield return (tensor, maker);
            if (maker is not { Contraction: null } || ends(maker)) continue;
            foreach (var input in maker.Inputs.OfType<TensorState>()) open.Enqueue(input);
        }
    }
}
