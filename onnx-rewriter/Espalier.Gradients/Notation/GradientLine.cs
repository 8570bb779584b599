using System.Text.RegularExpressions;
using Espalier.Onnx;

namespace Espalier.Gradients.Notation;

/// <summary>
/// One line: <c>Sigmoid(x) y | x: dy*y*(1-y)</c>. Operands, results, then parts: <c>name: expression</c> is the gradient of an operand,
/// <c>name = expression</c> a definition that later parts use, <c>when:attribute=value/value:default</c> and
/// <c>since:n</c>, <c>until:n</c> say when the line holds. Operands without a part have no gradient: indices, sizes, masks.
/// </summary>
/// <remarks>
/// An operand <c>s.1</c> is a vector along axis 1 of the first one. <c>x...</c> stands for all operands from there on, each of which the
/// part <c>x:</c> holds for.
/// </remarks>
internal sealed partial class GradientLine
{
    private readonly List<Func<NodeProto, bool>> _conditions = [];

    public GradientLine(string text)
    {
        Text = text;
        string[] parts = text.Split('|', StringSplitOptions.TrimEntries);
        var head = Head().Match(parts[0]);
        if (!head.Success) throw new FormatException($"'{text}' does not begin with Operator(operands) results.");
        Operators = head.Groups[1].Value.Split(' ');
        foreach (string operand in Split(head.Groups[2].Value))
        {
            bool isRest = operand.EndsWith("...", StringComparison.Ordinal), isVector = operand.EndsWith(".1", StringComparison.Ordinal);
            IsVariadic |= isRest;
            string name = isRest ? operand[..^3] : isVector ? operand[..^2] : operand;
            if (isVector) Vectors.Add(name);
            Operands.Add(name);
        }
        Results = Split(head.Groups[3].Value);
        foreach (string part in parts.Skip(1)) Read(part);
    }

    public string Text { get; }

    /// <summary>Operators that the line is for.</summary>
    public IReadOnlyList<string> Operators { get; }

    public List<string> Operands { get; } = [];

    /// <summary>Operands that lie along axis 1 of the first one.</summary>
    public HashSet<string> Vectors { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether the last operand stands for all that follow.</summary>
    public bool IsVariadic { get; private set; }

    public IReadOnlyList<string> Results { get; }

    public List<(string Name, Expression Value)> Definitions { get; } = [];

    /// <summary>Gradients by operand.</summary>
    public Dictionary<string, Expression> Gradients { get; } = new(StringComparer.Ordinal);

    public long Since { get; private set; } = 1;

    public long Until { get; private set; } = long.MaxValue;

    /// <summary>Whether the line is for this node.</summary>
    public bool HoldsFor(NodeProto node, long opset)
        => opset >= Since && opset <= Until && _conditions.TrueForAll(condition => condition(node));

    /// <summary>The name that the line has for an operand; null where it has none.</summary>
    public string? NameOf(int operand)
        => operand < Operands.Count ? Operands[operand] : IsVariadic ? Operands[^1] : null;

    private void Read(string part)
    {
        if (Condition().Match(part) is { Success: true } condition)
        {
            var (kind, rest) = (condition.Groups[1].Value, condition.Groups[2].Value);
            if (kind == "since") Since = long.Parse(rest, System.Globalization.CultureInfo.InvariantCulture);
            else if (kind == "until") Until = long.Parse(rest, System.Globalization.CultureInfo.InvariantCulture);
            else _conditions.Add(When(rest));
        }
        else if (Part().Match(part) is { Success: true } stated)
        {
            string name = stated.Groups[1].Value;
            var value = ExpressionParser.Parse(stated.Groups[3].Value);
            if (stated.Groups[2].Value == "=") Definitions.Add((name, value));
            else if (!Operands.Contains(name) || !Gradients.TryAdd(name, value))
                throw new FormatException($"'{Text}': '{name}' is no operand, or has two gradients.");
            foreach (string used in value.Names.Where(n => !IsKnown(n)))
                throw new FormatException($"'{Text}': '{used}' is neither operand nor result nor defined.");
        }
        else throw new FormatException($"'{Text}': '{part}' is no part of a line.");
    }

    private bool IsKnown(string name) => Operands.Contains(name) || Results.Contains(name)
        || (name[0] == 'd' && Results.Contains(name[1..])) || Definitions.Exists(d => d.Name == name);

    // attribute=value/value:default, where a value is a text or an integer.
    private static Func<NodeProto, bool> When(string text)
    {
        var match = Attribute().Match(text);
        if (!match.Success) throw new FormatException($"'{text}' is no condition.");
        var (name, values, otherwise) = (match.Groups[1].Value, match.Groups[2].Value.Split('/'), match.Groups[3].Value);
        return node => values.Contains(node.Attribute.FirstOrDefault(a => a.Name == name) is not { } a ? otherwise
            : a.Type == AttributeProto.Types.AttributeType.String ? a.S.ToStringUtf8()
            : a.I.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    private static string[] Split(string names)
        => names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"^([\w ]+?)\(([^()]*)\) ?([\w, ]*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Head();

    [GeneratedRegex("^(when|since|until):(.*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Condition();

    [GeneratedRegex(@"^(\w+) ?([:=])(?!=)(.*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Part();

    [GeneratedRegex("^(\\w+)=([^:]*)(?::(.*))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Attribute();
}
