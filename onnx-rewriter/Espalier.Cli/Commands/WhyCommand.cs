using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class WhyCommand
{
    public static readonly string[] Examples = ["espalier why"];

    public static Command Create(Terminal terminal) => new("why", "x");
}
