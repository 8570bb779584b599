using Espalier.Axes.Operators.Table;
using Espalier.Onnx;

namespace Espalier.Calibration.Graph;

/// <summary>Which tables an input looks up.</summary>
internal sealed class LookupTables(OnnxModel model)
{
    private readonly Dictionary<string, IReadOnlyList<long>> _weights = GraphFacts.WeightShapes(model);

    /// <summary>Rows of the smallest table whose indices come from the input unchanged; null where there is none.</summary>
    public long? Rows(string input)
    {
        var from = new HashSet<string>(StringComparer.Ordinal) { input };
        long? rows = null;
        foreach (var node in model.Proto.Graph.Node)
        {
            if (node.Input.Count == 0) continue;
            if (node.OpType == "Gather" && node.Input.Count > 1 && from.Contains(node.Input[1])
                && _weights.TryGetValue(node.Input[0], out var table) && table.Count > 0)
            {
                int axis = (int)node.Int("axis", 0);
                Limit(table[axis < 0 ? axis + table.Count : axis]);
            }
            // com.microsoft: input_ids, segment_ids, word, position, segment tables, …, position_ids.
            if (node.OpType == "EmbedLayerNormalization")
                foreach (var (ids, weight) in new[] { (0, 2), (1, 4), (8, 3) })
                    if (ids < node.Input.Count && from.Contains(node.Input[ids]) && _weights.TryGetValue(node.Input[weight], out table))
                        Limit(table[0]);
            IReadOnlyList<int> moved = OperatorTable.Moved(node) ?? (node.OpType == "Cast" ? [0] : []);
            if (moved.Any(k => k < node.Input.Count && from.Contains(node.Input[k])))
                from.UnionWith(node.Output);
        }
        return rows;

        void Limit(long n) => rows = Math.Max(1, Math.Min(rows ?? n, n));
    }
}
