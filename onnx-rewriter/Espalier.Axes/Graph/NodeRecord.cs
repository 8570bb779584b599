using System.Collections.Immutable;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Graph;

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
    public IReadOnlyDictionary<int, (ZeroRule Rule, int[]? Operands)> ResultZeros { get; set; } =
        ImmutableDictionary<int, (ZeroRule, int[]?)>.Empty;
    /// <summary>Operands whose elements the operator only moves; null for operators that compute.</summary>
    public IReadOnlyList<int>? Moved { get; set; }
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
/// <param name="Axes">Every variable of the product with its axis in either operand and in the output; −1 where absent. A
/// grouped axis (g i) is two variables on one axis.</param>
internal sealed record Contraction(int Left, int Right, int Bias, List<(Term Term, int Left, int Right, int Output)> Axes);
