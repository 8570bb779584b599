using System.Text.RegularExpressions;

namespace Espalier.Evaluation;

/// <summary>What a run said, in one line of a table.</summary>
internal static partial class Remarks
{
    private const int Longest = 240;

    /// <summary>
    /// Notes that say that a method did something else, in part, than its name says. Those of one kind are one, with how many they are.
    /// </summary>
    public static string OfNotes(IEnumerable<string> notes)
        => OneLine(string.Join(" ", notes.Where(n => Departs().IsMatch(n)).GroupBy(n => Name().Replace(n, "'…'"), StringComparer.Ordinal)
            .OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => g.Count() == 1 ? g.First() : FormattableString.Invariant($"{g.Count()} times: {g.Key}"))));

    /// <summary>A message without tabs and line ends, cut where it is long.</summary>
    public static string OneLine(string message)
    {
        string line = Space().Replace(message, " ").Trim();
        return line.Length <= Longest ? line : line[..Longest].TrimEnd() + " …";
    }

    /// <summary>The first two sentences, and the same for every budget, so that one footnote serves all.</summary>
    public static string ForAnyBudget(string refusal)
    {
        string[] sentences = Bound().Replace(refusal, "").Split(". ");
        return sentences.Length <= 2 ? string.Join(". ", sentences) : $"{sentences[0]}. {sentences[1]}.";
    }

    [GeneratedRegex(@"(?<=the budget )of [\d.]+ (?=of)")]
    private static partial Regex Bound();

    [GeneratedRegex("instead|not merged|not factored|not compensated|bias alone|could be removed|keeps its running|by itself|count alike"
        + "|without looking|stays as it is|Large feature maps|No statistics|No covariance|No similarity")]
    private static partial Regex Departs();

    [GeneratedRegex("'[^']*'")]
    private static partial Regex Name();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
