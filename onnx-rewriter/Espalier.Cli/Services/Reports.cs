using System.Text.Json;
using Espalier.Cli.Host;

namespace Espalier.Cli.Services;

internal static class Reports
{
    private const string ReportExtension = ".report.json", DiffExtension = ".diff.json";

    /// <summary>Reads a report; one that is not a report is a malformed file, not a refusal.</summary>
    public static PruningReport Read(string path)
        => Read(path, ReportJson.Parse, "It must be the file that 'espalier slim --report' wrote.");

    /// <summary>The diff that belongs to a report: the one that is named, else the one beside it; null where there is none.</summary>
    public static GraphDiff? DiffOf(string report, string? named)
    {
        string path = named ?? Path.Combine(Path.GetDirectoryName(report)!, NameOf(Path.GetFileName(report)) + DiffExtension);
        if (named is null && !File.Exists(path)) return null;
        return Read(path, DiffJson.Parse, "It must be what 'espalier diff --json' printed.");
    }

    /// <summary>What a report is called by its file: the policy, in builds.</summary>
    public static string NameOf(string file) => file.EndsWith(ReportExtension, StringComparison.Ordinal)
        ? file[..^ReportExtension.Length]
        : Path.GetFileNameWithoutExtension(file);

    private static T Read<T>(string path, Func<string, T> parse, string origin)
    {
        try
        {
            return parse(File.ReadAllText(path));
        }
        catch (Exception e) when (e is EspalierException or JsonException)
        {
            throw new MalformedFileException($"{path}: {e.Message} {origin}");
        }
    }
}
