using System.Globalization;
using System.Text;
using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Operators;

/// <summary>One node while its rule is applied: its operands and attributes, and the statements that a rule can make.</summary>
internal sealed class NodeContext(InferenceState state, NodeRecord record)
{
    public InferenceState State { get; } = state;
    public NodeRecord Record { get; } = record;
    public long Opset => Record.Opset;
    public NodeInfo Info => Record.Info;
    public NodeProto Node => Record.Info.Proto;
    public Unifier Unifier => State.Unifier;
    public TensorState?[] Inputs => Record.Inputs;

    /// <summary>Whether anything reads the tensor.</summary>
    public bool IsUsed(string name) => State.Used.Contains(name);

    public TensorState? Input(int index) => index < Inputs.Length ? Inputs[index] : null;

    public AttributeProto? Attribute(string name)
    {
        foreach (var attribute in Node.Attribute) if (attribute.Name == name) return attribute;
        return null;
    }

    public long Int(string name, long fallback) => Attribute(name) is { HasI: true } a ? a.I : fallback;
    public long[]? Ints(string name) => Attribute(name) is { } a ? [.. a.Ints] : null;

    /// <summary>An integer attribute (index −1), or one element of a list of integers.</summary>
    public long? Number(string name, int index, long? fallback)
        => index < 0 ? Attribute(name) is { HasI: true } a ? a.I : fallback
            : Ints(name) is { } list && index < list.Length ? list[index] : fallback;

    /// <summary>Length of the list that an attribute is; 0 where it is absent.</summary>
    public int Length(string name) => Attribute(name) is { } a ? a.Floats.Count + a.Ints.Count + a.Strings.Count : 0;

    public string Text(string name, string fallback) => Attribute(name) is { HasS: true } a ? a.S.ToStringUtf8() : fallback;

    /// <summary>Whether the attributes have, or have by default, one of the values of every condition of a line of the table.</summary>
    public static bool Meets(NodeProto node, List<(string Attribute, string[] Values, string Default)> conditions)
        => conditions.TrueForAll(c => c.Values.Contains(AsText(node, c.Attribute, c.Default)));

    private static string AsText(NodeProto node, string name, string fallback) => node.Attribute.FirstOrDefault(a => a.Name == name) switch
    {
        null => fallback,
        { HasS: true } a => a.S.ToStringUtf8(),
        { HasI: true } a => a.I.ToString(CultureInfo.InvariantCulture),
        var a => new StringBuilder().AppendJoin(' ', a.Ints).ToString(),
    };

    /// <summary>
    /// Integers that newer operator sets take as an operand and older ones as an attribute; null where they are absent or unknown.
    /// </summary>
    public long[]? AttributeOrInput(string attribute, int input)
        => Attribute(attribute) is not null ? Ints(attribute) : Known(input)?.Numbers;

    /// <summary>The elements of an operand that is computed from sizes or constants; null where they are not known.</summary>
    public SizeTensor? Known(int input) => Input(input) is { } tensor ? tensor.Value ?? State.Constants.Of(tensor) : null;

    public void Freeze(Term term, string reason)
    {
        // The axis of size 1 has no units.
        if (term is not ProductTerm { Parts: [] }) State.Frozen.Add(new(term, $"{Info}: {reason}", Node: Info.Ordinal));
    }

    public void FreezeAll(TensorState? tensor, string reason)
    {
        foreach (var term in tensor?.Terms ?? []) Freeze(term, reason);
    }

    public void Inexact(Term term, string reason, long minKeep = 1)
        => State.Inexact.Add(new(term, $"{Info}: {reason}", minKeep, Info.Ordinal));

    /// <summary>States that two axes are one; freezes both where that has no common structure.</summary>
    public void Same(Term a, Term b)
    {
        if (Unifier.Unify(a, b)) return;
        string reason = $"the axes {a} and {b} have no common structure";
        Freeze(a, reason);
        Freeze(b, reason);
    }

    /// <summary>The axis of an element-wise result: axes of size 1 repeat.</summary>
    public Term Broadcast(Term a, Term b)
    {
        if (a.IsOne) return b;
        if (b.IsOne) return a;
        if (a.Size is null != b.Size is null)
        {
            // A dynamic dimension may be 1 or the other's size at run time: nothing may be said of it.
            var known = a.Size is null ? b : a;
            Freeze(known, $"meets the dynamic axis {(a.Size is null ? a : b)}, which may be 1 or {known.Size}");
            return known;
        }
        Same(a, b);
        return a;
    }

    public TensorState Output(int index, Term[]? terms, SizeTensor? value = null)
    {
        if (index >= Record.Outputs.Length) throw new MisfitException("it gives nothing");
        var output = Record.Outputs[index];
        output.Terms = terms;
        output.Value = value;
        return output;
    }

    /// <summary>The elements of an integer operand are the sizes of these terms (null: right for any size).</summary>
    /// <param name="required">Terms whose sizes the elements are.</param>
    /// <param name="from">Axes that an element counts from the end of, so that it moves with them.</param>
    public void Use(int input, Term?[] required, Term?[]? from = null)
    {
        if (Input(input)?.ElementType is (int)DataType.Bool or (int)DataType.Float)
            throw new MisfitException(string.Create(CultureInfo.InvariantCulture,
                $"operand {input} holds no integers, and sizes are wanted"));
        Record.SizeOperands.Add(input);
        if (Known(input) is { } value && value.Elements.Length == required.Length)
            State.SizeUses.Add(new(Info, input, value, required, From: from));
        else if (Input(input) is not null)
            foreach (var term in required)
                if (term is not null) Freeze(term, $"its size is operand {input}, which is computed from data");
    }

    public void UseAttribute(string attribute, int index, Term term, Term? from = null)
        => State.AttributeUses.Add(new(Info, attribute, index, term, from));

    /// <summary>The attribute is absent and then 1/√size: it keeps the dense model's value when the axis is pruned.</summary>
    public void KeepScale(string attribute, Term term)
    {
        if (term.Size is { } size) State.ScaleUses.Add(new(Info, attribute, (float)(1 / Math.Sqrt(size)), term));
        else Freeze(term, $"the attribute {attribute} follows from its size, which is not known");
    }

    /// <summary>Nothing is known of the operator: everything that it touches is frozen.</summary>
    public void Barrier(string reason)
    {
        var first = Inputs.FirstOrDefault(i => i is { Terms: null, Unknown: not null })?.Unknown;
        if (first is not null) reason += $", after {first}";
        foreach (var input in Inputs) FreezeAll(input, reason);
        foreach (var output in Record.Outputs)
        {
            output.Terms = null;
            output.Unknown = first ?? $"{Info}: {reason}";
            output.Value = null;
        }
        Record.Zero = ZeroRule.Never;
    }

    /// <summary>An axis index from the end or the front, as ONNX counts.</summary>
    /// <exception cref="MisfitException">There is none of this index.</exception>
    public static int Axis(long axis, int rank) => axis >= -rank && axis < rank ? (int)(axis < 0 ? axis + rank : axis)
        : throw new MisfitException(string.Create(CultureInfo.InvariantCulture, $"it names the axis {axis} of an operand of {rank} axes"));

    /// <summary>The same for several, of which none may be there twice.</summary>
    /// <exception cref="MisfitException">There is none of an index, or it is there twice.</exception>
    public static HashSet<int> Axes(IEnumerable<long> axes, int rank)
    {
        var distinct = new HashSet<int>();
        foreach (long axis in axes)
            if (!distinct.Add(Axis(axis, rank))) throw new MisfitException(string.Create(CultureInfo.InvariantCulture,
                $"it names the axis {axis} twice"));
        return distinct;
    }

    /// <summary>
    /// A list that an attribute holds, which has this many elements where it is there and not empty.
    /// </summary>
    /// <exception cref="MisfitException">It has more or fewer.</exception>
    public long[]? Ints(string name, int length) => Ints(name) is not { Length: > 0 } list ? null : list.Length == length ? list
        : throw new MisfitException(string.Create(CultureInfo.InvariantCulture,
            $"its attribute {name} has {list.Length} elements and not {length}"));

    /// <summary>
    /// The numbers of a tensor of the file; null where it has none (strings, types that are not known).
    /// </summary>
    public float[]? Floats(TensorProto? tensor) => tensor is not null
        && (DataTypes.IsFloat((DataType)tensor.DataType) || DataTypes.IsInteger((DataType)tensor.DataType))
        ? State.Model.Content(tensor).ToFloats() : null;

    public Term Fresh(long? size) => Unifier.Fresh(size);

    /// <summary>A fresh axis of a size that an attribute states, which stays as it is. What is no size is not known.</summary>
    public Term Stated(long? size, string reason) => Constant(size > 0 ? size : null, reason);

    /// <summary>A fresh axis that stays as it is.</summary>
    public Term Constant(long? size, string reason, long? nominal = null)
    {
        var term = Unifier.Fresh(size, null, nominal);
        if (!term.IsOne) Freeze(term, reason);
        return term;
    }

    /// <summary>The node averages over these axes: its result is rescaled when some of what it counts is removed.</summary>
    /// <param name="scale">For a root mean square: the operand that the result is multiplied by, and whose copy takes the factor.</param>
    public void Mean(Term[] terms, int scale = -1)
    {
        // Before operator set 7 a product with one number needs attributes of its own, and ONNX Runtime has no kernel for it.
        if (Node.Domain is "" or "ai.onnx" && Opset < 7)
            foreach (var term in terms) Inexact(term, "a mean of an operator set before 7 runs over this axis");
        else if (Input(0)?.IsFloating == true && (scale < 0 || Input(scale)?.IsFloating != false))
            State.Means.Add(new(Info, terms, scale));
        else foreach (var term in terms) Inexact(term, "a mean of integers runs over this axis");
    }
}
