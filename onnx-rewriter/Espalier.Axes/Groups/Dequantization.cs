using System.Collections.Immutable;

namespace Espalier.Axes.Groups;

/// <summary>How the integers q of a weight stand for numbers: (q − zero point) · scale.</summary>
/// <param name="Scale">Weight with the scales; null where the operator has none.</param>
/// <param name="ZeroPoint">Weight with the zero points; null for zero, or for the middle of the range of packed elements.</param>
/// <param name="Axes">For every axis of the scales and zero points, the axis of the weight that it lies along: index by index,
/// or block by block where it is shorter. Empty: one for all.</param>
/// <param name="PackedBits">Width of the elements that are packed into the bytes of the last axis, whose scales follow the
/// leading axes; 0 where elements are not packed.</param>
internal sealed record Dequantization(string? Scale, string? ZeroPoint, ImmutableArray<int> Axes, int PackedBits);
