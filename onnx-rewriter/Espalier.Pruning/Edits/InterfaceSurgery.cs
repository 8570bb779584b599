using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;

namespace Espalier.Pruning.Edits;

/// <summary>
/// What pruning changes of the graph's inputs and outputs, where that was allowed: caches shrink with their heads; those of a removed
/// block go, and the ones behind it close up, because programs count layers from 0 without gaps.
/// </summary>
internal sealed partial class InterfaceSurgery(EditableGraph graph, SlimSizes slim)
{
    private readonly Dictionary<string, string> _renamed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _inputs = new(StringComparer.Ordinal);

    /// <summary>Names of the dense model's inputs and outputs that have another now.</summary>
    public IReadOnlyDictionary<string, string> Renamed => _renamed;

    /// <summary>What changed, for the report.</summary>
    public List<string> Changes { get; } = [];

    /// <summary>The same by names: what is gone, what is called otherwise.</summary>
    public List<InterfaceName> Names { get; } = [];

    /// <summary>
    /// Outputs of removed blocks are given up, so that the blocks are dead; who asked a removed cache for its shape asks another.
    /// </summary>
    /// <param name="removed">Sublayers that are bypassed.</param>
    public void Release(IReadOnlyCollection<Block> removed)
    {
        if (removed.Count == 0) return;
        var nodes = removed.SelectMany(b => b.Nodes).ToHashSet();
        var streams = removed.Select(b => b.Output).ToHashSet(StringComparer.Ordinal);
        var lost = graph.Analysis.GraphOutputs.Where(t => nodes.Contains(t.Producer) && !streams.Contains(t.Name)).Select(t => t.Name)
            .ToHashSet(StringComparer.Ordinal);
        foreach (string name in lost) Lose("output", name);
        graph.RemoveOutputs(lost);
        var askers = new List<(TensorState Input, NodeInfo Shape)>();
        foreach (var input in graph.Analysis.GraphInputs)
        {
            var readers = graph.Analysis.State.Records.Where(r => r.Inputs.Contains(input)).Select(r => r.Info).ToList();
            var others = readers.Where(r => !nodes.Contains(r.Ordinal)).ToList();
            if (others.Count == readers.Count || others.Exists(r => r.Proto.OpType != "Shape")) continue;
            _inputs.Add(input.Name);
            askers.AddRange(others.Select(o => (input, o)));
        }
        foreach (var (input, shape) in askers)
        {
            var other = graph.Analysis.GraphInputs.FirstOrDefault(i => HasShapeOf(i, input))
                ?? throw new EspalierException($"A block cannot be removed: {shape} asks its input '{input.Name}' for its shape, and no "
                    + "input that stays has that shape.");
            graph.Node(shape.Ordinal).Input[0] = other.Name;
        }
    }

    /// <summary>Inputs that nothing reads any more go, and what is left is numbered anew.</summary>
    public void Close()
    {
        var gone = graph.RemoveUnreadInputs(_inputs);
        foreach (string name in gone) Lose("input", name);
        if (Changes.Count == 0) return;
        var lost = graph.Analysis.GraphInputs.Concat(graph.Analysis.GraphOutputs).Select(t => t.Name)
            .Where(n => !graph.HasInterface(n)).ToList();
        foreach (string template in lost.SelectMany(Templates).Select(t => t.Template).Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal))
        {
            // Only the number in which the names differ counts layers.
            var all = Numbered(graph.Analysis.GraphInputs.Concat(graph.Analysis.GraphOutputs).Select(t => t.Name), template);
            var left = all.Where(n => graph.HasInterface(n.Name)).OrderBy(n => n.Number).ToList();
            if (left.Count == 0) continue;
            long first = all.Min(n => n.Number);
            for (int k = 0; k < left.Count; k++)
            {
                string name = template.Replace("{}", (first + k).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
                if (name != left[k].Name) _renamed[left[k].Name] = name;
            }
        }
        foreach (var (from, to) in _renamed.OrderBy(r => r.Key, StringComparer.Ordinal))
        {
            Changes.Add($"'{from}' is now '{to}'");
            Names.Add(new(from, to));
        }
        graph.RenameInterface(_renamed);
    }

    /// <summary>Inputs and outputs that lost units, by the names that they have now.</summary>
    public IEnumerable<(string Name, IReadOnlyDictionary<int, int[]> Gone)> Shrunk()
    {
        var outputs = graph.Analysis.GraphOutputs.ToHashSet();
        foreach (var tensor in graph.Analysis.GraphInputs.Concat(graph.Analysis.GraphOutputs)
            .Where(t => t is { Terms: not null, IsParameter: false }).Distinct())
        {
            string name = _renamed.GetValueOrDefault(tensor.Name, tensor.Name);
            if (!graph.HasInterface(name)) continue;
            var gone = new SortedDictionary<int, int[]>();
            for (int axis = 0; axis < tensor.Terms!.Length; axis++)
            {
                if (!slim.Touches(tensor.Terms[axis])) continue;
                gone[axis] = slim.RemovedIndices(tensor.Terms[axis]);
                Changes.Add(FormattableString.Invariant($"{(outputs.Contains(tensor) ? "output" : "input")} '{name}' has ")
                    + FormattableString.Invariant(
                        $"{tensor.Terms[axis].Size - gone[axis].Length} of {tensor.Terms[axis].Size} on axis {axis}"));
            }
            if (gone.Count > 0) yield return (name, gone);
        }
    }

    private void Lose(string what, string name)
    {
        Changes.Add($"{what} '{name}' is gone with its block");
        Names.Add(new(name, null));
    }

    private bool HasShapeOf(TensorState a, TensorState b)
        => !_inputs.Contains(a.Name) && a.Terms is { } x && b.Terms is { } y && x.Length == y.Length
        && x.Zip(y).All(p => slim.Of(p.First).Equals(slim.Of(p.Second)));

    private static IEnumerable<(string Template, long Number)> Templates(string name)
        => Digits().Matches(name).Where(m => m.Length < 10)
            .Select(m => (name[..m.Index] + "{}" + name[(m.Index + m.Length)..], long.Parse(m.Value, CultureInfo.InvariantCulture)));

    private static List<(string Name, long Number)> Numbered(IEnumerable<string> names, string template)
        => [.. names.Distinct(StringComparer.Ordinal)
            .SelectMany(n => Templates(n).Where(t => t.Template == template).Select(t => (n, t.Number)))];

    [GeneratedRegex("[0-9]+", RegexOptions.CultureInvariant)]
    private static partial Regex Digits();
}
