using Espalier.Cli;

return await CommandLine.RunAsync(args, Terminal.OfProcess());
