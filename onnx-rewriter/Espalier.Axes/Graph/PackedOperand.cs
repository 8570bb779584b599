namespace Espalier.Axes.Graph;

/// <summary>A weight with several elements to a byte, the first in the low bits.</summary>
/// <param name="Operand">Index of the operand.</param>
/// <param name="Scale">Index of its scales.</param>
/// <param name="Point">Index of its zero points; <see cref="QuantizedOperand.None"/> where the operator has none.</param>
/// <param name="Bits">Width of an element.</param>
internal sealed record PackedOperand(int Operand, int Scale, int Point, int Bits);
