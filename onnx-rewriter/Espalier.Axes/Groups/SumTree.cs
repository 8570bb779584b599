using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Groups;

/// <summary>A sum of several tensors, in whatever order they are added: Adds and Sums whose results only the next one reads.</summary>
/// <param name="Root">The last of them.</param>
/// <param name="Leaves">What is added, with the node that adds it, in graph order of these nodes.</param>
internal sealed record SumTree(NodeRecord Root, List<(TensorState Tensor, NodeRecord Sum)> Leaves)
{
    /// <summary>All sums of the main graph with more than one computed operand, in graph order.</summary>
    /// <param name="readers">Ordinals of the nodes that read a tensor.</param>
    /// <param name="results">Outputs of the graph.</param>
    public static List<SumTree> Find(IReadOnlyList<NodeRecord> records, IReadOnlyDictionary<TensorState, List<int>> readers,
        IReadOnlySet<TensorState> results)
    {
        var trees = new List<SumTree>();
        foreach (var record in records)
        {
            if (!IsSum(record) || IsInner(record)) continue;
            var leaves = new List<(TensorState, NodeRecord)>();
            var open = new Stack<NodeRecord>([record]);
            while (open.TryPop(out var sum))
                foreach (var operand in Computed(sum))
                {
                    if (operand.Producer >= 0 && records[operand.Producer] is var inner && IsSum(inner) && IsInner(inner)) open.Push(inner);
                    else leaves.Add((operand, sum));
                }
            trees.Add(new(record, [.. leaves.OrderBy(l => l.Item2.Info.Ordinal)]));
        }
        return trees;

        // Its only reader adds it to something of the same shape.
        bool IsInner(NodeRecord sum)
            => !results.Contains(sum.Outputs[0]) && readers.GetValueOrDefault(sum.Outputs[0]) is [var only]
                && IsSum(records[only]) && HaveOneShape(sum.Outputs[0], records[only].Outputs[0]);
    }

    // Inside a branch the region's values may be captured; only the main graph is searched.
    private static bool IsSum(NodeRecord record) => IsAddition(record) && Computed(record).Take(2).Count() == 2;

    /// <summary>Whether the node of the main graph adds up its operands, constants among them.</summary>
    public static bool IsAddition(NodeRecord record)
        => record is { Info: { Scope: 0, Proto: { OpType: "Add" or "Sum", Domain: "" or "ai.onnx" } }, Outputs.Length: 1 };

    private static IEnumerable<TensorState> Computed(NodeRecord record) => record.Inputs.OfType<TensorState>().Where(i => !i.IsConstant);

    /// <summary>Whether two tensors have axes of the same sizes.</summary>
    public static bool HaveOneShape(TensorState a, TensorState b)
        => a.Terms is { } x && b.Terms is { } y && x.Length == y.Length
            && x.Zip(y).All(p => p.First.Resolved == p.Second.Resolved
                || Polynomial.Of(p.First, f => f.Size).Equals(Polynomial.Of(p.Second, f => f.Size)));
}
