using System.CommandLine;

namespace Espalier.Cli.Options;

/// <summary>Options that answer one question, as the help shows them.</summary>
internal sealed record OptionGroup(string Title, IReadOnlyList<Option> Options);
