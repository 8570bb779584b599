using System.Text;

namespace Espalier.Evaluation;

/// <summary>Text of a page in lines of the length that the repository's pages have.</summary>
internal static class Prose
{
    private const int Width = 110;

    /// <summary>A paragraph, and an empty line.</summary>
    public static StringBuilder Paragraph(this StringBuilder page, string text) => page.Lines("", text).Append('\n');

    /// <summary>A list's entry, its further lines indented.</summary>
    public static StringBuilder Entry(this StringBuilder page, string mark, string text) => page.Lines(mark + " ", text);

    /// <summary>Footnotes of what has one, numbered by their first use.</summary>
    internal sealed class Footnotes
    {
        private readonly List<string> _texts = [];

        /// <summary>The mark of a text.</summary>
        public string Mark(string text)
        {
            if (!_texts.Contains(text)) _texts.Add(text);
            return FormattableString.Invariant($"<sup>{_texts.IndexOf(text) + 1}</sup>");
        }

        public void Write(StringBuilder page)
        {
            foreach (var (i, text) in _texts.Index()) page.Entry(FormattableString.Invariant($"{i + 1}."), text);
            if (_texts.Count > 0) page.Append('\n');
        }
    }

    private static StringBuilder Lines(this StringBuilder page, string mark, string text)
    {
        int at = mark.Length;
        page.Append(mark);
        foreach (var (i, word) in text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Index())
        {
            bool breaks = i > 0 && at + 1 + word.Length > Width;
            if (breaks) page.Append('\n').Append(' ', mark.Length);
            else if (i > 0) page.Append(' ');
            at = breaks ? mark.Length + word.Length : at + word.Length + (i > 0 ? 1 : 0);
            page.Append(word);
        }
        return page.Append('\n');
    }
}
