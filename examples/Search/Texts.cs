namespace Search;

/// <summary>What is in the assembly: verses of the King James Bible, and questions in today's English.</summary>
public static class Texts
{
    /// <summary>Verses that are searched.</summary>
    public const int Count = 500;

    /// <summary>Verses to calibrate on; none of them is among those that are searched.</summary>
    public static IEnumerable<string> Calibration() => Lines("calibration").Select(LastColumn);

    /// <summary>Verses that are searched.</summary>
    public static IReadOnlyList<string> Verses() => [.. Lines("verses").Take(Count).Select(LastColumn)];

    /// <summary>Questions for the report.</summary>
    public static IReadOnlyList<string> Questions() => [.. Lines("questions")];

    /// <summary>The page.</summary>
    public static string Page() => Read("page");

    private static string[] Lines(string name)
        => Read(name).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string LastColumn(string line) => line[(line.LastIndexOf('\t') + 1)..];

    private static string Read(string name)
    {
        using var reader = new StreamReader(typeof(Texts).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
