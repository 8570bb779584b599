namespace Espalier.Cli.Options;

/// <summary>Lists as the help writes them.</summary>
internal static class Wording
{
    /// <summary><c>a, b and c</c>; <c>router-…</c> where all begin with one word.</summary>
    public static string List(IEnumerable<string> names)
    {
        string[] all = [.. names];
        if (all.Length > 1 && all.All(name => name.Contains('-', StringComparison.Ordinal))
            && all.Select(name => name[..(name.IndexOf('-', StringComparison.Ordinal) + 1)]).Distinct().ToList() is [var first])
            return first + "…";
        return all.Length < 2 ? string.Concat(all) : $"{string.Join(", ", all[..^1])} and {all[^1]}";
    }
}
