using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class DiffCommand
{
    public static readonly string[] Examples = ["espalier diff"];

    public static Command Create(Terminal terminal) => new("diff", "x");
}
