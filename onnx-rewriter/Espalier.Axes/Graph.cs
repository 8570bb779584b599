using System.Collections.Immutable;
using Espalier.Onnx;

namespace Espalier.Axes;

/// <summary>One node with its place: nodes of subgraphs come right after the node that holds them.</summary>
/// <param name="Ordinal">Number in the walk over the model, subgraphs included; the same for every clone of the model.</param>
/// <param name="Proto">The node as it stands in the file.</param>
/// <param name="Scope">Number of the graph that holds it: 0 for the main graph.</param>
public sealed record NodeInfo(int Ordinal, NodeProto Proto, int Scope)
{
    /// <summary>Operator and name, as messages give them.</summary>
    public override string ToString() => $"{Proto.OpType} '{(Proto.Name.Length > 0 ? Proto.Name : Proto.Output.FirstOrDefault() ?? "")}'";
}

/// <summary>What inference knows of one tensor.</summary>
internal sealed class TensorState(string name, int scope)
{
    public string Name { get; } = name;
    public int Scope { get; } = scope;
    /// <summary>One term per axis; null where the rank is unknown.</summary>
    public Term[]? Terms { get; set; }
    /// <summary>Why the rank is unknown: the first barrier on the way here.</summary>
    public string? Unknown { get; set; }
    /// <summary>Elements, where they are sizes or small integer constants.</summary>
    public SizeTensor? Value { get; set; }
    /// <summary>The constant in the file: an initializer or the value of a Constant node.</summary>
    public TensorProto? Data { get; set; }
    /// <summary>True where the value follows from constants of the file alone.</summary>
    public bool IsConstant { get; set; }
    /// <summary>True where a product made it: what is computed from constants alone is still no weight.</summary>
    public bool IsProduct { get; set; }
    /// <summary>A weight of the file, or one that was only rearranged, cast or scaled.</summary>
    public bool IsWeight => IsConstant && !IsProduct;
    /// <summary>Element type; 0 where unknown.</summary>
    public int ElementType { get; set; }
    /// <summary>Ordinal of the node that computes it; −1 for inputs and initializers.</summary>
    public int Producer { get; set; } = -1;
    /// <summary>Weights count as parameters: data of the file that is sliced with its axes.</summary>
    public bool IsParameter { get; set; }
    /// <summary>The tensor that one reader sees as its own; null for the tensor itself.</summary>
    public TensorState? Source { get; init; }
    /// <summary>The reader and its operand, for a view.</summary>
    public (NodeInfo Node, int Operand)? Reader { get; init; }
    /// <summary>The views of this tensor.</summary>
    public List<TensorState> Views => field ??= [];
    /// <summary>Factors for whose removed units the tensor is zero in the masked dense model.</summary>
    public ZeroSet Zero { get; set; } = new();
    /// <summary>What "zero" means for a quantised tensor: equal to this zero point; null for plain zero.</summary>
    public ZeroPoint? Point { get; set; }

    public bool IsFloating => ElementType is (int)TensorProto.Types.DataType.Float or (int)TensorProto.Types.DataType.Float16
        or (int)TensorProto.Types.DataType.Double or (int)TensorProto.Types.DataType.Bfloat16;
}

/// <summary>One graph of the model: the main one, or the branch of an If.</summary>
internal sealed class Scope(int id, Scope? outer)
{
    public int Id { get; } = id;
    public Scope? Outer { get; } = outer;
    public Dictionary<string, TensorState> Tensors { get; } = new(StringComparer.Ordinal);

    public TensorState? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope.Tensors.TryGetValue(name, out var state)) return state;
        return null;
    }
}

/// <summary>How an operator treats zeros, for the theorem that removal equals masking.</summary>
internal enum ZeroRule
{
    /// <summary>The output is not zero where the inputs are.</summary>
    Never,
    /// <summary>f(0) = 0 of the first operand; the others do not matter (Relu, Transpose, Div).</summary>
    First,
    /// <summary>Zero where every operand is (Add).</summary>
    All,
    /// <summary>Every operand has positions of its own: zero where each that has the unit is (Concat).</summary>
    Parts,
    /// <summary>Zero where one operand is (Mul, MatMul).</summary>
    Any,
    /// <summary>Zero where the second operand and the third, if there is one, are (scale and bias of a normalisation).</summary>
    Affine,
    /// <summary>Zero where one of the two operands of the product and its bias, if there is one, are.</summary>
    Contraction,
    /// <summary>A product with a packed weight: zero where the first operand or the weight's scales (third), and the bias, if there is one, are.</summary>
    Scaled,
}

/// <summary>A node with its operands, after its rule was applied.</summary>
internal sealed class NodeRecord(NodeInfo info, TensorState?[] inputs, long opset)
{
    public NodeInfo Info { get; } = info;
    /// <summary>Version of the operator set that the node is of.</summary>
    public long Opset { get; } = opset;
    public TensorState?[] Inputs { get; } = inputs;
    public TensorState[] Outputs { get; set; } = [];
    public ZeroRule Zero { get; set; } = ZeroRule.Never;
    /// <summary>Operands that <see cref="Zero"/> speaks of; null for all.</summary>
    public int[]? ZeroOperands { get; set; }
    /// <summary>Results of which another zero rule holds than of the rest.</summary>
    public IReadOnlyDictionary<int, (ZeroRule Rule, int[]? Operands)> ResultZeros { get; set; } = ImmutableDictionary<int, (ZeroRule, int[]?)>.Empty;
    /// <summary>Operands at whose zeros the result is infinite or undefined.</summary>
    public int[] Poles { get; set; } = [];
    /// <summary>The rule that was applied: a line of the operator table, or the name of a rule in code; null for none.</summary>
    public string? Rule { get; set; }
    /// <summary>Axes that are summed over: the terms, and the operands (by index) of which one must be zero at removed units.</summary>
    public List<(Term Term, int[] Operands)> Sums => field ??= [];
    /// <summary>The product that the node computes, if it is one.</summary>
    public Contraction? Contraction { get; set; }
    /// <summary>Multiply-accumulates: a sum of products of terms.</summary>
    public List<Term[]> Macs => field ??= [];
    /// <summary>Why its multiply-accumulates are not known; null where <see cref="Macs"/> has them, or it has none.</summary>
    public string? Unpriced { get; set; }
    public bool IsConvolution { get; set; }
    /// <summary>The product is scaled or goes through an activation: nothing can be added to it from outside.</summary>
    public bool IsFused { get; set; }
    /// <summary>KV groups times the query heads of each, in an operator that computes a whole attention.</summary>
    public Term? Grouped { get; set; }
    /// <summary>Operands whose elements are sizes, re-derived after pruning.</summary>
    public HashSet<int> SizeOperands => field ??= [];
    /// <summary>What goes into the graphs of the node and comes out of them; null where they are not followed.</summary>
    public BodyLinks? Body { get; set; }
    /// <summary>Axes whose elements are zero whatever the inputs are: constant padding.</summary>
    public List<Term> ZeroTerms => field ??= [];
    /// <summary>What constant padding fills in; NaN where that is not known, null for operators that fill nothing in.</summary>
    public double? Fill { get; set; }
    /// <summary>Whether what the operator fills in is zero against the given zero point.</summary>
    public bool FillKeeps(ZeroPoint? point) => Fill is not { } fill || fill == (point is null ? 0 : point.Value);
    /// <summary>Operands and results that are integers with a scale and a zero point.</summary>
    public List<QuantizedOperand> Quantized => field ??= [];
    /// <summary>Weights with several elements to a byte.</summary>
    public List<PackedOperand> Packed => field ??= [];
}

/// <summary>How the graphs of a node hang together with its operands and results.</summary>
/// <param name="End">Ordinal behind the last node of the graphs; they begin right behind the node itself.</param>
internal sealed record BodyLinks(int End)
{
    /// <summary>Sequences of which every step sees a slice.</summary>
    public List<(TensorState Operand, TensorState Inner)> Slices { get; } = [];
    /// <summary>What is carried from step to step: first value, the body's input, the body's result, the node's result.</summary>
    public List<(TensorState First, TensorState Inner, TensorState Next, TensorState Last)> States { get; } = [];
    /// <summary>Results of the node with what they are in each of the graphs.</summary>
    public List<(TensorState Result, TensorState[] Inner)> Results { get; } = [];
}

/// <summary>A product of two operands: which axes are contracted, free and shared.</summary>
/// <param name="Left">Index of the first operand of the node.</param>
/// <param name="Right">Index of the second.</param>
/// <param name="Bias">Index of the bias operand; −1 for none.</param>
/// <param name="Axes">Every variable of the product with its axis in either operand and in the output; −1 where absent. A grouped axis (g i) is two variables on one axis.</param>
internal sealed record Contraction(int Left, int Right, int Bias, List<(Term Term, int Left, int Right, int Output)> Axes);

/// <summary>An integer operand whose elements are sizes of terms: re-derived after pruning.</summary>
/// <param name="Node">The node that reads it.</param>
/// <param name="Input">Index of the operand.</param>
/// <param name="Value">What the graph computes.</param>
/// <param name="Required">Per element, the term whose size it must be; null where it is right for any size (−1, 0, open end).</param>
/// <param name="Pinned">True where the value must stay what the dense model had: it leaves the arithmetic of sizes.</param>
/// <param name="From">Per element, the axis that it counts from the end of: its value moves with the whole axis; null throughout where none does.</param>
internal sealed record SizeUse(NodeInfo Node, int Input, SizeTensor Value, Term?[] Required, bool Pinned = false, Term?[]? From = null);

/// <summary>An integer attribute that is the size of a term.</summary>
internal sealed record AttributeUse(NodeInfo Node, string Attribute, int Index, Term Term, Term? From = null);

/// <summary>Constant positions that are written anew: the positions, among those of an axis that stay, of what stays of the other side.</summary>
/// <param name="Node">The node that reads them.</param>
/// <param name="Input">Index of the operand.</param>
/// <param name="Lists">One list, or the lists of which a grid of positions is made, one per axis of the operand.</param>
/// <param name="Order">Per coordinate of a position in a grid, its list; null where the operand is a plain list.</param>
internal sealed record IndexUse(NodeInfo Node, int Input, IndexList[] Lists, int[]? Order = null);

/// <summary>Positions along an axis.</summary>
/// <param name="Indices">The list in the dense model.</param>
/// <param name="Axis">The axis that is indexed.</param>
/// <param name="Result">The axis on the other side, one position for each index.</param>
internal sealed record IndexList(long[] Indices, Term Axis, Term Result);

/// <summary>A number that an operator takes from the size of an axis unless an attribute gives it: written down when the axis is pruned.</summary>
internal sealed record ScaleUse(NodeInfo Node, string Attribute, float Value, Term Term);

/// <summary>A mean over an axis: what is left after pruning is divided by fewer, so surgery multiplies by their ratio.</summary>
/// <param name="Node">The node.</param>
/// <param name="Terms">The axes that it averages over.</param>
/// <param name="Scale">For a root mean square, the operand that the result is multiplied by; −1 for a plain mean.</param>
internal sealed record MeanUse(NodeInfo Node, Term[] Terms, int Scale = -1);

/// <summary>Something said of every factor in a term.</summary>
/// <param name="Term">The factors are its leaves.</param>
/// <param name="Reason">Operator and reason.</param>
/// <param name="MinKeep">Fewest units that must stay.</param>
/// <param name="Node">Ordinal of the operator; −1 where none says it.</param>
/// <param name="Tensor">The graph's input or output, or the weight, of which it is said; null where an operator says it.</param>
/// <param name="OfMasking">Only masking is not removal here: to multiply what is summed by zero is.</param>
internal sealed record Mark(Term Term, string Reason, long MinKeep = 1, int Node = -1, string? Tensor = null, bool OfMasking = false);
