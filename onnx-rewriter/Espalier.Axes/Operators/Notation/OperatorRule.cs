using System.Collections.Immutable;
using Espalier.Axes.Graph;

namespace Espalier.Axes.Operators.Notation;

/// <summary>
/// One line of the operator table: <c>Operator | operands -> results | clauses</c>, in an einops-like notation.
/// The clauses are listed in <c>OperatorTable</c>.
/// </summary>
internal sealed partial class OperatorRule
{
    private readonly HashSet<string> _names;

    /// <exception cref="FormatException">Something is wrong with it: the message has what, and the line.</exception>
    public OperatorRule(TableLine line)
    {
        (Operator, Text, Operands, Results) = (line.Operators[0], line.Text, PatternParser.Parse(line, 0), PatternParser.Parse(line, 1));
        _names = [.. Operands.Concat(Results).SelectMany(o => o.Axes).SelectMany(a => a.Names)];
        foreach (var clause in line.Clauses)
            (Clauses.GetValueOrDefault(clause.Key) ?? throw clause.Error("is no clause of a rule"))(this, clause);
    }

    public string Operator { get; }
    /// <summary>The line as it stands in the table, with single spaces.</summary>
    public string Text { get; }
    public ImmutableArray<OperandPattern> Operands { get; }
    public ImmutableArray<OperandPattern> Results { get; }

    /// <summary>The pattern of an operand; null where there is no such operand.</summary>
    public OperandPattern? PatternOf(int operand) => operand < Operands.Length ? Operands[operand] : Variadic ? Operands[^1] : null;

    /// <summary>A function of every element alone.</summary>
    public bool IsElementwise => Poles.Length == 0 && Drawn.Length == 0 && Operands.Skip(1).All(o => o.Opaque)
        && Operands[0].Axes is [AxisPattern.Pack { Name: "" }] && Results is [{ Axes: [AxisPattern.Pack { Name: "" }] }];

    /// <summary>Whether operator set and attributes are those of the line.</summary>
    public bool HoldsFor(NodeRecord record)
        => record.Opset >= Since && (record.Info.Proto.Domain is not ("" or "ai.onnx") || record.Opset <= Until)
            && NodeContext.Meets(record.Info.Proto, Conditions);

    /// <summary>
    /// Attribute (or one element of it; −1 for the whole) that is the size of a product of variables: re-derived after pruning.
    /// </summary>
    public List<(string Attribute, int Index, string[] Variables, long? Default)> Bindings { get; } = [];
    /// <summary>Variable whose size an attribute gives and nothing can change.</summary>
    public List<(string Variable, string Attribute, int Index, long? Default)> Constants { get; } = [];
    /// <summary>Variable whose size is the length of the one of these attributes that is there.</summary>
    public List<(string Variable, string[] Attributes)> Counts { get; } = [];
    public List<(string Attribute, string[] Values, string Default)> Conditions { get; } = [];
    public List<(Role Role, string Variable)> Roles { get; } = [];
    /// <summary>Products of variables, each with the operand without which it is not computed; −1 for none.</summary>
    public List<(string[] Variables, int Operand)> Macs { get; } = [];
    /// <summary>Variables that are as long as others together, where those are there.</summary>
    public Dictionary<string, string[]> Lengths { get; } = [];
    public List<(string Variable, int[] Operands)> Sums { get; } = [];
    public List<QuantizedOperand> Quantized { get; } = [];
    /// <summary>Packed operands with their scales, and the attribute that says how wide an element is.</summary>
    public List<(int Operand, int Scale, string Bits, long Default)> Packed { get; } = [];
    public string[] Normalised { get; private set; } = [];
    public string[] Fixed { get; private set; } = [];
    /// <summary>Axes that the operator takes at one size for several operands, or in steps: dimensions of heads.</summary>
    public string[] Whole { get; private set; } = [];
    /// <summary>Axes that attributes of the operator have coefficients for.</summary>
    public string[] Held { get; private set; } = [];
    /// <summary>Axes along which random numbers are drawn.</summary>
    public string[] Drawn { get; private set; } = [];
    /// <summary>
    /// A root mean square over a variable: the operand that scales the result, and the operands that must be zero at removed units.
    /// </summary>
    public (string Variable, int Scale, int[] Operands)? RootMeanSquare { get; private set; }
    public ZeroRule Zero { get; private set; } = ZeroRule.Never;
    public int[]? ZeroOperands { get; private set; }
    /// <summary>Results of which another zero rule holds than of the rest.</summary>
    public Dictionary<int, (ZeroRule Rule, int[]? Operands)> ResultZeros { get; } = [];
    /// <summary>Operands at whose zeros the result is infinite or undefined.</summary>
    public int[] Poles { get; private set; } = [];
    /// <summary>A product kv·r of which r query heads share a KV group.</summary>
    public string[] Grouped { get; private set; } = [];
    /// <summary>An attribute that, where it is absent, follows from the size of a variable: 1/√size.</summary>
    public (string Attribute, string Variable)? Scale { get; private set; }
    /// <summary>A variable over which the largest are chosen, and the attribute that says how many.</summary>
    public (string Variable, string Attribute)? Chosen { get; private set; }
    /// <summary>The product is not the last step: nothing can be added to it from outside.</summary>
    public bool Fused { get; private set; }
    public int[]? Contract { get; private set; }
    public string Geometry { get; private set; } = "";
    public bool Variadic { get; private set; }
    public long Since { get; private set; }
    public long Until { get; private set; } = long.MaxValue;
}
