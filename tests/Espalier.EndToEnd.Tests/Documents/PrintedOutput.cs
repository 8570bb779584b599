using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>Whether what a page shows as output was printed: line by line, whatever the spaces, with <c>…</c> for anything.</summary>
internal static partial class PrintedOutput
{
    /// <summary>How far a figure of this machine may be from the page's.</summary>
    private const double Tolerance = 0.1;

    /// <summary>Whether the figures are arithmetic of this processor, which choices by data depend on.</summary>
    public static bool IsOfThisMachine(string commands) => commands.Contains("--calibrate", StringComparison.Ordinal);

    /// <summary>The lines of a page that were not printed.</summary>
    public static IReadOnlyList<string> Missing(string shown, string printed, bool isNear)
    {
        string[] lines = [.. printed.Split('\n').Select(Plain)];
        return [.. shown.Split('\n').Where(line => Plain(line).Length > 0 && !lines.Any(l => IsLike(Plain(line), l, isNear)))];
    }

    private static bool IsLike(string shown, string printed, bool isNear)
    {
        var numbers = Number().Matches(shown);
        string pattern = "^" + Regex.Escape(isNear ? Number().Replace(shown, "\u0001") : shown).Replace("…", ".*", StringComparison.Ordinal)
            .Replace("\u0001", $"({Number()})", StringComparison.Ordinal) + "$";
        var match = Regex.Match(printed, pattern, RegexOptions.CultureInvariant);
        return match.Success && (!isNear || numbers.Select(n => n.Value).Zip(match.Groups.Values.Skip(1), (a, b)
            => Math.Abs(double.Parse(a, CultureInfo.InvariantCulture) / double.Parse(b.Value, CultureInfo.InvariantCulture) - 1))
            .All(d => d <= Tolerance));
    }

    private static string Plain(string line) => Space().Replace(line, " ").Trim();

    [GeneratedRegex(@"[\s─]+", RegexOptions.CultureInvariant)]
    private static partial Regex Space();

    [GeneratedRegex(@"[0-9]+(?:\.[0-9]+)?", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
