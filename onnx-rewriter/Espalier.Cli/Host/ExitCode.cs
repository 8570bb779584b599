namespace Espalier.Cli.Host;

/// <summary>What the process returns; scripts and the build's targets rely on these numbers.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The request was understood and refused, or a check failed.</summary>
    public const int Refused = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A file is not what it should be.</summary>
    public const int Malformed = 3;

    /// <summary>The tool itself is at fault: an error that nobody foresaw.</summary>
    public const int Fault = 70;
}
