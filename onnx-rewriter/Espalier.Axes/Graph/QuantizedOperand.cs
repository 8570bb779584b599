using System.Globalization;

namespace Espalier.Axes.Graph;

/// <summary>An operand or result in integers q that stand for (q − zero point) · scale.</summary>
/// <param name="Operand">Index of the operand; ~index of a result.</param>
/// <param name="Scale">Index of the operand that is its scale; <see cref="None"/> where the operator has none.</param>
/// <param name="Point">Index of the operand (~index of the result) that is its zero point; <see cref="None"/> where the
/// operator has none.</param>
internal sealed record QuantizedOperand(int Operand, int Scale, int Point)
{
    /// <summary>No such operand.</summary>
    public const int None = int.MinValue;

    /// <summary>The clause <c>operand=scale,point</c>: each a number, <c>y</c> or <c>y1</c> for a result, <c>-</c> for none.</summary>
    public static QuantizedOperand Parse(string text)
    {
        var sides = text.Split('=');
        var right = sides[1].Split(',');
        return new(Index(sides[0]), Index(right[0]), Index(right[1]));

        static int Index(string name) => name switch
        {
            "-" => None,
            "y" => ~0,
            ['y', .. var result] => ~int.Parse(result, CultureInfo.InvariantCulture),
            _ => int.Parse(name, CultureInfo.InvariantCulture),
        };
    }
}
