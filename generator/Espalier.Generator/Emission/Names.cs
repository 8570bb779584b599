using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis.CSharp;

namespace Espalier.Generator.Emission;

internal static class Names
{
    // Members that every class or record has, and those that the generated types declare.
    private static readonly string[] ObjectMembers =
    [
        "Equals", "GetHashCode", "GetType", "ToString", "MemberwiseClone", "ReferenceEquals", "Finalize", "Deconstruct", "PrintMembers",
        "EqualityContract", "Clone", "ToTensors", "FromTensors",
    ];

    /// <summary>Unique PascalCase identifiers for names of a model, in order: the same names give the same identifiers.</summary>
    /// <param name="names">Names as the model has them.</param>
    /// <param name="enclosing">Name of the type that holds the members: C# forbids a member of that name.</param>
    public static List<string> Unique(IEnumerable<string> names, string enclosing)
    {
        var taken = new HashSet<string>(ObjectMembers, StringComparer.Ordinal) { enclosing };
        var identifiers = new List<string>();
        foreach (var name in names)
        {
            var pascal = Pascal(name);
            var identifier = pascal;
            for (var n = 2; !taken.Add(identifier); n++) identifier = pascal + "_" + n.ToString(CultureInfo.InvariantCulture);
            identifiers.Add(identifier);
        }
        return identifiers;
    }

    /// <summary>
    /// Words of letters and digits, each with a capital: <c>onnx::Conv_12</c> → <c>OnnxConv12</c>, <c>12</c> → <c>N12</c>.
    /// </summary>
    public static string Pascal(string name)
    {
        var text = new StringBuilder();
        var start = true;
        foreach (var c in name)
        {
            if (!SyntaxFacts.IsIdentifierPartCharacter(c) || c == '_' || char.GetUnicodeCategory(c) == UnicodeCategory.Format)
            {
                start = true;
                continue;
            }
            text.Append(start ? char.ToUpperInvariant(c) : c);
            start = false;
        }
        if (text.Length == 0) return "Unnamed";
        // A digit may follow a digit of another word: 1.12 and 11.2 must stay apart, which Unique sees to.
        return SyntaxFacts.IsIdentifierStartCharacter(text[0]) ? text.ToString() : "N" + text;
    }

    /// <summary>An identifier that may be a keyword.</summary>
    public static string Escape(string identifier)
        => SyntaxFacts.GetKeywordKind(identifier) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(identifier) != SyntaxKind.None
            ? "@" + identifier
            : identifier;

    public static string Literal(string value) => SymbolDisplay.FormatLiteral(value, quote: true);

    /// <summary>Text inside a documentation comment, on one line.</summary>
    public static string Xml(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            _ = c switch
            {
                '&' => safe.Append("&amp;"),
                '<' => safe.Append("&lt;"),
                '>' => safe.Append("&gt;"),
                _ when char.IsControl(c) || c is '\u2028' or '\u2029' || char.IsSurrogate(c) => safe.Append(' '),
                _ => safe.Append(c),
            };
        }
        return safe.ToString();
    }

    /// <summary>A count as people read it: 12, 3.4 k, 1.23 M.</summary>
    public static string Count(double value)
    {
        var (scaled, suffix) = value switch
        {
            >= 999.5e6 => (value / 1e9, " G"),
            >= 999.5e3 => (value / 1e6, " M"),
            >= 10e3 => (value / 1e3, " k"),
            _ => (value, ""),
        };
        return (suffix.Length == 0
            ? Math.Round(scaled).ToString("0", CultureInfo.InvariantCulture)
            : scaled.ToString("0.##", CultureInfo.InvariantCulture)) + suffix;
    }

    public static string Range(long least, long most)
        => least == most
            ? least.ToString(CultureInfo.InvariantCulture)
            : least.ToString(CultureInfo.InvariantCulture) + "…" + most.ToString(CultureInfo.InvariantCulture);
}
