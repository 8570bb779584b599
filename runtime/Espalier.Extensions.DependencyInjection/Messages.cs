using Microsoft.Extensions.Logging;

namespace Espalier.Extensions.DependencyInjection;

internal static partial class Messages
{
    [LoggerMessage(1, LogLevel.Information, "Opened '{Path}' for {Model}: {Bytes} bytes in {Milliseconds} ms.")]
    public static partial void Opened(ILogger logger, string path, string model, long bytes, double milliseconds);

    [LoggerMessage(2, LogLevel.Error, "'{Path}' for {Model} cannot be opened.")]
    public static partial void NotOpened(ILogger logger, string path, string model, Exception exception);
}
