using System.Text.Encodings.Web;
using System.Text.Json;

namespace Espalier.Cli.Host;

/// <summary>What <c>--json</c> prints: camelCase, indented, the same text for the same values.</summary>
internal static class JsonText
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Of<T>(T value) => JsonSerializer.Serialize(value, Options);
}
