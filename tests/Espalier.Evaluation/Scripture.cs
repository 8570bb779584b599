using System.Text.RegularExpressions;
using Espalier.Evaluation.Real;

namespace Espalier.Evaluation;

/// <summary>The King James Bible, on parts of which bert, gpt and moe were trained: more of it than the repository's assets hold.</summary>
internal sealed partial class Scripture
{
    /// <summary>Characters of the windows of a file of the assets: 64 of 129.</summary>
    private const int Part = 64 * 129;

    /// <summary>Share of the text on which the language models were trained: what follows, they have not seen.</summary>
    private const double Trained = 0.95;

    private const int Seed = 60;

    /// <summary>Books of each class: law, history, poetry, prophets, gospels, letters.</summary>
    private static readonly int[] Books = [5, 12, 5, 17, 5, 22];

    private readonly List<(int Class, string Text)> _others;
    private readonly string _text;

    private Scripture(string file, string assets)
    {
        var verses = new List<(int Book, string Text)>();
        var books = new List<string>();
        foreach (var match in File.ReadLines(file).Select(l => Verse().Match(l)).Where(m => m.Success))
        {
            if (books.Count == 0 || books[^1] != match.Groups[1].Value) books.Add(match.Groups[1].Value);
            verses.Add((books.Count - 1, match.Groups[2].Value));
        }
        int[] classes = [.. Books.SelectMany((count, c) => Enumerable.Repeat(c, count))];
        if (books.Count != classes.Length) throw new EspalierException($"'{file}' has {books.Count} books, and not {classes.Length}.");
        _text = string.Join('\n', verses.Select(v => v.Text));
        var known = Texts(assets, "bert-test.tsv").Concat(Texts(assets, "bert-calibration.tsv")).ToHashSet(StringComparer.Ordinal);
        (int, string)[] others = [.. verses.Where(v => !known.Contains(v.Text)).DistinctBy(v => v.Text)
            .Select(v => (classes[v.Book], v.Text))];
        new Random(Seed).Shuffle(others);
        _others = [.. others];
    }

    /// <summary>Reads it.</summary>
    /// <param name="places">Where it is unpacked; null for the assets alone.</param>
    /// <exception cref="EspalierException">It is not there.</exception>
    public static Scripture Read(Places? places, string assets) => places is not null && File.Exists(Debian.Bible(places))
        ? new(Debian.Bible(places), assets)
        : throw new EspalierException("This needs more text than the repository has: the verb 'real data' fetches it.");

    /// <summary>Verses that are in no file of the assets, with their class. The networks were trained on them.</summary>
    public IReadOnlyList<(int Class, string Text)> Others => _others;

    /// <summary>The text behind the part of the assets' test, which the language models have not seen either.</summary>
    public string Validation => _text.Substring((int)(_text.Length * Trained) + Part, Part);

    /// <summary>The text behind the part of the assets' calibration data.</summary>
    public string Calibration => _text[Part..];

    /// <summary>Texts of a file with class, tab, text in each line.</summary>
    public static IEnumerable<string> Texts(string assets, string file)
        => File.ReadLines(Path.Combine(assets, file)).Select(l => l[(l.IndexOf('\t', StringComparison.Ordinal) + 1)..]);

    [GeneratedRegex(@"^(\d?[A-Za-z]+)\d+:\d+\s+(.*)")]
    private static partial Regex Verse();
}
