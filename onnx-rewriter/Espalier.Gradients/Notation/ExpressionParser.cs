using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier.Gradients.Notation;

/// <summary>
/// Parses <c>dy*y - y*sum(dy*y)</c>: numbers, names, attributes as <c>@alpha:0.01</c> with the value where they are absent, functions,
/// and in falling order of how they bind: <c>^</c>, minus, <c>* /</c>, <c>+ -</c>, <c>&lt; &lt;= &gt; &gt;= ==</c>.
/// </summary>
internal sealed partial class ExpressionParser
{
    private static readonly string[][] Levels = [["<", "<=", ">", ">=", "=="], ["+", "-"], ["*", "/"]];

    private readonly string _text;
    private readonly List<string> _tokens;
    private int _at;

    private ExpressionParser(string text)
    {
        _text = text;
        _tokens = [.. Token().Matches(text).Select(m => m.Value)];
        if (string.Concat(_tokens) != text.Replace(" ", "", StringComparison.Ordinal)) throw Fault("has other characters");
    }

    /// <exception cref="FormatException">It is no expression.</exception>
    public static Expression Parse(string text)
    {
        var parser = new ExpressionParser(text);
        var parsed = parser.Operation(0);
        return parser._at == parser._tokens.Count ? parsed : throw parser.Fault($"goes on with '{parser._tokens[parser._at]}'");
    }

    private string? Next => _at < _tokens.Count ? _tokens[_at] : null;

    private Expression Operation(int level)
    {
        if (level == Levels.Length) return Negation();
        var left = Operation(level + 1);
        while (Next is { } op && Levels[level].Contains(op))
        {
            _at++;
            left = new CallExpression(op, [left, Operation(level + 1)]);
        }
        return left;
    }

    private Expression Negation()
    {
        if (Next != "-") return Power();
        _at++;
        return new CallExpression("neg", [Negation()]);
    }

    private Expression Power()
    {
        var left = Atom();
        if (Next != "^") return left;
        _at++;
        return new CallExpression("^", [left, Negation()]);
    }

    private Expression Atom()
    {
        string token = Next ?? throw Fault("ends early");
        _at++;
        if (token == "(")
        {
            var inner = Operation(0);
            Take(")");
            return inner;
        }
        if (token[0] == '@') return Attribute(token);
        if (double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
            return new NumberExpression(number);
        if (!char.IsLetter(token[0])) throw Fault($"has '{token}' for an operand");
        if (Next != "(") return new NameExpression(token);
        var arguments = new List<Expression>();
        do
        {
            _at++;
            arguments.Add(Operation(0));
        }
        while (Next == ",");
        Take(")");
        return new CallExpression(token, [.. arguments]);
    }

    private AttributeExpression Attribute(string token)
    {
        string[] parts = token[1..].Split(':');
        return parts.Length == 2 && double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double otherwise)
            ? new(parts[0], otherwise)
            : throw Fault($"has '{token}' without a value for where it is absent");
    }

    private void Take(string token)
    {
        if (Next != token) throw Fault($"lacks a '{token}'");
        _at++;
    }

    private FormatException Fault(string what) => new($"'{_text}' {what}.");

    [GeneratedRegex(@"@\w+(:-?[0-9.]+(e-?[0-9]+)?)?|[0-9]+(\.[0-9]+)?(e-?[0-9]+)?|[A-Za-z]\w*|<=|>=|==|[-+*/^<>(),]",
        RegexOptions.CultureInvariant)]
    private static partial Regex Token();
}
