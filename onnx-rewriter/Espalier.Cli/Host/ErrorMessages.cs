using Espalier.Onnx.Limits;

namespace Espalier.Cli.Host;

/// <summary>What is said of an exception.</summary>
internal static class ErrorMessages
{
    /// <summary>
    /// The message and exit code of a mistake that is the user's or the file's; null for a fault of the tool, which must not be hidden.
    /// </summary>
    public static (string Message, int Code)? Explain(Exception e) => e switch
    {
        UsageException => (e.Message, ExitCode.Usage),
        OnnxFormatException => (e.Message, ExitCode.Malformed),
        MalformedFileException => (e.Message, ExitCode.Malformed),
        EspalierException => (e.Message, ExitCode.Refused),
        FileNotFoundException or DirectoryNotFoundException => (e.Message, ExitCode.Usage),
        IOException or UnauthorizedAccessException => (e.Message, ExitCode.Refused),
        OperationCanceledException => ("stopped; nothing was written.", ExitCode.Refused),
        _ => null,
    };
}
