using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Espalier.Cli.Pages;

/// <summary>
/// HTML that is being written. What stands in the holes of <see cref="Add"/> is text and becomes text, whatever it holds: names come
/// from models, which anybody may have made. Only what is <see cref="Html"/> already goes in as it is.
/// </summary>
internal sealed class Html
{
    private static readonly Html Number = new Html().Raw(" class=\"n\""), Nothing = new();

    private readonly StringBuilder _text = new();

    /// <summary>One piece.</summary>
    public static Html Of(Action<Html> write)
    {
        var html = new Html();
        write(html);
        return html;
    }

    /// <summary>Adds markup; holes are escaped.</summary>
    public Html Add([InterpolatedStringHandlerArgument("")] ref Markup markup)
    {
        _ = markup;
        return this;
    }

    /// <summary>Adds markup that no part of comes from a file.</summary>
    public Html Raw(string markup)
    {
        _text.Append(markup);
        return this;
    }

    /// <summary>A rectangle of a drawing, with the class that has its colour.</summary>
    public Html Rect(string kind, (double X, double Y) at, (double Wide, double Tall) size, double round = 0)
        => Add($"""<rect class="{kind}" x="{at.X}" y="{at.Y}" width="{size.Wide}" height="{size.Tall}" rx="{round}"/>""");

    /// <summary>A table of texts.</summary>
    /// <param name="columns">Titles; after <c>#</c> those of numbers, after <c>@</c> those of names of the model.</param>
    public void Table(string[] columns, IEnumerable<string[]> rows)
    {
        Raw("<div class=\"scroll\"><table><thead><tr>");
        foreach (string column in columns)
            Add($"""<th{(column[0] == '#' ? Number : Nothing)}>{column.TrimStart('#', '@')}</th>""");
        Raw("</tr></thead><tbody>\n");
        foreach (string[] row in rows)
        {
            Raw("<tr>");
            foreach (var (cell, column) in row.Zip(columns))
            {
                if (column[0] == '@') Add($"""<td class="name"><code>{cell}</code></td>""");
                else Add($"<td{(column[0] == '#' ? Number : Nothing)}>{cell}</td>");
            }
            Raw("</tr>\n");
        }
        Raw("</tbody></table></div>\n");
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private void Text(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '&': _text.Append("&amp;"); break;
                case '<': _text.Append("&lt;"); break;
                case '>': _text.Append("&gt;"); break;
                case '"': _text.Append("&quot;"); break;
                case '\'': _text.Append("&#39;"); break;
                case '\n': _text.Append('\n'); break;
                // What cannot be seen, or turns the reading direction of what follows, would let a name look like another.
                case var _ when Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format:
                    _text.Append('\uFFFD');
                    break;
                default: _text.Append(rune); break;
            }
        }
    }

    /// <summary>Writes the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public readonly struct Markup
    {
        private readonly Html _html;

        /// <param name="literals">Length of the markup, which the compiler hands over.</param>
        /// <param name="holes">The number.</param>
        /// <param name="html">What is written to.</param>
        public Markup(int literals, int holes, Html html)
        {
            _ = literals + holes;
            _html = html;
        }

        public void AppendLiteral(string markup) => _html._text.Append(markup);

        public void AppendFormatted(string? text) => _html.Text(text ?? "");

        public void AppendFormatted(Html piece) => _html._text.Append(piece._text);

        public void AppendFormatted(long number) => _html._text.Append(number.ToString(CultureInfo.InvariantCulture));

        /// <summary>A coordinate: one decimal is finer than a screen.</summary>
        public void AppendFormatted(double number) => _html._text.Append(number.ToString("0.#", CultureInfo.InvariantCulture));

        public void AppendFormatted(double number, string format)
            => _html._text.Append(number.ToString(format, CultureInfo.InvariantCulture));
    }
}
