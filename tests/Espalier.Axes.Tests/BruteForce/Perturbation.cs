using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.BruteForce;

/// <summary>
/// Changes one index of one axis of one weight and looks where the change goes. As long as no operator on the way sums, compares or
/// normalises over the unit, only elements that the terms call the same unit may change; what the terms say has no part of it may not.
/// </summary>
internal static class Perturbation
{
    private enum Reach { Nothing, Unit, Anything }

    /// <summary>Changes a few seeded indices, each in a run of its own.</summary>
    /// <returns>How many tensors were compared that the change could have reached.</returns>
    public static int Check(AxisAnalysis analysis, int seed, int changes = 2, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var random = new Random(seed);
        // Zero points of floats are zero and cannot be anything else.
        var points = analysis.State!.Records.Where(r => r.Info.Proto.OpType is "QuantizeLinear" or "DequantizeLinear")
            .Select(r => r.Inputs.ElementAtOrDefault(2)?.Name).ToHashSet();
        var places = analysis.Groups.SelectMany(g => g.Occurrences.Select(o => (Group: g, Occurrence: o)))
            .Where(p => analysis.MainTensor(p.Occurrence.Tensor) is { Data: { } data, Producer: < 0 }
                && DataTypes.IsFloat((DataType)data.DataType) && !points.Contains(p.Occurrence.Tensor)).ToArray();
        random.Shuffle(places);
        var inputs = SeededInputs.For(analysis.Model, seed, sizes);
        try
        {
            var before = Trace.Run(analysis, analysis.Model, inputs);
            int compared = 0;
            foreach (var (group, occurrence) in places.Take(changes))
            {
                var map = occurrence.Term.UnitMap(group.Factor);
                var indices = Enumerable.Range(0, map.Length).Where(i => map[i] >= 0).ToArray();
                int index = indices[random.Next(indices.Length)];
                var after = Trace.Run(analysis, Changed(analysis.Model, occurrence.Tensor, occurrence.Axis, index), inputs);
                compared += Compare(analysis, group, map[index], before, after,
                    string.Create(CultureInfo.InvariantCulture, $"{occurrence.Tensor}:{occurrence.Axis}[{index}]"), occurrence.Tensor);
            }
            return compared;
        }
        finally
        {
            foreach (var value in inputs.Values) value.Dispose();
        }
    }

    private static OnnxModel Changed(OnnxModel model, string name, int axis, int index)
    {
        var proto = model.Proto.Clone();
        int at = Enumerable.Range(0, proto.Graph.Initializer.Count).First(i => proto.Graph.Initializer[i].Name == name);
        var tensor = proto.Graph.Initializer[at];
        var values = model.Content(model.Proto.Graph.Initializer[at]).ToFloats();
        long inner = tensor.Dims.Skip(axis + 1).Aggregate(1L, (a, b) => a * b), size = tensor.Dims[axis];
        for (int i = 0; i < values.Length; i++) if (i / inner % size == index) values[i] = (3 * values[i]) + 0.7f;
        using var raw = new MemoryStream();
        TensorContent.FromFloats((DataType)tensor.DataType, values).CopyTo(raw);
        proto.Graph.Initializer[at] = GraphBuilder.Tensor(name, (DataType)tensor.DataType, tensor.Dims, raw.ToArray());
        return model.Derive(proto);
    }

    private static int Compare(AxisAnalysis analysis, Group group, int unit, Trace before, Trace after, string place, string weight)
    {
        var reach = new Dictionary<TensorState, Reach>();
        // Where several operators read one weight, each may see axes of its own.
        foreach (var view in analysis.State!.Records.SelectMany(r => r.Inputs).OfType<TensorState>()
            .Where(t => t.Scope == 0 && t.Name == weight))
            reach[view] = view.Terms?.Any(t => t.Leaves.Contains(group.Factor)) == true ? Reach.Unit : Reach.Anything;
        int compared = 0;
        foreach (var record in analysis.State.Records)
        {
            var worst = record.Inputs.OfType<TensorState>().Select(i => reach.GetValueOrDefault(i)).DefaultIfEmpty().Max();
            // Nodes of subgraphs are not shown; what they give may be anything that their operands reach.
            bool opaque = record.Info.Proto.Attribute.Any(a => a.G is not null) || record.Info.Scope != 0;
            if (opaque) worst = record.Info.Scope != 0 || reach.Values.Any(r => r != Reach.Nothing) ? Reach.Anything : worst;
            if (worst == Reach.Unit && Mixes(analysis, record, group.Factor)) worst = Reach.Anything;
            foreach (var output in record.Outputs)
            {
                var here = worst == Reach.Unit && output.Terms is null ? Reach.Anything : worst;
                bool carries = output.Terms?.Any(t => t.Leaves.Contains(group.Factor)) == true;
                reach[output] = here == Reach.Unit && !carries ? Reach.Nothing : here;
                if (here == Reach.Anything || !before.Tensors.TryGetValue(output.Name, out var old)
                    || !after.Tensors.TryGetValue(output.Name, out var now)) continue;
                if (here == Reach.Unit) compared++;
                var maps = (output.Terms ?? []).Select(t => before.UnitMap(t, group.Factor)).ToArray();
                if (maps.Any(m => m is null)) continue;
                for (int i = 0; i < old.Values.Length; i++)
                {
                    if (old.Values[i].Equals(now.Values[i])) continue;
                    Assert.True(here == Reach.Unit && InUnit(i, old.Shape, maps!, unit), string.Create(CultureInfo.InvariantCulture,
                        $"{place} is unit {unit} of {group.Name}; it changed element {i} of '{output.Name}' by {record.Info}, which is "
                            + $"not in it\n{SlimOracle.Describe(analysis)}"));
                }
            }
        }
        return compared;
    }

    private static bool Mixes(AxisAnalysis analysis, NodeRecord record, Factor factor)
        => record.Sums.Any(s => s.Term.Leaves.Contains(factor))
            || record.Contraction?.Axes.Any(a => a.Output < 0 && a.Term.Leaves.Contains(factor)) == true
            || analysis.State!.Inexact.Concat(analysis.State.Frozen)
                .Any(m => m.Node == record.Info.Ordinal && m.Term.Leaves.Contains(factor));

    private static bool InUnit(int element, long[] shape, int[]?[] maps, int unit)
    {
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            if (maps[axis]![(int)(element % shape[axis])] == unit) return true;
            element = (int)(element / shape[axis]);
        }
        return false;
    }
}
