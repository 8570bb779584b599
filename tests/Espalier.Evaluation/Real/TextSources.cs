using System.Net;
using System.Text.RegularExpressions;

namespace Espalier.Evaluation.Real;

/// <summary>Texts as their packages have them, each a line with single spaces, in the order of files and lines.</summary>
internal static partial class TextSources
{
    private const int FewestWords = 5, MostWords = 60, LongExample = 8;

    /// <summary>Sections whose packages resemble each other more than those of others.</summary>
    public static readonly string[] Sections = ["database", "editors", "fonts", "games", "graphics", "localization", "mail", "net", "perl",
        "python", "science", "sound"];

    /// <summary>Whole fortunes without the line that says who said it.</summary>
    public static IEnumerable<string> Fortunes(Places places)
        => Files(places, Debian.Fortunes, "")
            .Where(f => Path.GetExtension(f).Length == 0 && f.Contains("/games/fortunes/", StringComparison.Ordinal))
            .Where(f => new FileInfo(f).LinkTarget is null)
            .SelectMany(f => File.ReadAllText(f).ReplaceLineEndings("\n").Split("\n%\n"))
            .Select(t => Line(Said().Split(t)[0])).Where(IsProse);

    /// <summary>Definitions of synsets that have no example.</summary>
    public static IEnumerable<string> Definitions(Places places)
        => Synsets(places, "data.*").Where(s => !s.Gloss.Contains('"')).Select(s => Definition(s.Gloss))
            .Where(d => Words(d) >= FewestWords);

    /// <summary>An example sentence of a noun and its entry: the noun, a colon, the definition.</summary>
    public static IEnumerable<(string Example, string Entry)> Examples(Places places)
        => Synsets(places, "data.noun").Where(s => s.Gloss.Contains('"'))
            .Select(s => (Example: Line(Quoted().Match(s.Gloss).Groups[1].Value), Entry: $"{s.Word}: {Definition(s.Gloss)}"))
            .Where(p => Words(p.Example) >= LongExample && Words(p.Entry) > FewestWords);

    /// <summary>What packages are, with their section. Of packages of one family, which say the same of themselves, the first.</summary>
    public static IEnumerable<(string Text, string Section)> Descriptions(Places places)
        => File.ReadLines(Debian.Descriptions(places)).Select(l => l.Split('\t')).Where(c => c.Length == 3)
            .Select(c => (Text: Line(c[2]), Section: c[0])).Where(d => Words(d.Text) >= 4 && IsMostlyLetters(d.Text))
            .DistinctBy(d => Family().Split(d.Text)[0].ToUpperInvariant());

    /// <summary>Verses of the repository's own assets.</summary>
    public static IEnumerable<string> Verses(Places places)
        => File.ReadLines(Path.Combine(places.Root, "tests", "assets", "bert-test.tsv")).Select(l => Line(l.Split('\t')[^1]))
            .Where(IsProse);

    /// <summary>Sentences of OpenCV's tutorials.</summary>
    public static IEnumerable<string> Documentation(Places places)
        => Files(places, Debian.OpenCv, ".html").Where(f => Path.GetFileName(f).StartsWith("tutorial_", StringComparison.Ordinal))
            .SelectMany(f => Paragraph().Matches(File.ReadAllText(f)))
            .SelectMany(m => SentenceEnd().Split(Line(WebUtility.HtmlDecode(Tag().Replace(m.Groups[1].Value, "")))))
            .Where(s => IsProse(s) && s.EndsWith('.') && s.IndexOfAny(['\\', '=', '{', '$', '_']) < 0);

    private static IEnumerable<(string Word, string Gloss)> Synsets(Places places, string files)
        => Directory.EnumerateFiles(Path.Combine(Debian.Folder(places, Debian.WordNet), "usr", "share", "wordnet"), files)
            .Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Where(l => !l.StartsWith(' '))
            .Select(l => (l.Split(' ')[4].Replace('_', ' '), l[(l.IndexOf('|', StringComparison.Ordinal) + 1)..]));

    private static string Definition(string gloss) => Line(gloss.Split('"')[0]).TrimEnd(';', ' ');

    private static IEnumerable<string> Files(Places places, string package, string extension)
        => Directory.EnumerateFiles(Debian.Folder(places, package), "*" + extension, SearchOption.AllDirectories)
            .Select(f => f.Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static string Line(string text) => Space().Replace(text, " ").Trim();

    private static int Words(string text) => text.Count(c => c == ' ') + 1;

    private static bool IsProse(string text) => Words(text) is >= FewestWords and <= MostWords && IsMostlyLetters(text);

    private static bool IsMostlyLetters(string text) => text.Count(c => char.IsAsciiLetter(c) || c == ' ') >= 0.85 * text.Length;

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@"\n\s*--")]
    private static partial Regex Said();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@" \(| - |: |; ")]
    private static partial Regex Family();

    [GeneratedRegex("<p>(.*?)</p>", RegexOptions.Singleline)]
    private static partial Regex Paragraph();

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tag();

    [GeneratedRegex("(?<=[.!?]) (?=[A-Z])")]
    private static partial Regex SentenceEnd();
}
