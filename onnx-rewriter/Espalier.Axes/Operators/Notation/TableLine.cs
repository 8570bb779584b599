using System.Collections.Immutable;
using System.Globalization;

namespace Espalier.Axes.Operators.Notation;

/// <summary>
/// A line of the operator table while it is parsed: <c>Operator | operands -> results | clauses</c>, or facts of several operators,
/// <c>Operator … | clauses</c>.
/// </summary>
internal sealed class TableLine
{
    public TableLine(string text)
    {
        Text = string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        // Clauses hold no bars: attributes are written attr=var.
        string[] columns = Text.Split('|', StringSplitOptions.TrimEntries);
        Operators = columns[0].Split(' ');
        Sides = columns.Length > 1 ? columns[1].Split("->", StringSplitOptions.TrimEntries) : [];
        bool isRule = Sides.Length == 2 && columns.Length <= 3 && Operators.Length == 1;
        if (!isRule && (Sides.Length != 1 || columns.Length != 2)) throw Error("is neither a rule nor facts");
        string clauses = columns.Length > 2 ? columns[2] : isRule ? "" : columns[1];
        Clauses = [.. clauses.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(c => new Clause(this, c))];
    }

    /// <summary>The line as it stands in the table, with single spaces.</summary>
    public string Text { get; }
    public string[] Operators { get; }
    public ImmutableArray<Clause> Clauses { get; }
    /// <summary>Operands and results; one side where the line states facts.</summary>
    public string[] Sides { get; }

    public FormatException Error(string what) => new($"{what}, in the operator table: {Text}");
}

/// <summary>A clause: <c>key</c>, <c>key:value</c> or <c>key[operand]:value</c>.</summary>
internal sealed class Clause
{
    private readonly TableLine _line;
    private readonly string _text;

    public Clause(TableLine line, string text)
    {
        (_line, _text) = (line, text);
        int colon = text.IndexOf(':');
        (Key, Value) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        (Key, Argument) = Element(Key);
    }

    public string Key { get; }
    public string Value { get; }
    /// <summary>The number in brackets; −1 without.</summary>
    public int Argument { get; }

    public FormatException Error(string what) => _line.Error($"'{_text}' {what}");

    /// <summary>What is before a sign and behind it.</summary>
    public (string Left, string Right) Pair(string text, char sign = '=')
        => text.IndexOf(sign) is > 0 and var at ? (text[..at], text[(at + 1)..]) : throw Error($"has no '{sign}'");

    /// <summary>What is behind a sign that need not be there.</summary>
    public static (string Left, string? Right) Optional(string text, char sign)
        => text.IndexOf(sign) is >= 0 and var at ? (text[..at], text[(at + 1)..]) : (text, null);

    /// <summary><c>left=right:default</c>.</summary>
    public (string Left, string Right, long? Default) Assignment()
    {
        var (left, right) = Pair(Value);
        var (value, fallback) = Optional(right, ':');
        return (left, value, fallback is null ? null : Number(fallback));
    }

    /// <summary>A name with a number in brackets; −1 without.</summary>
    public (string Name, int Index) Element(string text)
        => text.EndsWith(']') ? (Pair(text, '[').Left, Number(Pair(text[..^1], '[').Right)) : (text, -1);

    public int Number(string text)
        => int.TryParse(text, CultureInfo.InvariantCulture, out int number) ? number : throw Error($"has '{text}' for a number");

    /// <summary>Numbers of operands or results, of which there are so many.</summary>
    public int[] Indices(string text, int count) => [.. text.Split(',').Select(n => Index(n, count))];

    public int Index(string text, int count)
        => Number(text) is >= 0 and var index && index < count ? index
            : throw Error($"names the operand or result {text}, which is not there");

    /// <summary>A member of an enum; hyphens do not count.</summary>
    public T Word<T>(string text) where T : struct, Enum
        => Enum.TryParse<T>(text.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var word) && Enum.IsDefined(word)
            && !char.IsDigit(text[0]) ? word : throw Error($"has '{text}', which is no {typeof(T).Name}");

    /// <summary>When the line holds: <c>attr=value/value:default</c>, a default of 0 where none is given.</summary>
    public (string Attribute, string[] Values, string Default) Condition()
    {
        var (attribute, expected) = Pair(Value);
        var (values, fallback) = Optional(expected, ':');
        return (attribute, values.Split('/'), fallback ?? "0");
    }
}
