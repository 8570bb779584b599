using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Microsoft.ML.Tokenizers;

namespace Espalier.Calibration.Data;

/// <summary>
/// Text for language models. With an alphabet (a JSON string; the n-th character is token n) the text is cut into windows of
/// characters. With a WordPiece vocabulary (one piece per line) every line is a sample: lower case, split into runs of letters and
/// single other characters, [CLS] … [SEP]; of a <c>.tsv</c> line, the last column. With a BPE <c>tokenizer.json</c> a
/// <c>.txt</c> is cut into windows of tokens, a <c>.tsv</c> has a sample per line; each gets the tokens that the tokenizer puts
/// round a text.
/// </summary>
internal static partial class Text
{
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Read(string path, OnnxModel model,
        IReadOnlyList<ValueInfoProto> inputs, DataOptions options)
    {
        string vocabulary = options.Vocabulary ?? Find(path, model);
        if (!File.Exists(vocabulary)) throw new EspalierException($"There is no vocabulary at '{vocabulary}'.");
        var tokens = vocabulary.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? Json(path, vocabulary, options)
            : Lines(path, vocabulary, options);
        var encoded = tokens.Where(t => t.Length > 0).Take(options.Samples + 1).ToList();
        var samples = SampleStore.Create(encoded.Take(options.Samples).Select(t => Sample(t, inputs, path)),
            leftOut: encoded.Count > options.Samples
                ? FormattableString.Invariant($"There is more text than the {options.Samples} samples that are used.")
                : null);
        return samples.Count > 0 ? samples : throw new EspalierException($"'{path}' has no text.");
    }

    /// <summary>A JSON string is an alphabet, an object a tokenizer.</summary>
    private static IEnumerable<long[]> Json(string path, string vocabulary, DataOptions options)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(vocabulary));
            var root = json.RootElement;
            return root.ValueKind == JsonValueKind.String ? Windows(path, vocabulary, root.GetString()!, options)
                : BytePairs.Is(root) ? Pairs(path, BytePairs.Read(vocabulary, root), options)
                : throw new JsonException("it is neither a string nor an object");
        }
        catch (JsonException e)
        {
            throw new EspalierException(
                $"'{vocabulary}' is neither an alphabet (a JSON string of characters) nor a tokenizer.json: {e.Message}", e);
        }
    }

    private static IEnumerable<long[]> Pairs(string path, BytePairs tokenizer, DataOptions options)
    {
        int length = (options.Length > 0 ? options.Length : 128) - tokenizer.Before.Length - tokenizer.After.Length;
        if (length < 1)
            throw new EspalierException($"Samples of {options.Length} tokens have no room for text beside the "
                + $"{tokenizer.Before.Length + tokenizer.After.Length} that the tokenizer puts round it.");
        if (path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase))
        {
            foreach (string line in File.ReadLines(path))
            {
                var tokens = tokenizer.Encode(LastColumn(line));
                if (tokens.Length > 0) yield return [.. tokenizer.Before, .. tokens.Take(length), .. tokenizer.After];
            }
            yield break;
        }
        // A token has rarely more than 16 characters: enough text, and not all of a large file.
        string text = File.ReadAllText(path);
        long enough = Math.Min(text.Length, (long)options.Samples * length * 16);
        var all = tokenizer.Encode(text[..(int)enough]);
        for (int w = 0; w < Math.Max(1, all.Length / length); w++)
        {
            long[] window = [.. all.Skip(w * length).Take(length)];
            if (window.Length > 0) yield return [.. tokenizer.Before, .. window, .. tokenizer.After];
        }
    }

    private static string LastColumn(string line) => line[(line.LastIndexOf('\t') + 1)..];

    private static IEnumerable<long[]> Windows(string path, string vocabulary, string alphabet, DataOptions options)
    {
        var code = new Dictionary<char, long>();
        foreach (char c in alphabet) code.TryAdd(c, code.Count);
        int length = options.Length > 0 ? options.Length : 128;
        string text = File.ReadAllText(path);
        int windows = Math.Max(1, text.Length / length);
        for (int w = 0; w < windows; w++)
        {
            var window = text.AsSpan(w * length, Math.Min(length, text.Length - w * length));
            var tokens = new long[window.Length];
            for (int i = 0; i < window.Length; i++)
                if (!code.TryGetValue(window[i], out tokens[i]))
                    throw new EspalierException($"'{path}' has the character '{window[i]}' (U+{(int)window[i]:X4}) at {w * length + i}, "
                        + $"which the alphabet '{vocabulary}' has not.");
            yield return tokens;
        }
    }

    private static IEnumerable<long[]> Lines(string path, string vocabulary, DataOptions options)
    {
        Tokenizer tokenizer;
        int start, end;
        try
        {
            var pieces = File.ReadAllLines(vocabulary);
            int Id(string piece)
                => Array.IndexOf(pieces, piece) is >= 0 and var i ? i : throw new InvalidDataException($"it has no {piece}");
            (start, end) = (Id("[CLS]"), Id("[SEP]"));
            Id("[UNK]");
            tokenizer = WordPieceTokenizer.Create(vocabulary, new WordPieceOptions
            {
                PreTokenizer = new RegexPreTokenizer(Words(), null),
                Normalizer = new LowerCaseNormalizer(),
                UnknownToken = "[UNK]",
            });
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or InvalidOperationException)
        {
            throw new EspalierException($"'{vocabulary}' is no WordPiece vocabulary that can be read: {e.Message}.", e);
        }
        int length = options.Length > 0 ? options.Length : 64;
        bool columns = path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase);
        foreach (string line in File.ReadLines(path))
        {
            string text = columns ? LastColumn(line) : line;
            if (string.IsNullOrWhiteSpace(text)) continue;
            var ids = tokenizer.EncodeToIds(text);
            yield return [start, .. ids.Take(Math.Max(0, length - 2)).Select(i => (long)i), end];
        }
    }

    /// <summary>Tokens go to the first integer input that is neither a mask nor types nor positions; those are made to match.</summary>
    private static Dictionary<string, NamedTensor> Sample(long[] tokens, IReadOnlyList<ValueInfoProto> inputs, string path)
    {
        var sample = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
        bool placed = false;
        foreach (var input in inputs)
        {
            string type = GraphFacts.ElementName(input.Type?.TensorType?.ElemType ?? 0);
            long[]? values = input.Name switch
            {
                _ when type is not ("int64" or "int32") => null,
                var n when Has(n, "mask") => [.. tokens.Select(_ => 1L)],
                var n when Has(n, "type") || Has(n, "segment") => new long[tokens.Length],
                var n when Has(n, "position") => [.. tokens.Select((_, i) => (long)i)],
                _ when !placed => tokens,
                _ => null,
            };
            if (values is null)
                throw new EspalierException($"'{path}' is text, from which the input '{input.Name}' ({type}) cannot be made. Give an "
                    + ".npz with one array for each input.");
            placed |= ReferenceEquals(values, tokens);
            sample[input.Name] = new NamedTensor(input.Name, type, [1, tokens.Length], type == "int64"
                ? values
                : Array.ConvertAll(values, v => (int)v));
        }
        return placed ? sample : throw new EspalierException($"'{path}' is text, but the model has no input of tokens (int64 or int32).");

        static bool Has(string name, string part) => name.Contains(part, StringComparison.OrdinalIgnoreCase);
    }

    private static readonly string[] Endings = ["alphabet.json", "vocab.txt", "tokenizer.json"];

    /// <summary>
    /// <c>MODEL-alphabet.json</c>, <c>MODEL-vocab.txt</c>, <c>MODEL-tokenizer.json</c>, the same without the model's name, or
    /// the only file that ends so; beside the text, then beside the model.
    /// </summary>
    private static string Find(string path, OnnxModel model)
    {
        string? name = model.Path is { } p ? Path.GetFileNameWithoutExtension(p) : null;
        var folders = new[] { Path.GetDirectoryName(Path.GetFullPath(path)), model.Path is { } m
            ? Path.GetDirectoryName(Path.GetFullPath(m))
            : null }.OfType<string>().Distinct().ToList();
        foreach (string folder in folders)
        {
            string[] likely = [.. name is null ? [] : Endings.Select(e => $"{name}-{e}"), .. Endings];
            if (likely.Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists) is { } found) return found;
            var others = Directory.EnumerateFiles(folder).Where(f => Endings.Any(e => f.EndsWith(e, StringComparison.Ordinal))).ToList();
            if (others.Count == 1) return others[0];
        }
        throw new EspalierException(
            $"'{path}' is text, and there is no vocabulary for it: put {name ?? "MODEL"}-alphabet.json (a JSON string of all characters), "
            + $"{name ?? "MODEL"}-vocab.txt (WordPiece, one piece per line) or a BPE tokenizer.json into {string.Join(" or ", folders)}.");
    }

    [GeneratedRegex(@"[a-z]+|[^\sa-z]")]
    private static partial Regex Words();
}
