using Espalier.Cli.Commands;
using Espalier.Cli.Host;

var terminal = Terminal.OfProcess();
using var interrupt = new Interrupt(terminal);
return await CommandLine.RunAsync(args, terminal, interrupt.Token);
