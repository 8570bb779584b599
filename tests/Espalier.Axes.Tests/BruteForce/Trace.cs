using Espalier.Axes.Graph;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.BruteForce;

/// <summary>
/// One run of a model that shows every floating-point tensor of its main graph, with the sizes that dynamic factors had in it.
/// </summary>
internal sealed class Trace
{
    private readonly Dictionary<Factor, long> _sizes = [];

    private Trace(AxisAnalysis analysis, IReadOnlyList<OutputTensor> outputs)
    {
        Tensors = outputs.ToDictionary(o => o.Name, StringComparer.Ordinal);
        Solve(analysis);
    }

    /// <summary>What every tensor held.</summary>
    public IReadOnlyDictionary<string, OutputTensor> Tensors { get; }

    /// <summary>Runs the model, which has the nodes of the analysed one, without fused kernels.</summary>
    public static Trace Run(AxisAnalysis analysis, OnnxModel model, IReadOnlyDictionary<string, OrtValue> inputs)
    {
        var proto = model.Proto.Clone();
        var there = proto.Graph.Output.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);
        foreach (string name in analysis.Nodes.Where(n => n.Scope == 0).SelectMany(n => n.Proto.Output))
            if (name.Length > 0 && IsShown(analysis, name) && there.Add(name)) proto.Graph.Output.Add(new ValueInfoProto { Name = name });
        // Results of other types cannot all be read, and no claim is made of them.
        for (int k = proto.Graph.Output.Count - 1; k >= 0; k--)
            if (proto.Graph.Output[k].Type is { } type
                ? !IsReal(type.TensorType?.ElemType)
                : !IsShown(analysis, proto.Graph.Output[k].Name)) proto.Graph.Output.RemoveAt(k);
        return new(analysis, proto.Graph.Output.Count == 0 ? [] : Ort.Run(model.Derive(proto), inputs, plain: true));
    }

    private static bool IsShown(AxisAnalysis analysis, string tensor) => IsReal(analysis.MainTensor(tensor)?.ElementType);

    private static bool IsReal(int? type) => (DataType?)type is DataType.Float or DataType.Double or DataType.Float16;

    /// <summary>
    /// The unit of a factor at every index of an axis, −1 where there is none; null where the sizes of the run do not tell.
    /// </summary>
    public int[]? UnitMap(Term term, Factor factor)
    {
        var root = factor.Root;
        return Map(term);

        int[]? Map(Term t)
        {
            switch (t.Resolved)
            {
                case FactorTerm leaf:
                    return SizeOf(leaf) is not { } size ? null
                        : leaf.Factor == root ? [.. Enumerable.Range(0, (int)size)] : [.. Enumerable.Repeat(-1, (int)size)];
                case SumTerm sum:
                    var parts = sum.Parts.Select(Map).ToList();
                    return parts.Any(p => p is null) ? null : [.. parts.SelectMany(p => p!)];
                case ProductTerm product:
                    int[] major = [-1];
                    foreach (var part in product.Parts)
                    {
                        if (Map(part) is not { } minor) return null;
                        major = [.. major.SelectMany(i => minor.Select(j => i >= 0 ? i : j))];
                    }
                    return major;
                default: return null;
            }
        }
    }

    /// <summary>The size that a term had in this run; null where that is not known.</summary>
    public long? SizeOf(Term term)
    {
        switch (term.Resolved)
        {
            case FactorTerm leaf: return leaf.Factor.Size ?? (_sizes.TryGetValue(leaf.Factor, out long n) ? n : null);
            case SumTerm sum: return sum.Parts.Aggregate((long?)0, (a, p) => a + SizeOf(p));
            case ProductTerm product: return product.Parts.Aggregate((long?)1, (a, p) => a * SizeOf(p));
            default: return null;
        }
    }

    /// <summary>Dynamic factors have the sizes of the axes that they are; what is left follows where one alone is unknown.</summary>
    private void Solve(AxisAnalysis analysis)
    {
        bool more = true;
        for (int round = 0; more && round < 10; round++)
        {
            more = false;
            foreach (var (name, value) in Tensors)
            {
                if (analysis.MainTensor(name)?.Terms is not { } terms || terms.Length != value.Shape.Length) continue;
                for (int axis = 0; axis < terms.Length; axis++)
                {
                    if (SizeOf(terms[axis]) is not null) continue;
                    if (terms[axis].Resolved is FactorTerm leaf) more = _sizes.TryAdd(leaf.Factor, value.Shape[axis]);
                    else if (terms[axis].Resolved is ProductTerm product
                        && product.Parts.Where(p => SizeOf(p) is null).ToList() is [var open] && open.Resolved is FactorTerm alone)
                    {
                        long known = product.Parts.Where(p => p != open).Aggregate(1L, (a, p) => a * SizeOf(p)!.Value);
                        if (known > 0) more = _sizes.TryAdd(alone.Factor, value.Shape[axis] / known);
                    }
                }
            }
        }
    }
}

/// <summary>What the analysis knows of tensors, for the checks of this folder.</summary>
internal static class Insight
{
    /// <summary>The state of a tensor of the main graph.</summary>
    public static TensorState? MainTensor(this AxisAnalysis analysis, string name)
    {
        if (!Cache.TryGetValue(analysis, out var known))
        {
            known = new(StringComparer.Ordinal);
            foreach (var record in analysis.State!.Records)
                foreach (var tensor in record.Inputs.Concat(record.Outputs))
                    if (tensor is { Scope: 0, Name.Length: > 0 }) known.TryAdd(tensor.Name, tensor);
            Cache.Add(analysis, known);
        }
        return known.GetValueOrDefault(name);
    }

    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<AxisAnalysis, Dictionary<string, TensorState>> Cache = [];
}
