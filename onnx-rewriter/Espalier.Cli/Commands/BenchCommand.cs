using System.CommandLine;

namespace Espalier.Cli.Commands;

internal static class BenchCommand
{
    public static readonly string[] Examples = ["espalier bench"];

    public static Command Create(Terminal terminal) => new("bench", "x");
}
