using System.Collections.Immutable;
using System.Globalization;
using Espalier.Axes.Graph;

namespace Espalier.Axes.Operators.Table;

/// <summary>
/// One line of the operator table: <c>Operator | operands -> results | clauses</c>, in an einops-like notation.
/// The clauses are listed in <see cref="OperatorTable"/>.
/// </summary>
internal sealed class OperatorRule
{
    public required string Operator { get; init; }
    /// <summary>The line as it stands in the table, with single spaces.</summary>
    public required string Text { get; init; }
    public required ImmutableArray<OperandPattern> Operands { get; init; }
    public required ImmutableArray<OperandPattern> Results { get; init; }

    /// <summary>The pattern of an operand; null where there is no such operand.</summary>
    public OperandPattern? PatternOf(int operand) => operand < Operands.Length ? Operands[operand] : Variadic ? Operands[^1] : null;

    /// <summary>Whether operator set and attributes are those of the line.</summary>
    public bool HoldsFor(NodeRecord record)
        => record.Opset >= Since && (record.Info.Proto.Domain is not ("" or "ai.onnx") || record.Opset <= Until)
            && Conditions.TrueForAll(c => c.Values.Contains(NodeContext.AsText(record.Info.Proto, c.Attribute, c.Default)));

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

    /// <summary>Parses one line.</summary>
    /// <param name="line">The line.</param>
    public static OperatorRule Parse(string line)
    {
        var columns = line.Split('|', 3, StringSplitOptions.TrimEntries);
        // Clauses may hold no bars: attributes are written attr=var.
        var sides = columns[1].Split("->", StringSplitOptions.TrimEntries);
        var rule = new OperatorRule { Operator = columns[0],
            Text = string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)), Operands = Side(sides[0]),
            Results = Side(sides[1]) };
        foreach (string clause in columns.Length < 3 ? [] : columns[2].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            rule.Add(clause, line);
        return rule;

        static ImmutableArray<OperandPattern> Side(string text)
            => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(Operand)];
    }

    private static OperandPattern Operand(string text)
    {
        bool optional = text.EndsWith('?');
        if (optional) text = text[..^1].TrimEnd();
        bool broadcast = text.StartsWith('~');
        if (broadcast) text = text[1..].TrimStart();
        if (text == "*") return new([], optional, false, true);
        if (text == "_") return new([], optional, false, false, true);
        if (text == "-") return new([], true, false, false, Absent: true);
        return new(AxesOf(text.TrimStart()), optional, broadcast, false);
    }

    private static ImmutableArray<AxisPattern> AxesOf(string text)
    {
        // The innermost open list is on top; brackets open a sum, parentheses a product.
        var open = new Stack<List<AxisPattern>>([[]]);
        foreach (string bracket in (string[])["(", ")", "[", "]"]) text = text.Replace(bracket, $" {bracket} ", StringComparison.Ordinal);
        foreach (string token in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (token)
            {
                case "(" or "[":
                    open.Push([]);
                    break;
                case ")" or "]":
                    var parts = open.Pop().ToImmutableArray();
                    open.Peek().Add(token == ")" ? new AxisPattern.Product(parts) : new AxisPattern.Sum(parts));
                    break;
                case "+": break;
                default:
                    open.Peek().Add(token.EndsWith("...", StringComparison.Ordinal) ? new AxisPattern.Pack(token[..^3])
                        : long.TryParse(token, CultureInfo.InvariantCulture, out long size) ? new AxisPattern.Number(size)
                        : new AxisPattern.Variable(token));
                    break;
            }
        }
        return [.. open.Pop()];
    }

    private void Add(string clause, string line)
    {
        var (key, value) = clause.IndexOf(':') is >= 0 and var at ? (clause[..at], clause[(at + 1)..]) : (clause, "");
        switch (key)
        {
            case "bind":
            {
                var (a, v, d) = Assignment(value);
                var (name, index) = Element(a);
                Bindings.Add((name, index, v.Split('*'), d));
                break;
            }
            case "const":
            {
                var (v, a, d) = Assignment(value);
                var (name, index) = Element(a);
                Constants.Add((v, name, index, d));
                break;
            }
            case "count": { var pair = value.Split('='); Counts.Add((pair[0], pair[1].Split('/'))); break; }
            case "when":
                var condition = value.Split('=', 2);
                var expected = condition[1].Split(':', 2);
                Conditions.Add((condition[0], expected[0].Split('/'), expected.Length > 1 ? expected[1] : "0"));
                break;
            case "role": { var pair = value.Split('='); Roles.Add(
                (Enum.Parse<Role>(pair[0].Replace("-", "", StringComparison.Ordinal), ignoreCase: true), pair[1])); break; }
            case "macs": Macs.Add((value.Split(','), -1)); break;
            case var optional when optional.StartsWith("macs[", StringComparison.Ordinal):
                Macs.Add((value.Split(','), int.Parse(optional[5..^1], CultureInfo.InvariantCulture))); break;
            case "length": { var pair = value.Split('='); Lengths.Add(pair[0], pair[1].Split('+')); break; }
            case "sum": { var pair = value.Split('='); Sums.Add((pair[0], Numbers(pair[1]))); break; }
            case "quant": Quantized.Add(QuantizedOperand.Parse(value)); break;
            case "packed": { var (scales, bits, width) = Assignment(value); var pair = scales
                .Split(',');
                Packed.Add((int.Parse(pair[0], CultureInfo.InvariantCulture), int.Parse(pair[1], CultureInfo.InvariantCulture), bits, width
                    ?? 8)); break; }
            case "norm": Normalised = value.Split(','); break;
            case "rms": { var parts = value.Split('='); RootMeanSquare = (parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture),
                Numbers(parts[2])); break; }
            case "fix": Fixed = value.Split(','); break;
            case "zero":
                var of = value.Split('@');
                var zero = of[0].Split('=');
                var kind = Enum.Parse<ZeroRule>(zero[0], ignoreCase: true);
                int[]? operands = zero.Length > 1 ? Numbers(zero[1]) : null;
                if (of.Length > 1) foreach (int result in Numbers(of[1])) ResultZeros[result] = (kind, operands);
                else (Zero, ZeroOperands) = (kind, operands);
                break;
            case "held": Held = value.Split(','); break;
            case "whole": Whole = value.Split(','); break;
            case "draws": Drawn = value.Split(','); break;
            case "pole": Poles = Numbers(value); break;
            case "grouped": Grouped = value.Split('*'); break;
            case "scale": { var pair = value.Split('='); Scale = (pair[0], pair[1]); break; }
            case "fused": Fused = true; break;
            case "top": { var pair = value.Split('='); Chosen = (pair[0], pair[1]); break; }
            case "contract": Contract = Numbers(value); break;
            case "geometry": Geometry = value; break;
            case "variadic": Variadic = true; break;
            case "since": Since = long.Parse(value, CultureInfo.InvariantCulture); break;
            case "until": Until = long.Parse(value, CultureInfo.InvariantCulture); break;
            default: throw new FormatException($"Unknown clause '{clause}' in the operator table: {line}");
        }

        static int[] Numbers(string text) => [.. text.Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];

        static (string, int) Element(string attribute)
            => attribute.IndexOf('[') is >= 0 and var at
                ? (attribute[..at], int.Parse(attribute[(at + 1)..^1], CultureInfo.InvariantCulture))
                : (attribute, -1);

        static (string, string, long?) Assignment(string text)
        {
            var sides = text.Split('=', 2);
            var right = sides[1].Split(':', 2);
            return (sides[0], right[0], right.Length > 1 ? long.Parse(right[1], CultureInfo.InvariantCulture) : null);
        }
    }
}
