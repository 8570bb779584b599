using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.Axes.Graph;

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
    public static ZeroPoint? Find(OnnxModel model, NodeRecord record, QuantizedOperand quantized)
    {
        if (quantized.Point == QuantizedOperand.None) return null;
        var tensor = quantized.Point < 0
            ? record.Outputs.ElementAtOrDefault(~quantized.Point)
            : record.Inputs.ElementAtOrDefault(quantized.Point);
        if (tensor is null) return null;
        tensor = tensor.Source ?? tensor;
        if (tensor.Data is not { } data) return new(null, tensor, tensor.Terms?.All(t => t.IsOne) == true ? "" : Axis(record));
        var type = (TensorProto.Types.DataType)data.DataType;
        var content = model.Content(data);
        // Zero points of floating point numbers are zero (ONNX QuantizeLinear).
        if (!DataTypes.IsInteger(type)) return DataTypes.IsFloat(type) && content.ToFloats().All(v => v == 0) ? null : Unknown;
        var values = content.ToLongs();
        if (Array.TrueForAll(values, v => v == 0)) return null;
        return Array.TrueForAll(values, v => v == values[0]) ? new(values[0], null, "") : new(null, tensor, Axis(record));
    }

    private static string Axis(NodeRecord record)
        => $"{record.Info.Proto.OpType} {record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? 1}";
}
