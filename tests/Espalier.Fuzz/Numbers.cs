using System.Globalization;

namespace Espalier.Fuzz;

/// <summary>Numbers as one process gives them to another.</summary>
internal static class Numbers
{
    public static int Parse(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
