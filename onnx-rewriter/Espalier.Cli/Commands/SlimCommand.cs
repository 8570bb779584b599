using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class SlimCommand
{
    public static readonly string[] Examples = ["espalier slim"];

    public static Command Create(Terminal terminal) => new("slim", "x");
}
