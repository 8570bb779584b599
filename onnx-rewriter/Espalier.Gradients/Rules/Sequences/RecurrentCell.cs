using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Sequences;

/// <summary>What a step of a recurrence leaves behind: its state, and what the step backwards reads.</summary>
internal sealed record StepState(string Hidden, string? Cell, params string[] Kept);

/// <summary>
/// Gradients of one step: of the states before, of what came in at the gates from the input and from the state, and what the last gate
/// read in place of the state.
/// </summary>
internal sealed record StepGradients(string Hidden, string? Cell, string FromInput, string FromState, string? Read = null);

/// <summary>
/// One step of a recurrence in one direction, forwards and backwards. Matrices are [gates · hidden, hidden], rows are samples.
/// </summary>
internal abstract class RecurrentCell(BackwardGraph graph, string weights, string? bias, string[] activations, int type)
{
    protected BackwardGraph Graph => graph;

    public required long Size { get; init; }

    /// <summary>What the input gives to the gates comes in with its bias.</summary>
    public abstract StepState Forward(string input, StepState before);

    public abstract StepGradients Backward(StepState now, StepState before, string hidden, string? cell);

    /// <summary>State · weightsᵀ + bias of these gates.</summary>
    protected string Recurrent(string state, int from, int to)
    {
        string product = graph.MatMul(state, graph.Transpose(Weights(from, to), [1, 0]));
        return bias is null ? product : graph.Add(product, graph.Part(bias, 0, from * Size, to * Size));
    }

    protected string Weights(int from, int to) => graph.Part(weights, 0, from * Size, to * Size);

    protected string Gates(string x, int from, int to) => graph.Part(x, 1, from * Size, to * Size);

    protected string Active(int activation, string x) => graph.Op(activations[activation], [x]);

    /// <summary>A gradient times the derivative of an activation, which follows from its value.</summary>
    protected string Through(int activation, string gradient, string y) => graph.Mul(gradient, activations[activation] switch
    {
        "Sigmoid" => graph.Mul(y, graph.Sub(graph.Number(1, type), y)),
        "Tanh" => graph.Sub(graph.Number(1, type), graph.Mul(y, y)),
        _ => graph.Mask("Greater", y, graph.Number(0, type), type),
    });
}

/// <summary>h′ = f(x + h·R).</summary>
internal sealed class PlainCell(BackwardGraph graph, string weights, string? bias, string[] activations, int type)
    : RecurrentCell(graph, weights, bias, activations, type)
{
    public override StepState Forward(string input, StepState before)
        => new(Active(0, Graph.Add(input, Recurrent(before.Hidden, 0, 1))), null);

    public override StepGradients Backward(StepState now, StepState before, string hidden, string? cell)
    {
        string inner = Through(0, hidden, now.Hidden);
        return new(Graph.MatMul(inner, Weights(0, 1)), null, inner, inner);
    }
}

/// <summary>Gates i, o, f, g: c′ = f·c + i·g, h′ = o·tanh(c′).</summary>
internal sealed class LongCell(BackwardGraph graph, string weights, string? bias, string[] activations, int type)
    : RecurrentCell(graph, weights, bias, activations, type)
{
    public override StepState Forward(string input, StepState before)
    {
        string sum = Graph.Add(input, Recurrent(before.Hidden, 0, 4));
        string gates = Active(0, Gates(sum, 0, 3)), candidate = Active(1, Gates(sum, 3, 4));
        string cell = Graph.Add(Graph.Mul(Gates(gates, 2, 3), before.Cell!), Graph.Mul(Gates(gates, 0, 1), candidate));
        string shown = Active(2, cell);
        return new(Graph.Mul(Gates(gates, 1, 2), shown), cell, gates, candidate, shown);
    }

    public override StepGradients Backward(StepState now, StepState before, string hidden, string? cell)
    {
        string gates = now.Kept[0], candidate = now.Kept[1], shown = now.Kept[2];
        string ofCell = Through(2, Graph.Mul(hidden, Gates(gates, 1, 2)), shown);
        if (cell is not null) ofCell = Graph.Add(ofCell, cell);
        string ofGates = Through(0, Graph.Concat(1, Graph.Mul(ofCell, candidate), Graph.Mul(hidden, shown),
            Graph.Mul(ofCell, before.Cell!)), gates);
        string inner = Graph.Concat(1, ofGates, Through(1, Graph.Mul(ofCell, Gates(gates, 0, 1)), candidate));
        return new(Graph.MatMul(inner, Weights(0, 4)), Graph.Mul(ofCell, Gates(gates, 2, 3)), inner, inner);
    }
}

/// <summary>Gates z, r, and a candidate g that reads r·h: h′ = (1 − z)·g + z·h.</summary>
internal sealed class GatedCell(BackwardGraph graph, string weights, string? bias, string[] activations, int type)
    : RecurrentCell(graph, weights, bias, activations, type)
{
    /// <summary>Whether r scales the product with the state, and not the state.</summary>
    public required bool ResetsProduct { get; init; }

    public override StepState Forward(string input, StepState before)
    {
        string gates = Active(0, Graph.Add(Gates(input, 0, 2), Recurrent(before.Hidden, 0, 2)));
        string reset = Gates(gates, 1, 2), read = ResetsProduct ? before.Hidden : Graph.Mul(reset, before.Hidden);
        string product = Recurrent(read, 2, 3);
        string candidate = Active(1, Graph.Add(Gates(input, 2, 3), ResetsProduct ? Graph.Mul(reset, product) : product));
        string kept = Graph.Mul(Gates(gates, 0, 1), Graph.Sub(before.Hidden, candidate));
        return new(Graph.Add(candidate, kept), null, gates, candidate, product, read);
    }

    public override StepGradients Backward(StepState now, StepState before, string hidden, string? cell)
    {
        var (gates, candidate, product, read) = (now.Kept[0], now.Kept[1], now.Kept[2], now.Kept[3]);
        string reset = Gates(gates, 1, 2), kept = Graph.Mul(hidden, Gates(gates, 0, 1));
        string inner = Through(1, Graph.Sub(hidden, kept), candidate);
        string ofProduct = ResetsProduct ? Graph.Mul(inner, reset) : inner;
        string ofRead = Graph.MatMul(ofProduct, Weights(2, 3));
        string ofReset = ResetsProduct ? Graph.Mul(inner, product) : Graph.Mul(ofRead, before.Hidden);
        string ofGates = Through(0, Graph.Concat(1, Graph.Mul(hidden, Graph.Sub(before.Hidden, candidate)), ofReset), gates);
        string ofState = Graph.Op("Sum", [kept, ResetsProduct ? ofRead : Graph.Mul(ofRead, reset), Graph.MatMul(ofGates, Weights(0, 2))]);
        return new(ofState, null, Graph.Concat(1, ofGates, inner), Graph.Concat(1, ofGates, ofProduct), ResetsProduct ? null : read);
    }
}
