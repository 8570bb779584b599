using System.Globalization;
using System.Text;

namespace Espalier.Extensions.AI;

/// <summary>
/// Takes accents off, as uncased vocabularies want it. .NET decomposes letters with ICU alone, and where there is none
/// (<c>InvariantGlobalization</c>, small containers) it leaves them without a word: so the letters of Latin scripts are here.
/// </summary>
internal static class Accents
{
    /// <summary>The base letter of each character from U+00C0 to U+017F; what has none stands for itself.</summary>
    private const string Latin =
        "AAAAAAÆCEEEEIIIIÐNOOOOO×ØUUUUYÞßaaaaaaæceeeeiiiiðnooooo÷øuuuuyþy"
        + "AaAaAaCcCcCcCcDdĐđEeEeEeEeEeGgGgGgGgHhĦħIiIiIiIiIıĲĳJjKkĸLlLlLlĿ"
        + "ŀŁłNnNnNnŉŊŋOoOoOoŒœRrRrRrSsSsSsSsTtTtŦŧUuUuUuUuUuUuWwYyYZzZzZzſ";

    /// <summary>The same from U+1E00 to U+1EFF, which Vietnamese is written with.</summary>
    private const string Additional =
        "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm"
        + "MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv"
        + "WwWwWwWwWwXxXxYyZzZzZzhtwyẚſẜẝẞẟAaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe"
        + "EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYyỺỻỼỽỾỿ";

    /// <summary>The text without marks that stand on letters.</summary>
    public static string Remove(string text)
    {
        if (Ascii.IsValid(text)) return text;
        var plain = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark) continue;
            plain.Append(c switch
            {
                >= '\u00C0' and <= '\u017F' => Latin[c - '\u00C0'],
                >= '\u1E00' and <= '\u1EFF' => Additional[c - '\u1E00'],
                _ => c,
            });
        }
        return plain.ToString();
    }
}
