using Espalier.Cli.Commands;
using Espalier.Cli.Host;

return await CommandLine.RunAsync(args, Terminal.OfProcess());
