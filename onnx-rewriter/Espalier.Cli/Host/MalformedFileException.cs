namespace Espalier.Cli.Host;

/// <summary>A file other than a model that is not what it should be: a report, calibration data.</summary>
internal sealed class MalformedFileException(string message) : Exception(message);
