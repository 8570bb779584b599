namespace Espalier.Onnx.Checks;

/// <summary>Which of numbered nodes need which others, collected node by node.</summary>
internal sealed class NodeOrder(int count)
{
    private readonly int[] _starts = new int[count + 1];
    private readonly List<int> _needed = [];
    private readonly bool[] _isNeeded = new bool[count];
    private int _collected;

    /// <summary>The node that is being collected needs another.</summary>
    public void Needs(int other)
    {
        _needed.Add(other);
        _isNeeded[other] = true;
    }

    /// <summary>All that the node needs has been said.</summary>
    public void Next() => _starts[++_collected] = _needed.Count;

    /// <summary>
    /// Every node behind those that it needs, as ONNX Runtime puts them: first the ones that need none, then depth first from the last one
    /// that nobody needs. Which names a graph inside of a node may not define again depends on this order.
    /// </summary>
    /// <param name="onCycle">A node, and one that it needs and that needs it in turn; nothing comes back then.</param>
    public int[]? Sort(out (int Node, int Needed) onCycle)
    {
        var order = new List<int>(count);
        var state = new Visit[count];
        for (var node = 0; node < count; node++)
        {
            if (Of(node).IsEmpty)
            {
                state[node] = Visit.Done;
                order.Add(node);
            }
        }
        var stack = new Stack<int>();
        // A cycle that leads nowhere has no end from which it would be found.
        foreach (var ends in (bool[])[true, false])
        {
            for (var node = 0; node < count; node++)
            {
                if (ends != _isNeeded[node] && state[node] == Visit.No)
                {
                    stack.Push(node);
                }
            }
            while (stack.TryPop(out var node))
            {
                if (state[node] == Visit.Open)
                {
                    state[node] = Visit.Done;
                    order.Add(node);
                }
                if (state[node] == Visit.Done)
                {
                    continue;
                }
                state[node] = Visit.Open;
                stack.Push(node);
                foreach (var needed in Of(node))
                {
                    if (state[needed] == Visit.Open)
                    {
                        onCycle = (node, needed);
                        return null;
                    }
                    if (state[needed] == Visit.No)
                    {
                        stack.Push(needed);
                    }
                }
            }
        }
        onCycle = default;
        return [.. order];
    }

    private Span<int> Of(int node)
    {
        var needed = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_needed)[_starts[node].._starts[node + 1]];
        needed.Sort();
        return needed;
    }

    private enum Visit : byte
    {
        No,
        Open,
        Done,
    }
}
