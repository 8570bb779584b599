using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes;

/// <summary>Element types of results, where they are not that of the first operand.</summary>
internal static class ResultTypes
{
    /// <summary>The element type of a result; 0 where it is not known.</summary>
    public static int Of(NodeRecord record, int result)
    {
        return (record.Info.Proto.OpType, result) switch
        {
            ("Cast" or "BitCast", _) => Attribute("to") ?? 0,
            ("Where" or "CastLike", _) => Operand(1),
            ("OneHot", _) => Operand(2),
            ("EmbedLayerNormalization", 1) => (int)DataType.Int32,
            ("EmbedLayerNormalization", _) => Operand(2),
            ("Equal" or "Greater" or "GreaterOrEqual" or "Less" or "LessOrEqual" or "And" or "Or" or "Xor" or "Not" or "IsNaN" or "IsInf", _) => (int)DataType.Bool,
            ("Dropout" or "BiasDropout", 1) => (int)DataType.Bool,
            ("Shape" or "Size" or "ArgMax" or "ArgMin" or "NonZero" or "NonMaxSuppression", _) => (int)DataType.Int64,
            ("TopK" or "MaxPool", 1) or ("Unique", > 0) => (int)DataType.Int64,
            ("RandomNormal" or "RandomUniform", _) => Attribute("dtype") ?? (int)DataType.Float,
            ("RandomNormalLike" or "RandomUniformLike" or "Bernoulli" or "EyeLike", _) => Attribute("dtype") ?? Operand(0),
            ("Multinomial", _) => Attribute("dtype") ?? (int)DataType.Int32,
            ("DynamicTimeWarping", _) => (int)DataType.Int32,
            ("DynamicQuantizeLinear", 0 or 2) => (int)DataType.Uint8,
            ("DynamicQuantizeLinear", _) => (int)DataType.Float,
            ("MatMulInteger" or "MatMulInteger16" or "ConvInteger", _) => (int)DataType.Int32,
            ("MatMulIntegerToFloat", _) => Operand(2),
            ("QAttention", _) => Operand(3),
            ("QEmbedLayerNormalization", 1) => (int)DataType.Int32,
            ("QEmbedLayerNormalization", _) => Operand(8),
            // Without a scale of the result it stays in float32.
            ("QGemm", _) => Operand(8) is > 0 and var point ? point : (int)DataType.Float,
            ("MurmurHash3", _) => (int)(Attribute("positive") == 0 ? DataType.Int32 : DataType.Uint32),
            _ => record.Inputs.FirstOrDefault(i => i is not null)?.ElementType ?? 0,
        };

        int Operand(int index) => record.Inputs.ElementAtOrDefault(index)?.ElementType ?? 0;

        int? Attribute(string name) => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == name) is { HasI: true } a ? (int)a.I : null;
    }
}
