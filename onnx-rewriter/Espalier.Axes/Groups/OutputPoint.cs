using Espalier.Axes.Graph;
using Espalier.Axes.Inference;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Groups;

/// <summary>
/// Where the output of a product ends up unchanged but for what is added to it: behind its bias, and behind the sums that only
/// the next one reads. A change of the output changes this tensor by as much, so that what else goes into the sum (the stream of
/// a residual block, with the errors of all layers before) can be made up for as well.
/// </summary>
/// <param name="Tensor">Name of the tensor.</param>
/// <param name="Axis">Its axis along the output channels, from 0.</param>
/// <param name="Channels">Term of that axis.</param>
/// <param name="Scales">Batch normalisations on the way, which multiply every channel by a number of its own.</param>
internal sealed record OutputPoint(string Tensor, int Axis, Term Channels, IReadOnlyList<NodeInfo> Scales);

/// <summary>Finds them.</summary>
internal sealed class OutputPointFinder
{
    private readonly AxisInference _inference;
    private readonly ILookup<TensorState, NodeRecord> _readers;
    private readonly HashSet<TensorState> _results;

    public OutputPointFinder(AxisInference inference)
    {
        (_inference, _results) = (inference, [.. inference.GraphOutputs]);
        _readers = inference.State.Records.SelectMany(r => r.Inputs.Where(i => i is not null).Select(i => (Input: i!, Record: r)))
            .ToLookup(p => p.Input, p => p.Record);
    }

    /// <summary>The point of a consumer; null where its output channels are no axis of the result.</summary>
    public OutputPoint? Find(Consumer consumer)
    {
        var record = _inference.State.Records[consumer.Node.Ordinal];
        if (consumer.Node.Scope != 0 || record.Contraction is not { } product) return null;
        bool weightRight = record.Inputs[product.Right]!.IsConstant;
        var free = product.Axes.Where(a => a.Output >= 0 && (weightRight ? a.Left < 0 && a.Right >= 0 : a.Right < 0 && a.Left >= 0))
            .Select(a => a.Output).Distinct().ToList();
        var at = record.Outputs[0];
        // Rows of the output must come in the order of those of the input. (Positions of a convolution are axes of neither operand.)
        var rows = product.Axes.Where(a => a.Output >= 0 && (weightRight ? a.Left >= 0 && a.Right < 0 : a.Right >= 0 && a.Left < 0))
            .OrderBy(a => weightRight ? a.Left : a.Right).Select(a => a.Output).ToList();
        if (!rows.SequenceEqual(rows.Order())) return null;
        if (free.Count != 1 || at.Terms is not { } terms || free[0] >= terms.Length) return null;
        var scales = new List<NodeInfo>();
        while (!_results.Contains(at) && _readers[at].ToList() is [{ Info.Scope: 0 } next] && Passes(next, at))
        {
            if (IsChannelNorm(next, at)) scales.Add(next.Info);
            at = next.Outputs[0];
        }
        return new(at.Name, free[0], at.Terms![free[0]], scales);
    }

    private static bool Passes(NodeRecord next, TensorState at)
        => next.Outputs.Length > 0 && SumTree.HaveOneShape(at, next.Outputs[0]) && (SumTree.IsAddition(next) || IsChannelNorm(next, at));

    /// <summary>By running statistics: one number per channel to multiply by, and one to add.</summary>
    private static bool IsChannelNorm(NodeRecord next, TensorState at)
        => next is { Info.Proto: { OpType: "BatchNormalization", Domain: "" or "ai.onnx" }, Outputs.Length: 1 } && next.Inputs[0] == at
            && next.Inputs.Skip(1).All(i => i is { IsConstant: true });
}
