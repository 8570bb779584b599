using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace Espalier.Calibration.Data;

/// <summary>
/// A Hugging Face <c>tokenizer.json</c> whose model is BPE (byte-pair encoding, arXiv:1508.07909). Read are the vocabulary and
/// merges, pre-tokenizers that split (ByteLevel, Split, Whitespace, WhitespaceSplit, and sequences of them), normalizers that
/// keep or lower text, added tokens, and what the post-processor puts round a text. Anything else is refused: guessed tokens
/// would be statistics of nothing.
/// </summary>
internal sealed class BytePairs
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>GPT-2's pattern, which ByteLevel splits by.</summary>
    private const string ByteLevelPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly Tokenizer _tokenizer;
    private readonly bool _prefixSpace;

    private BytePairs(Tokenizer tokenizer, bool prefixSpace, long[] before, long[] after)
        => (_tokenizer, _prefixSpace, Before, After) = (tokenizer, prefixSpace, before, after);

    /// <summary>Tokens in front of a text.</summary>
    public long[] Before { get; }

    /// <summary>Tokens behind it.</summary>
    public long[] After { get; }

    /// <summary>Tokens of a text, without those round it.</summary>
    public long[] Encode(string text)
    {
        if (_prefixSpace && text.Length > 0 && text[0] != ' ') text = " " + text;
        return [.. _tokenizer.EncodeToIds(text).Select(i => (long)i)];
    }

    /// <summary>Whether a file looks like a tokenizer.json rather than an alphabet.</summary>
    public static bool Is(JsonElement root) => root.ValueKind == JsonValueKind.Object;

    /// <exception cref="EspalierException">It is malformed, no BPE, or has a part that is not supported.</exception>
    public static BytePairs Read(string path, JsonElement root)
    {
        try
        {
            var model = Member(root, "model") ?? throw new InvalidDataException("it has no \"model\"");
            // Old files leave the type out where it is BPE.
            if (Text(model, "type") is { } type && type != "BPE")
                throw new InvalidDataException(
                    $"its model is {type}; only BPE is read from tokenizer.json, and WordPiece from a vocab.txt");
            if (Flag(model, "byte_fallback")) throw new InvalidDataException("byte_fallback is not supported");
            if (Flag(model, "ignore_merges")) throw new InvalidDataException("ignore_merges is not supported");
            var pieces = new Pieces();
            if (Member(root, "pre_tokenizer") is { } pre) pieces.Add(pre);
            var vocabulary = Need(model, "vocab", JsonValueKind.Object).EnumerateObject()
                .Select(p => KeyValuePair.Create(p.Name, p.Value.GetInt32())).ToList();
            var special = (Member(root, "added_tokens")?.EnumerateArray() ?? default)
                .GroupBy(t => Need(t, "content", JsonValueKind.String).GetString()!, StringComparer.Ordinal)
                .ToDictionary(g => g.Key, g => Need(g.First(), "id", JsonValueKind.Number).GetInt32(), StringComparer.Ordinal);
            pieces.Special = [.. special.Keys.Where(k => k.Length > 0).OrderByDescending(k => k.Length)
                .ThenBy(k => k, StringComparer.Ordinal)];
            var known = vocabulary.Select(p => p.Key).ToHashSet(StringComparer.Ordinal);
            var tokenizer = BpeTokenizer.Create(new BpeOptions(vocabulary.Concat(special.Where(s => !known.Contains(s.Key))))
            {
                Merges = [.. Need(model, "merges", JsonValueKind.Array).EnumerateArray()
                    .Select(m => m.ValueKind == JsonValueKind.Array ? $"{m[0].GetString()} {m[1].GetString()}" : m.GetString()!)],
                SpecialTokens = special.Count > 0 ? special : null,
                PreTokenizer = pieces,
                Normalizer = Member(root, "normalizer") is { } normalizer ? Normal.Of(normalizer) : null,
                UnknownToken = Text(model, "unk_token"),
                FuseUnknownTokens = Flag(model, "fuse_unk"),
                ContinuingSubwordPrefix = Text(model, "continuing_subword_prefix"),
                EndOfWordSuffix = Text(model, "end_of_word_suffix"),
                ByteLevel = pieces.Bytes,
            });
            var (before, after) = Member(root, "post_processor") is { } post ? Round(post) : ([], []);
            return new(tokenizer, pieces.PrefixSpace, before, after);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or InvalidOperationException or FormatException
            or KeyNotFoundException or IndexOutOfRangeException or JsonException)
        {
            throw new EspalierException($"The tokenizer '{path}' cannot be read: {e.Message}.", e);
        }
    }

    /// <summary>What a post-processor puts before and after one text.</summary>
    private static (long[] Before, long[] After) Round(JsonElement post)
    {
        switch (Text(post, "type"))
        {
            case "ByteLevel":
                return ([], []);
            case "BertProcessing" or "RobertaProcessing":
                return ([Need(post, "cls", JsonValueKind.Array)[1].GetInt64()], [Need(post, "sep", JsonValueKind.Array)[1].GetInt64()]);
            case "Sequence":
                long[] before = [], after = [];
                foreach (var part in Need(post, "processors", JsonValueKind.Array).EnumerateArray())
                {
                    var (b, a) = Round(part);
                    (before, after) = ([.. b, .. before], [.. after, .. a]);
                }
                return (before, after);
            case "TemplateProcessing":
                var tokens = Need(post, "special_tokens", JsonValueKind.Object);
                var sides = (Before: new List<long>(), After: new List<long>());
                bool passed = false;
                foreach (var part in Need(post, "single", JsonValueKind.Array).EnumerateArray())
                {
                    if (Member(part, "Sequence") is not null) passed = true;
                    else if (Member(part, "SpecialToken") is { } token)
                        (passed ? sides.After : sides.Before)
                            .AddRange(Need(Need(tokens, Text(token, "id") ?? "", JsonValueKind.Object), "ids", JsonValueKind.Array)
                                .EnumerateArray().Select(i => i.GetInt64()));
                }
                return ([.. sides.Before], [.. sides.After]);
            case var type:
                throw new InvalidDataException($"the post-processor {type} is not supported");
        }
    }

    private static JsonElement? Member(JsonElement of, string name)
        => of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null
            ? member
            : null;

    private static JsonElement Need(JsonElement of, string name, JsonValueKind kind)
        => Member(of, name) is { } member && member.ValueKind == kind
            ? member
            : throw new InvalidDataException($"\"{name}\" is missing or no {kind.ToString().ToLowerInvariant()}");

    private static string? Text(JsonElement of, string name)
        => Member(of, name) is { ValueKind: JsonValueKind.String } member ? member.GetString() : null;

    private static bool Flag(JsonElement of, string name) => Member(of, name) is { ValueKind: JsonValueKind.True };

    /// <summary>Splits a text by every pattern in turn; added tokens are pieces of their own before that.</summary>
    private sealed class Pieces : PreTokenizer
    {
        private readonly List<(Regex Pattern, bool DropsRest, bool DropsMatches)> _splits = [];

        /// <summary>Added tokens, the longest first.</summary>
        public string[] Special { get; set; } = [];
        public bool Bytes { get; private set; }
        public bool PrefixSpace { get; private set; }

        public void Add(JsonElement pre)
        {
            switch (Text(pre, "type"))
            {
                case "Sequence":
                    foreach (var part in Need(pre, "pretokenizers", JsonValueKind.Array).EnumerateArray()) Add(part);
                    break;
                case "ByteLevel":
                    Bytes = true;
                    PrefixSpace |= Flag(pre, "add_prefix_space");
                    if (Member(pre, "use_regex") is not { ValueKind: JsonValueKind.False }) Add(ByteLevelPattern);
                    break;
                case "Whitespace":
                    Add(@"\w+|[^\w\s]+", dropsRest: true);
                    break;
                case "WhitespaceSplit":
                    Add(@"\S+", dropsRest: true);
                    break;
                case "Split":
                    var pattern = Need(pre, "pattern", JsonValueKind.Object);
                    string behaviour = Text(pre, "behavior") ?? "";
                    if (Flag(pre, "invert") || behaviour is not ("Isolated" or "Removed"))
                        throw new InvalidDataException($"a Split that is inverted or {behaviour} is not supported");
                    Add(Text(pattern, "Regex")
                        ?? Regex.Escape(Text(pattern, "String") ?? throw new InvalidDataException("a Split has no pattern")),
                        dropsMatches: behaviour == "Removed");
                    break;
                case var type:
                    throw new InvalidDataException($"the pre-tokenizer {type} is not supported");
            }
        }

        private void Add(string pattern, bool dropsRest = false, bool dropsMatches = false)
            => _splits.Add((new Regex(pattern, RegexOptions.CultureInvariant, Patience), dropsRest, dropsMatches));

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
        {
            for (int start = 0; start < text.Length;)
            {
                int at = text.Length;
                string? found = null;
                foreach (string token in Special)
                    if (text.IndexOf(token, start, at - start, StringComparison.Ordinal) is >= 0 and var i) (at, found) = (i, token);
                foreach (var piece in Split(text, start, at - start, 0)) yield return piece;
                if (found is not null) yield return (at, found.Length);
                start = at + (found?.Length ?? 0);
            }
        }

        private IEnumerable<(int Offset, int Length)> Split(string text, int offset, int length, int step)
        {
            if (length == 0) yield break;
            if (step == _splits.Count)
            {
                yield return (offset, length);
                yield break;
            }
            var (pattern, dropsRest, dropsMatches) = _splits[step];
            int done = 0;
            string part = text.Substring(offset, length);
            for (var match = pattern.Match(part); match.Success; match = match.NextMatch())
            {
                if (match.Length == 0) continue;
                if (!dropsRest)
                    foreach (var piece in Split(text, offset + done, match.Index - done, step + 1)) yield return piece;
                if (!dropsMatches)
                    foreach (var piece in Split(text, offset + match.Index, match.Length, step + 1)) yield return piece;
                done = match.Index + match.Length;
            }
            if (!dropsRest)
                foreach (var piece in Split(text, offset + done, length - done, step + 1)) yield return piece;
        }
    }

    /// <summary>Lower case and Unicode normal forms.</summary>
    private sealed class Normal(IReadOnlyList<Func<string, string>> steps) : Normalizer
    {
        public static Normal? Of(JsonElement normalizer)
        {
            var steps = new List<Func<string, string>>();
            Add(normalizer);
            return steps.Count > 0 ? new(steps) : null;

            void Add(JsonElement part)
            {
                switch (Text(part, "type"))
                {
                    case "Sequence":
                        foreach (var inner in Need(part, "normalizers", JsonValueKind.Array).EnumerateArray()) Add(inner);
                        break;
                    case "Lowercase":
                        steps.Add(s => s.ToLowerInvariant());
                        break;
                    case "NFC":
                        steps.Add(Composed);
                        break;
                    case "NFD" or "NFKC" or "NFKD":
                        string form = Text(part, "type")!;
                        steps.Add(s => Ascii.IsValid(s)
                            ? s
                            : throw new EspalierException($"The tokenizer normalises text to {form}, which is done for ASCII only, and "
                                + "the text is not. Give token ids (.npy) instead."));
                        break;
                    case var type:
                        throw new InvalidDataException($"the normalizer {type} is not supported");
                }
            }
        }

        // Without ICU (the tool runs invariant) .NET normalises nothing, without a word; and composed text is what files have.
        private static string Composed(string text)
            => text.Any(c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark || c is >= '\u1100' and <= '\u11ff')
            ? throw new EspalierException("The tokenizer wants composed text (NFC), and the text has combining characters. Compose it, "
                + "or give token ids (.npy) instead.")
            : text;

        public override string Normalize(string original) => steps.Aggregate(original, (s, step) => step(s));

        public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());
    }
}
