using Espalier.Axes;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Gradients.Writing;

/// <summary>
/// One node while its gradients are written: per result its gradient, null where nothing depends on it, and which operands one is
/// wanted of.
/// </summary>
internal sealed class GradientContext(BackwardGraph graph, InferenceState state, NodeRecord record, string?[] results, bool[] wanted)
{
    private readonly NodeContext _node = new(state, record);

    public BackwardGraph Graph => graph;

    /// <summary>Writes the gradients of a model of its own: of what a fused operator stands for.</summary>
    public required Func<AxisAnalysis, IEnumerable<string>, Backward> Follow { get; init; }

    public NodeRecord Record => record;

    public NodeProto Node => record.Info.Proto;

    public long Opset => record.Opset;

    /// <summary>Gradients by operand.</summary>
    public Dictionary<int, string> Given { get; } = [];

    /// <summary>Why an operand has none, by operand.</summary>
    public Dictionary<int, string> Refused { get; } = [];

    /// <summary>Element type of the gradients.</summary>
    public int Type => record.Outputs.Zip(results).First(p => p.Second is not null).First.ElementType;

    public bool Wants(int operand) => operand < wanted.Length && wanted[operand];

    public bool Has(int operand) => operand < record.Inputs.Length && record.Inputs[operand] is not null;

    /// <summary>The gradient of a result; null where nothing depends on it.</summary>
    public string? Gradient(int result) => result < results.Length ? results[result] : null;

    /// <summary>The gradient of a result, zeros where nothing depends on it.</summary>
    public string GradientOrZero(int result)
        => Gradient(result) ?? graph.Zeros(graph.Shape(Out(result)), record.Outputs[result].ElementType);

    /// <summary>An operand of the forward model.</summary>
    public string In(int operand) => graph.Read(record.Inputs[operand] ?? throw new NoGradientException($"operand {operand} is absent"));

    /// <summary>A result of the forward model.</summary>
    public string Out(int result) => graph.Read(record.Outputs[result]);

    /// <exception cref="NoGradientException">Its rank is not known.</exception>
    public Term[] InTerms(int operand) => record.Inputs[operand]?.Terms ?? throw Shapeless(record.Inputs[operand]?.Name);

    /// <exception cref="NoGradientException">Its rank is not known.</exception>
    public Term[] OutTerms(int result) => record.Outputs[result].Terms ?? throw Shapeless(record.Outputs[result].Name);

    /// <summary>Sizes of an operand.</summary>
    /// <exception cref="NoGradientException">They are not known.</exception>
    public long[] InSizes(int operand, int from = 0) => Sizes(InTerms(operand), from, record.Inputs[operand]!.Name);

    /// <summary>Sizes of a result.</summary>
    /// <exception cref="NoGradientException">They are not known.</exception>
    public long[] OutSizes(int result, int from = 0) => Sizes(OutTerms(result), from, record.Outputs[result].Name);

    public long Int(string attribute, long otherwise) => _node.Int(attribute, otherwise);

    public long[]? Ints(string attribute) => _node.Ints(attribute);

    public string Text(string attribute, string otherwise) => _node.Text(attribute, otherwise);

    public double Real(string attribute, double otherwise) => _node.Attribute(attribute) is { } a ? a.F : otherwise;

    /// <summary>Integers of an attribute in older operator sets, of an operand in newer ones; null where there are none.</summary>
    /// <exception cref="NoGradientException">They are computed from data.</exception>
    public long[]? Integers(string attribute, int operand)
        => _node.AttributeOrInput(attribute, operand)
            ?? (Has(operand) ? throw new NoGradientException($"its operand {operand} ('{record.Inputs[operand]!.Name}') is computed")
                : null);

    /// <summary>The elements of a constant of the file; null where it is computed.</summary>
    public float[]? Floats(int operand) => _node.Floats(record.Inputs[operand]?.Data);

    /// <summary>One operand has no gradient that is known; the others may have.</summary>
    public void Refuse(int operand, string reason)
    {
        if (Wants(operand)) Refused[operand] = reason;
    }

    /// <summary>Whether an operand is the constant false.</summary>
    public bool IsFalse(int operand) => record.Inputs[operand]?.Value?.Numbers is [0];

    public int Axis(long axis, int rank) => (int)(axis < 0 ? axis + rank : axis);

    /// <summary>States the gradient of an operand.</summary>
    public void Give(int operand, string gradient)
    {
        if (Wants(operand)) Given[operand] = Given.TryGetValue(operand, out var other) ? graph.Op("Add", [other, gradient]) : gradient;
    }

    /// <summary>States the gradient of an operand that repeats along axes of the result: it is summed over these.</summary>
    public void GiveSummed(int operand, string gradient, Term[] full)
    {
        if (Wants(operand)) Give(operand, Summed(gradient, full, InTerms(operand), record.Inputs[operand]!));
    }

    private string Summed(string gradient, Term[] full, Term[] terms, TensorState tensor)
    {
        int extra = full.Length - terms.Length;
        if (extra < 0) throw new NoGradientException($"'{tensor.Name}' has more axes than the result");
        var axes = Enumerable.Range(0, full.Length).Where(i => i < extra || (terms[i - extra].IsOne && !full[i].IsOne))
            .Select(i => (long)i).ToList();
        if (axes.Count == 0) return gradient;
        // Axes that only repeat stay as axes of size 1.
        string kept = graph.Sum(gradient, [.. axes.Where(a => a >= extra)], keep: true);
        return graph.Sum(kept, [.. axes.Where(a => a < extra)], keep: false);
    }

    private static long[] Sizes(Term[] terms, int from, string name)
        => [.. terms[from..].Select(t => t.Size ?? throw new NoGradientException($"the size of an axis of '{name}' is not known"))];

    private static NoGradientException Shapeless(string? name) => new($"the rank of '{name}' is not known");
}
