using System.Text.Json;
using Espalier.Cli.Host;

namespace Espalier.Cli.Services;

internal static class Reports
{
    /// <summary>Reads a report; one that is not a report is a malformed file, not a refusal.</summary>
    public static PruningReport Read(string path)
    {
        try
        {
            return ReportJson.Parse(File.ReadAllText(path));
        }
        catch (Exception e) when (e is EspalierException or JsonException)
        {
            throw new MalformedFileException($"{path}: {e.Message} It must be the file that 'espalier slim --report' wrote.");
        }
    }
}
