namespace Espalier.Cli.Steps;

/// <summary>What one step of slimming cost.</summary>
/// <param name="Seconds">Processor time of the whole process.</param>
/// <param name="PeakMegabytes">Most memory that the process held until the step ended.</param>
internal sealed record StepCost(string Step, double Seconds, double PeakMegabytes);
