using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class BuildCommand
{
    public static readonly string[] Examples = ["espalier build"];

    public static Command Create(Terminal terminal) => new("build", "x");
}
