namespace Espalier;

/// <summary>A group of coupled units, as a policy's own scoring method sees it.</summary>
/// <param name="Name">Name of the group, as <c>espalier inspect</c> lists it.</param>
/// <param name="Kind">Kind: <c>channels</c>, <c>neurons</c>, <c>heads</c>, ….</param>
/// <param name="Units">Number of units: as many scores are wanted.</param>
/// <param name="Weights">Every weight axis in which the group occurs.</param>
public sealed record ScoredGroup(string Name, string Kind, int Units, IReadOnlyList<ScoredWeight> Weights);

/// <summary>One weight axis in which a group occurs.</summary>
/// <param name="Name">Name of the weight.</param>
/// <param name="Values">Its numbers, row-major; those that a quantised weight stands for.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Axis">The axis.</param>
/// <param name="UnitOf">For every index of the axis the unit that it belongs to; −1 for none.</param>
public sealed record ScoredWeight(string Name, ReadOnlyMemory<float> Values, IReadOnlyList<int> Shape, int Axis, IReadOnlyList<int> UnitOf);
