using System.Collections.Immutable;
using System.Globalization;

namespace Espalier.Axes.Operators.Notation;

/// <summary>Reads the patterns of one side of a line of the operator table.</summary>
internal static class PatternParser
{
    /// <summary>Operands or results, between commas.</summary>
    /// <exception cref="FormatException">Brackets do not match; the message has the line.</exception>
    public static ImmutableArray<OperandPattern> Parse(TableLine line, int side)
        => [.. line.Sides[side].Split(',', StringSplitOptions.TrimEntries).Select(text => Operand(line, text))];

    private static OperandPattern Operand(TableLine line, string text)
    {
        bool optional = text.EndsWith('?');
        if (optional) text = text[..^1].TrimEnd();
        bool broadcast = text.StartsWith('~');
        if (broadcast) text = text[1..].TrimStart();
        return text switch
        {
            "*" => new([], optional, false, true),
            "_" => new([], optional, false, false, Ignored: true),
            "-" => new([], true, false, false, Absent: true),
            _ => new(Axes(line, text), optional, broadcast, false),
        };
    }

    private static ImmutableArray<AxisPattern> Axes(TableLine line, string text)
    {
        // The innermost open list is on top, with the bracket that closes it.
        var open = new Stack<(string Close, List<AxisPattern> Parts)>([("", [])]);
        foreach (string sign in (string[])["(", ")", "[", "]"]) text = text.Replace(sign, $" {sign} ", StringComparison.Ordinal);
        foreach (string token in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (token)
            {
                case "(": open.Push((")", [])); break;
                case "[": open.Push(("]", [])); break;
                case ")" or "]":
                    var (close, parts) = open.Pop();
                    if (close != token) throw line.Error($"'{token}' closes no bracket in '{text.Trim()}'");
                    open.Peek().Parts.Add(token == ")" ? new AxisPattern.Product([.. parts]) : new AxisPattern.Sum([.. parts]));
                    break;
                case "+" when open.Peek().Close == "]": break;
                default: open.Peek().Parts.Add(Axis(line, token)); break;
            }
        }
        return open.Count == 1 ? [.. open.Pop().Parts] : throw line.Error($"a bracket is not closed in '{text.Trim()}'");
    }

    private static AxisPattern Axis(TableLine line, string token)
    {
        string name = token.EndsWith("...", StringComparison.Ordinal) ? token[..^3] : token;
        if (long.TryParse(token, CultureInfo.InvariantCulture, out long size)) return new AxisPattern.Number(size);
        if (!name.All(char.IsAsciiLetter)) throw line.Error($"'{token}' is no axis");
        return name == token ? new AxisPattern.Variable(name) : new AxisPattern.Pack(name);
    }
}
