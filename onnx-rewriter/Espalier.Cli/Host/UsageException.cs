namespace Espalier.Cli.Host;

/// <summary>Arguments that parse and still make no sense together.</summary>
internal sealed class UsageException(string message) : Exception(message);
