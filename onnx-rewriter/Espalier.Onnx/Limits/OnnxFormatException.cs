namespace Espalier.Onnx.Limits;

/// <summary>
/// A file is not a well-formed model, or is beyond the limits that it was opened with. It is the only exception that reading a malformed
/// model gives, whatever is wrong with it.
/// </summary>
internal sealed class OnnxFormatException : Exception
{
    /// <param name="path">The file; null for bytes in memory.</param>
    /// <param name="offset">Where in it, in bytes; null when it is no single place.</param>
    public OnnxFormatException(string what, string advice, string? path = null, long? offset = null, Exception? inner = null)
        : base(Text(what, advice, path, offset), inner)
        => (What, Advice, Path, Offset) = (what, advice, path, offset);

    public string What { get; }
    public string Advice { get; }
    /// <summary>The file; null for bytes in memory.</summary>
    public string? Path { get; }
    /// <summary>Where in it, in bytes; null when it is no single place.</summary>
    public long? Offset { get; }

    private static string Text(string what, string advice, string? path, long? offset)
    {
        var place = path is null ? "" : $"{path}: ";
        var at = offset is { } o ? FormattableString.Invariant($" (at byte {o})") : "";
        return $"{place}{what}{at}. {advice}";
    }
}
