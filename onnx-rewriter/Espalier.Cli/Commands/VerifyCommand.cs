using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class VerifyCommand
{
    public static readonly string[] Examples = ["espalier verify"];

    public static Command Create(Terminal terminal) => new("verify", "x");
}
