using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Onnx;
using Microsoft.ML.Tokenizers;

namespace Espalier.Calibration;

/// <summary>
/// Text for language models. With an alphabet (a JSON string; the n-th character is token n) the text is cut into windows of
/// characters. With a WordPiece vocabulary (one piece per line) every line is a sample: lower case, split into runs of letters and
/// single other characters, [CLS] … [SEP]; of a <c>.tsv</c> line, the last column.
/// </summary>
internal static partial class Text
{
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Read(string path, OnnxModel model, IReadOnlyList<ValueInfoProto> inputs, DataOptions options)
    {
        string vocabulary = options.Vocabulary ?? Find(path, model);
        if (!File.Exists(vocabulary)) throw new EspalierException($"There is no vocabulary at '{vocabulary}'.");
        bool characters = vocabulary.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        var tokens = characters ? Windows(path, vocabulary, options) : Lines(path, vocabulary, options);
        var samples = tokens.Where(t => t.Length > 0).Take(options.Samples).Select(t => Sample(t, inputs, path)).ToList();
        return samples.Count > 0 ? samples : throw new EspalierException($"'{path}' has no text.");
    }

    private static IEnumerable<long[]> Windows(string path, string vocabulary, DataOptions options)
    {
        string alphabet;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(vocabulary));
            alphabet = json.RootElement.ValueKind == JsonValueKind.String ? json.RootElement.GetString()! : throw new JsonException("it is no string");
        }
        catch (JsonException e)
        {
            throw new EspalierException($"The alphabet '{vocabulary}' is no JSON string of characters: {e.Message}", e);
        }
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
                    throw new EspalierException($"'{path}' has the character '{window[i]}' (U+{(int)window[i]:X4}) at {w * length + i}, which the alphabet '{vocabulary}' has not.");
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
            int Id(string piece) => Array.IndexOf(pieces, piece) is >= 0 and var i ? i : throw new InvalidDataException($"it has no {piece}");
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
            string text = columns ? line[(line.LastIndexOf('\t') + 1)..] : line;
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
                throw new EspalierException($"'{path}' is text, from which the input '{input.Name}' ({type}) cannot be made. Give an .npz with one array for each input.");
            placed |= ReferenceEquals(values, tokens);
            sample[input.Name] = new NamedTensor(input.Name, type, [1, tokens.Length], type == "int64" ? values : Array.ConvertAll(values, v => (int)v));
        }
        return placed ? sample : throw new EspalierException($"'{path}' is text, but the model has no input of tokens (int64 or int32).");

        static bool Has(string name, string part) => name.Contains(part, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary><c>MODEL-alphabet.json</c>, <c>MODEL-vocab.txt</c>, <c>alphabet.json</c>, <c>vocab.txt</c>, or the only file that ends so; beside the text, then beside the model.</summary>
    private static string Find(string path, OnnxModel model)
    {
        string? name = model.Path is { } p ? Path.GetFileNameWithoutExtension(p) : null;
        var folders = new[] { Path.GetDirectoryName(Path.GetFullPath(path)), model.Path is { } m ? Path.GetDirectoryName(Path.GetFullPath(m)) : null }.OfType<string>().Distinct().ToList();
        foreach (string folder in folders)
        {
            string[] likely = [.. name is null ? Array.Empty<string>() : [$"{name}-alphabet.json", $"{name}-vocab.txt"], "alphabet.json", "vocab.txt"];
            if (likely.Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists) is { } found) return found;
            var others = Directory.EnumerateFiles(folder).Where(f => f.EndsWith("alphabet.json", StringComparison.Ordinal) || f.EndsWith("vocab.txt", StringComparison.Ordinal)).ToList();
            if (others.Count == 1) return others[0];
        }
        throw new EspalierException($"'{path}' is text, and there is no vocabulary for it: put {name ?? "MODEL"}-alphabet.json (a JSON string of all characters) "
            + $"or {name ?? "MODEL"}-vocab.txt (WordPiece, one piece per line) into {string.Join(" or ", folders)}.");
    }

    [GeneratedRegex(@"[a-z]+|[^\sa-z]")]
    private static partial Regex Words();
}
