namespace Espalier.Evaluation.Real;

/// <summary>The texts on which an encoder is judged.</summary>
/// <param name="A">Of the sources of calibration.</param>
/// <param name="B">Of others.</param>
/// <param name="Pairs">A sentence, and the definition of what it is an example of.</param>
/// <param name="Labelled">A description and its section.</param>
internal sealed record TextSplit(IReadOnlyList<string> A, IReadOnlyList<string> B, IReadOnlyList<(string Query, string Answer)> Pairs,
    IReadOnlyList<(string Text, string Label)> Labelled)
{
    /// <summary>All of them.</summary>
    public IEnumerable<string> All => [.. A, .. B, .. Pairs.SelectMany(p => new[] { p.Query, p.Answer }), .. Labelled.Select(l => l.Text)];
}

/// <summary>All texts, drawn once from a seed, so that none is in two places.</summary>
internal sealed class Sentences
{
    /// <summary>Sentences of a draw of calibration data, and draws that there are.</summary>
    public const int Draw = 1024, Draws = 4;

    private const int Held = 500, PairsOfSplit = 400, PerSection = 65, Seed = 20;

    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    private Sentences(Places places)
    {
        var fortunes = Shuffled(TextSources.Fortunes(places), Seed);
        var definitions = Shuffled(TextSources.Definitions(places), Seed + 1);
        var pairs = Shuffled(TextSources.Examples(places), Seed + 2);
        var (labelled, others) = Described(places);
        var verses = Shuffled(TextSources.Verses(places), Seed + 4);
        var documentation = Shuffled(TextSources.Documentation(places), Seed + 5);
        // The test first: no later change of the rest moves it.
        Test = new(Mixed(fortunes, definitions, Held), Mixed(others, verses, Held), Pairs(pairs), Labelled(labelled));
        Validation = new(Mixed(fortunes, definitions, Held), Take(documentation, Held), Pairs(pairs), Labelled(labelled));
        Calibration = Mixed(fortunes, definitions, Draw * Draws);
        Check();
    }

    public TextSplit Validation { get; }

    public TextSplit Test { get; }

    /// <summary>In random order: the n-th draw is the n-th part, and a smaller one the first of a part.</summary>
    public IReadOnlyList<string> Calibration { get; }

    public static Sentences Read(Places places) => new(places);

    public TextSplit Of(Split split) => split == Split.Test ? Test : Validation;

    /// <summary>The sentences of a draw; draws have none in common.</summary>
    public IReadOnlyList<string> Calibrating(int samples, int draw)
        => samples <= Draw && draw < Draws
            ? [.. Calibration.Skip(draw * Draw).Take(samples)]
            : throw new EspalierException(FormattableString.Invariant($"There are {Draws} draws of {Draw} sentences."));

    private static (Dictionary<string, Queue<string>> Labelled, Queue<string> Others) Described(Places places)
    {
        var all = Shuffled(TextSources.Descriptions(places), Seed + 3);
        return (TextSources.Sections.ToDictionary(s => s, s => new Queue<string>(all.Where(d => d.Section == s).Select(d => d.Text))),
            new(all.Where(d => !TextSources.Sections.Contains(d.Section)).Select(d => d.Text)));
    }

    private static Queue<T> Shuffled<T>(IEnumerable<T> texts, int seed)
    {
        T[] all = [.. texts];
        new Random(seed).Shuffle(all);
        return new(all);
    }

    private List<string> Mixed(Queue<string> a, Queue<string> b, int count)
        => [.. Take(a, count / 2).Zip(Take(b, count / 2), (x, y) => new[] { x, y }).SelectMany(p => p)];

    private List<string> Take(Queue<string> from, int count)
    {
        var taken = new List<string>();
        while (taken.Count < count)
            if (Next(from) is var text && _taken.Add(Key(text))) taken.Add(text);
        return taken;
    }

    private List<(string, string)> Pairs(Queue<(string Query, string Answer)> from)
    {
        var taken = new List<(string, string)>();
        while (taken.Count < PairsOfSplit)
        {
            var pair = Next(from);
            // One of the two may be gone while the other is new: then it is no pair.
            if (_taken.Contains(Key(pair.Query)) || !_taken.Add(Key(pair.Answer)) || !_taken.Add(Key(pair.Query))) continue;
            taken.Add(pair);
        }
        return taken;
    }

    private List<(string, string)> Labelled(Dictionary<string, Queue<string>> from)
        => [.. TextSources.Sections.SelectMany(s => Take(from[s], PerSection).Select(t => (t, s)))];

    private static T Next<T>(Queue<T> from)
        => from.TryDequeue(out var text) ? text : throw new EspalierException("The unpacked packages have less text than is wanted.");

    /// <summary>Letters and digits alone: what a sentence is, however it is set.</summary>
    private static string Key(string text) => string.Concat(text.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant();

    /// <summary>That no sentence is in two places, looked at once more after all was drawn.</summary>
    private void Check()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        if (Test.All.Concat(Validation.All).Concat(Calibration).FirstOrDefault(t => !seen.Add(Key(t))) is { } twice)
            throw new InvalidOperationException($"'{twice}' is in two of the sets of sentences.");
    }
}
