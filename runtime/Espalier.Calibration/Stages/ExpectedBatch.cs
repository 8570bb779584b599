namespace Espalier.Calibration.Stages;

/// <summary>Inputs, what the dense model gives for them, and the right classes by output.</summary>
internal sealed record ExpectedBatch(IReadOnlyList<NamedTensor> Inputs, IReadOnlyDictionary<string, NamedTensor> Expected,
    IReadOnlyDictionary<string, long[]> Targets);
