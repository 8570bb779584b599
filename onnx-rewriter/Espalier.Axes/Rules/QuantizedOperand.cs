using System.Globalization;
using Espalier.Onnx;

namespace Espalier.Axes;

/// <summary>An operand or result in integers q that stand for (q − zero point) · scale.</summary>
/// <param name="Operand">Index of the operand; ~index of a result.</param>
/// <param name="Scale">Index of the operand that is its scale; <see cref="None"/> where the operator has none.</param>
/// <param name="Point">Index of the operand (~index of the result) that is its zero point; <see cref="None"/> where the operator has none.</param>
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

/// <summary>The integer that stands for zero: a number where the file states one for all elements, else the tensor that holds it.</summary>
/// <param name="Value">The number, where it is one and known.</param>
/// <param name="Tensor">The tensor, where it is computed or holds several numbers.</param>
/// <param name="Layout">Along which axis several numbers lie; empty for one.</param>
internal sealed record ZeroPoint(long? Value, TensorState? Tensor, string Layout)
{
    /// <summary>One that no mask can meet.</summary>
    public static ZeroPoint Unknown { get; } = new(null, null, "unknown");

    /// <summary>Whether it is one number for the whole tensor, which data movement keeps.</summary>
    public bool IsUniform => Value is not null || Tensor?.Terms?.All(t => t.IsOne) == true;

    /// <summary>The zero point of an operand or result of a node; null where it is plain zero.</summary>
    public static ZeroPoint? Of(InferenceState state, NodeRecord record, QuantizedOperand quantized)
    {
        if (quantized.Point == QuantizedOperand.None) return null;
        var tensor = quantized.Point < 0 ? record.Outputs.ElementAtOrDefault(~quantized.Point) : record.Inputs.ElementAtOrDefault(quantized.Point);
        if (tensor is null) return null;
        tensor = tensor.Source ?? tensor;
        if (tensor.Data is not { } data) return new(null, tensor, tensor.Terms?.All(t => t.IsOne) == true ? "" : Axis(record));
        var type = (TensorProto.Types.DataType)data.DataType;
        var content = state.Model.Content(data);
        // Zero points of floating point numbers are zero (ONNX QuantizeLinear).
        if (!ElementTypes.IsInteger(type)) return ElementTypes.IsFloat(type) && content.ToFloats().All(v => v == 0) ? null : Unknown;
        var values = content.ToLongs();
        if (Array.TrueForAll(values, v => v == 0)) return null;
        return Array.TrueForAll(values, v => v == values[0]) ? new(values[0], null, "") : new(null, tensor, Axis(record));
    }

    private static string Axis(NodeRecord record)
        => $"{record.Info.Proto.OpType} {record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? 1}";
}
