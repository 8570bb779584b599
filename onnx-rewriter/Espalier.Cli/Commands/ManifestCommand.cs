using System.CommandLine;

namespace Espalier.Cli.Commands;

/// <summary><c>manifest</c>: what the source generator reads of a model.</summary>
internal static class ManifestCommand
{
    public static readonly string[] Examples = ["espalier manifest models/bert.onnx -o obj/bert.onnx.espalier-manifest"];

    public static Command Create(Terminal terminal) => new("manifest", "x");
}
