namespace Espalier.Pruning.Spreads;

/// <summary>How large the weights of a group's units are.</summary>
/// <param name="Mean">Mean absolute weight per unit, over all weights of the coupled group.</param>
/// <param name="RootMean">Mean square root of the absolute weights per unit.</param>
/// <param name="PerUnit">Weights that one unit has.</param>
internal sealed record UnitMagnitudes(double[] Mean, double[] RootMean, double PerUnit);
