using Espalier.Axes.Graph;
using Espalier.Onnx.Graphs;

namespace Espalier.Axes.Groups;

/// <summary>The sublayer with which a node or a tensor goes: the one that it is in, or the only one that reads what it makes.</summary>
internal sealed class SublayerOwners
{
    /// <summary>It stays.</summary>
    private const int None = -1;

    /// <summary>Nothing reads it, so it stays as it is.</summary>
    private const int Unread = -2;

    private readonly int[] _nodes;
    private readonly Dictionary<TensorState, int> _tensors = [];
    private readonly Dictionary<string, int> _results = new(StringComparer.Ordinal);

    /// <param name="records">The nodes in graph order.</param>
    /// <param name="graphOutputs">What the graph gives.</param>
    public SublayerOwners(IReadOnlyList<NodeRecord> records, IReadOnlyList<Block> blocks, IEnumerable<TensorState> graphOutputs)
    {
        foreach (var output in graphOutputs) _tensors[output.Source ?? output] = None;
        _nodes = new int[records.Count];
        Array.Fill(_nodes, Unread);
        // A node inside nested regions belongs to the smallest. The sum stays: what else is added goes on through it.
        foreach (var block in blocks.Where(b => b.IsSublayer).OrderByDescending(b => b.Nodes.Length))
            foreach (int node in block.Nodes[..^1]) _nodes[node] = block.Id;
        foreach (var block in blocks.Where(b => b.IsSublayer)) _nodes[block.Nodes[^1]] = None;
        // Readers come after what they read.
        for (int k = records.Count - 1; k >= 0; k--)
        {
            var record = records[k];
            int owner = _nodes[k];
            if (owner == Unread)
            {
                foreach (var output in record.Outputs) owner = Both(owner, _tensors.GetValueOrDefault(output, Unread));
                // Graphs inside of a node are walked after it; what is in them goes with it, and it never goes.
                if (record.Info.Scope != 0 || record.Info.Proto.Subgraphs().Any()) owner = None;
                _nodes[k] = owner;
            }
            foreach (var input in record.Inputs.OfType<TensorState>().Select(i => i.Source ?? i))
                _tensors[input] = Both(_tensors.GetValueOrDefault(input, Unread), owner);
            foreach (string output in record.Info.Proto.Output) _results[output] = owner;
        }
    }

    /// <summary>Of a node, by its number; −1 where it stays.</summary>
    public int Of(int ordinal) => Math.Max(None, _nodes[ordinal]);

    /// <summary>Of a tensor; −1 where it stays.</summary>
    public int Of(TensorState tensor) => Math.Max(None, _tensors.GetValueOrDefault(tensor, Unread));

    /// <summary>Of the node that makes a value, by its name; −1 where it stays or none does.</summary>
    public int OfResult(string name) => Math.Max(None, _results.GetValueOrDefault(name, None));

    private static int Both(int a, int b) => a == Unread ? b : b == Unread || a == b ? a : None;
}
