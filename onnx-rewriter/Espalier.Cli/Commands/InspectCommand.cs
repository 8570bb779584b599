using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class InspectCommand
{
    public static readonly string[] Examples = ["espalier inspect"];

    public static Command Create(Terminal terminal) => new("inspect", "x");
}
