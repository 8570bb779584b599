using Espalier.Axes.Graph;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Operators;

/// <summary>Element types of results, where they are not that of the first operand.</summary>
internal static class ResultTypes
{
    /// <summary>The element type of a result; 0 where it is not known.</summary>
    public static int Find(NodeRecord record, int result)
    {
        return (record.Info.Proto.OpType, result) switch
        {
            ("Cast" or "BitCast", _) => Attribute("to") ?? 0,
            ("Where" or "CastLike", _) => Operand(1),
            ("OneHot", _) => Operand(2),
            ("EmbedLayerNormalization", 1) => (int)DataType.Int32,
            ("EmbedLayerNormalization", _) => Operand(2),
            ("Equal" or "Greater" or "GreaterOrEqual" or "Less" or "LessOrEqual" or "And" or "Or" or "Xor" or "Not" or "IsNaN" or "IsInf",
                _) => (int)DataType.Bool,
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
            ("Scaler" or "Normalizer" or "FeatureVectorizer" or "OneHotEncoder", _) => (int)DataType.Float,
            ("LinearRegressor" or "SVMRegressor" or "TreeEnsembleRegressor", _) => (int)DataType.Float,
            ("LinearClassifier" or "SVMClassifier" or "TreeEnsembleClassifier", 1) => (int)DataType.Float,
            ("LinearClassifier" or "SVMClassifier" or "TreeEnsembleClassifier", _)
                => (int)(Has("classlabels_strings") ? DataType.String : DataType.Int64),
            ("CategoryMapper", _) => (int)(Operand(0) == (int)DataType.String ? DataType.Int64 : DataType.String),
            ("LabelEncoder", _) when Has("values_strings") => (int)DataType.String,
            ("LabelEncoder", _) when Has("values_int64s") => (int)DataType.Int64,
            ("LabelEncoder", _) when Has("values_floats") => (int)DataType.Float,
            ("LabelEncoder", _)
                => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "values_tensor")?.T?.DataType
                // Before operator set 2 it maps strings to integers and back.
                ?? (int)(Operand(0) == (int)DataType.String ? DataType.Int64 : DataType.String),
            ("CastMap", _)
                => (int)(Word("cast_to") switch { "TO_STRING" => DataType.String, "TO_INT64" => DataType.Int64, _ => DataType.Float }),
            _ => record.Inputs.FirstOrDefault(i => i is not null)?.ElementType ?? 0,
        };

        int Operand(int index) => record.Inputs.ElementAtOrDefault(index)?.ElementType ?? 0;

        bool Has(string list)
            => record.Info.Proto.Attribute.Any(a => a.Name == list && a.Floats.Count + a.Ints.Count + a.Strings.Count > 0);

        string? Word(string name) => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == name)?.S?.ToStringUtf8();

        int? Attribute(string name)
            => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == name) is { HasI: true } a ? (int)a.I : null;
    }
}
