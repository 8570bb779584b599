using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Notation;
using Espalier.Onnx;

namespace Espalier.Axes.Operators.Table;

// What holds of operators whichever of their lines, or rule in code, is applied. Of several lines that state the same of an
// operator the first that fits its attributes holds.
internal static partial class OperatorTable
{
    private const string StandardFacts = """
        # elements are only moved
        Identity Transpose Reshape Flatten Squeeze Unsqueeze Slice Split Gather GatherElements GatherND Expand Tile Pad | moves:0
        Dropout DepthToSpace SpaceToDepth MaxPool GlobalMaxPool ReduceMax ReduceMin | moves:0
        Resize Upsample | when:mode=nearest:nearest moves:0
        Where | moves:1,2
        Concat Max Min | moves:all

        # linear in operand 0, each vector along an axis by itself, where the others have no such axis
        Identity Transpose Reshape Flatten Squeeze Unsqueeze Slice Split Gather Expand Cast Mul Div | linear

        # scale and shift of normalisations, factors of products, operands of attention
        BatchNormalization InstanceNormalization GroupNormalization LayerNormalization | affine:1,2
        RMSNormalization SimplifiedLayerNormalization | affine:1
        Gemm | scaled:alpha,beta
        Attention | attention:0,1,2

        # where f(0) is 0; other activations of gates than the defaults need not be
        Pow | zero-if:@1>0
        Clip | zero-if:min@1<=0 zero-if:max@2>=0
        Shrink | zero-if:lambd>=0
        LSTM GRU RNN | zero-if:-activations
        Dropout | draws-if:2

        # types of results
        Cast BitCast | type:to
        Where CastLike | type:1
        OneHot | type:2
        Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not IsNaN IsInf | type:bool
        Dropout | type:bool@1
        Shape Size ArgMax ArgMin NonZero NonMaxSuppression | type:int64
        TopK MaxPool | type:int64@1
        Unique | type:int64@1,2,3
        ConstantOfShape | type:value/float
        RandomNormal RandomUniform | type:dtype/float
        HannWindow HammingWindow BlackmanWindow MelWeightMatrix | type:output_datatype/float
        RandomNormalLike RandomUniformLike Bernoulli EyeLike | type:dtype/0
        Multinomial | type:dtype/int32
        DynamicQuantizeLinear | type:uint8@0,2 type:float
        MatMulInteger ConvInteger | type:int32
        QuantizeLinear | type:2/output_dtype/uint8
        DequantizeLinear | type:output_dtype/1
        """;

    private const string MicrosoftFacts = """
        # scale and shift of normalisations, factors of products, operands of attention
        GroupNorm SkipGroupNorm | affine:1,2
        GatedRMSNorm | affine:1
        SkipLayerNormalization | affine:2,3
        SkipSimplifiedLayerNormalization | affine:2
        EmbedLayerNormalization | affine:5,6
        FusedGemm | scaled:alpha,beta
        FusedMatMul FusedMatMulActivation TransposeMatMul QGemm | scaled:alpha
        MultiHeadAttention GroupQueryAttention | attention:0,1,2

        # rules that take it for granted that a bias is zero at removed units, as weights are
        Attention PackedAttention DecoderMaskedSelfAttention QAttention | bias:2
        MultiHeadAttention PackedMultiHeadAttention | bias:3
        DecoderMaskedMultiHeadAttention | bias:10

        FusedConv NhwcFusedConv FusedGemm FusedMatMulActivation | activation
        CropAndResize | zero-if:extrapolation_value=0
        DynamicQuantizeLSTM | zero-if:-activations
        BiasDropout BitmaskBiasDropout | draws-if:4
        BitmaskDropout | draws-if:2

        # types of results; without a scale of its own that of QGemm stays in float32
        EmbedLayerNormalization | type:int32@1 type:2
        QEmbedLayerNormalization | type:int32@1 type:8
        BiasDropout | type:bool@1
        Unique | type:int64@1,2
        MatMulInteger16 DynamicTimeWarping | type:int32
        QuantizeLinear | type:2/output_dtype/uint8
        DequantizeLinear | type:output_dtype/1
        MatMulIntegerToFloat QLinearConcat GatherBlockQuantized | type:2
        QLinearWhere | type:1
        QAttention | type:3
        QGemm | type:8/float
        MurmurHash3 | when:positive=0:1 type:int32
        MurmurHash3 | type:uint32
        """;

    // Before operator set 2 LabelEncoder maps strings to integers and back.
    private const string MachineLearningFacts = """
        Binarizer | zero-if:threshold>=0
        Scaler Normalizer FeatureVectorizer OneHotEncoder LinearRegressor SVMRegressor TreeEnsembleRegressor | type:float
        LinearClassifier SVMClassifier TreeEnsembleClassifier | type:float@1 type:classlabels_strings?string/int64
        CategoryMapper | type:0=string?int64/string
        LabelEncoder | type:values_strings?string/values_int64s?int64/values_floats?float/values_tensor/0=string?int64/string
        CastMap | when:cast_to=TO_STRING:TO_FLOAT type:string
        CastMap | when:cast_to=TO_INT64:TO_FLOAT type:int64
        CastMap | type:float
        """;

    private static readonly Lazy<ILookup<(string Domain, string Operator), OperatorFacts>> Facts = new(() =>
        Parsed("", StandardFacts).Concat(Parsed("com.microsoft", MicrosoftFacts))
            .Concat(Parsed(MachineLearningDomain, MachineLearningFacts))
            .ToLookup(f => (f.Domain, f.Operator), f => f.Facts));

    /// <summary>Every line of facts, once for each of its operators.</summary>
    public static IEnumerable<(string Domain, string Operator, OperatorFacts Facts)> AllFacts
        => Facts.Value.SelectMany(g => g.Select(f => (g.Key.Domain, g.Key.Operator, f)));

    /// <summary>The facts that hold of a node, in order.</summary>
    public static IEnumerable<OperatorFacts> FactsOf(NodeProto node)
        => Facts.Value[Key(node.Domain, node.OpType)].Where(f => f.HoldsFor(node));

    /// <summary>Operands whose elements the operator only moves: a zero point stays one. Null for operators that compute.</summary>
    public static IReadOnlyList<int>? Moved(NodeProto node)
        => FactsOf(node).FirstOrDefault(f => f.Moved is not null)?.Moved is not { } moved ? null
            : moved.Length > 0 ? moved : [.. Enumerable.Range(0, node.Input.Count)];

    /// <summary>Operands that a normalisation multiplies its result by, and that it adds (−1 for none); null for other operators.</summary>
    public static (int Scale, int Shift)? AffineOf(NodeProto node)
        => FactsOf(node).FirstOrDefault(f => f.Affine is not null)?.Affine;

    /// <summary>
    /// Whether the result is linear in operand 0, vector by vector along an axis that no other operand has: another basis of these
    /// vectors passes through.
    /// </summary>
    public static bool IsLinear(NodeProto node) => FactsOf(node).Any(f => f.IsLinear);

    /// <summary>The element type of a result, as facts say, else that of the first operand; 0 where it is not known.</summary>
    public static int TypeOf(NodeRecord record, int result)
        => FactsOf(record.Info.Proto).Select(f => f.TypeOf(record, result)).FirstOrDefault(type => type is not null)
            ?? record.Inputs.FirstOrDefault(i => i is not null)?.ElementType ?? 0;

    /// <summary>Whether an element-wise function of one operand is 0 at 0 whatever its attributes; null for what is none.</summary>
    public static bool? KeepsZero(string function)
    {
        foreach (string domain in (string[])["", "com.microsoft"])
            if (Find(domain, function).FirstOrDefault(r => r.IsElementwise) is { } rule)
                return Facts.Value[(domain, function)].Any(f => f.ZeroIf.Count > 0) ? null : rule.Zero == ZeroRule.First;
        return null;
    }

    private static IEnumerable<(string Domain, string Operator, OperatorFacts Facts)> Parsed(string domain, string text)
        => from line in Lines(text).Select(l => new TableLine(l))
           let facts = new OperatorFacts(line, line.Operators.Min(op => OperandsOf(domain, op)))
           from op in line.Operators
           select (domain, op, facts);

    /// <summary>Most operands that a line of the table has; any number where it has none.</summary>
    private static int OperandsOf(string domain, string op)
        => Find(domain, op).Select(r => r.Variadic ? int.MaxValue : r.Operands.Length).DefaultIfEmpty(int.MaxValue).Max();
}
