using Microsoft.ML.Tokenizers;

namespace Espalier.Extensions.AI;

/// <summary>A tokenizer with what an encoder wants round a text. Safe for use by many threads at once.</summary>
/// <param name="tokenizer">Gives the tokens of the text itself: any tokenizer of Microsoft.ML.Tokenizers.</param>
/// <param name="before">Tokens before the text, like <c>[CLS]</c>.</param>
/// <param name="after">Tokens behind it, like <c>[SEP]</c>.</param>
/// <param name="padding">The token that short texts of a batch are filled up with; the mask hides it.</param>
public sealed class TextTokenizer(Tokenizer tokenizer, IReadOnlyList<int> before, IReadOnlyList<int> after, int padding = 0)
{
    /// <summary>The tokenizer of the text itself.</summary>
    public Tokenizer Inner { get; } = tokenizer;

    /// <summary>The token that short texts of a batch are filled up with.</summary>
    public int Padding { get; } = padding;

    /// <summary>
    /// Reads a WordPiece vocabulary (<c>.txt</c>, one piece per line; cased where a piece has a capital), or a SentencePiece
    /// model (<c>.model</c>; numbers are those of the file, with its tokens for beginning and end where it has them).
    /// </summary>
    /// <param name="path">
    /// The file. A relative path is one from the program's folder; while the build runs a calibration method, it is the project's
    /// <c>EspalierTokenizer</c> of that path.
    /// </param>
    /// <exception cref="EspalierException">There is no such file, or it is no tokenizer of these kinds.</exception>
    public static TextTokenizer Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        string file = PolicyFiles.Find(path);
        if (!File.Exists(file))
            throw new EspalierException($"There is no tokenizer at '{path}' (looked for {file}). List it in the project as "
                + $"<EspalierTokenizer Include=\"{path}\" />, so that it reaches the output.");
        try
        {
            return Path.GetExtension(file).ToUpperInvariant() switch
            {
                ".TXT" => WordPieces(file),
                ".MODEL" => SentencePieces(file),
                ".JSON" => throw new InvalidDataException("a tokenizer.json is not read here; give the model's vocab.txt (WordPiece) or "
                    + ".model (SentencePiece), which lie beside it, or make a TextTokenizer of a tokenizer of your own"),
                var other => throw new InvalidDataException($"'{other}' is neither .txt (WordPiece) nor .model (SentencePiece)"),
            };
        }
        catch (Exception e) when (e is not (EspalierException or OutOfMemoryException))
        {
            throw new EspalierException($"The tokenizer '{path}' cannot be read: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>The tokens of a text, with those round it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxTokens">Tokens at most; the text's last ones are cut off, those behind it stay.</param>
    public int[] Encode(string text, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        int room = Math.Max(0, maxTokens - before.Count - after.Count);
        if (Inner is BertTokenizer { RemoveNonSpacingMarks: true }) text = Accents.Remove(text);
        // A tokenizer may put tokens of its own round a text unless it is asked not to.
        var ids = room == 0 ? []
            : Inner is BertTokenizer bert ? bert.EncodeToIds(text, room, addSpecialTokens: false, out _, out _)
            : Inner.EncodeToIds(text, room, out _, out _);
        return [.. before, .. ids.Take(room), .. after];
    }

    /// <summary>A sample per text: what a policy's calibration method gives.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="maxTokens">Tokens of a text at most.</param>
    public IEnumerable<TextBatch> Samples(IEnumerable<string> texts, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return texts.Select(text => new TextBatch([Encode(text, maxTokens)], Padding));
    }

    private static TextTokenizer WordPieces(string file)
    {
        // An uncased vocabulary has no piece with a capital, except those in brackets, which stand for something.
        bool cased = File.ReadLines(file).Any(piece => !piece.StartsWith('[') && piece.Any(char.IsUpper));
        var tokenizer = BertTokenizer.Create(file, new BertOptions
        {
            LowerCaseBeforeTokenization = !cased,
            RemoveNonSpacingMarks = !cased,
        });
        return new(tokenizer, [tokenizer.ClassificationTokenId], [tokenizer.SeparatorTokenId], tokenizer.PaddingTokenId);
    }

    private static TextTokenizer SentencePieces(string file)
    {
        using var stream = File.OpenRead(file);
        var tokenizer = SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false);
        return new(tokenizer, Known(tokenizer.BeginningOfSentenceId), Known(tokenizer.EndOfSentenceId));

        static int[] Known(int id) => id >= 0 ? [id] : [];
    }
}
