namespace Espalier.Gradients;

// com.microsoft and ai.onnx.ml.
internal static partial class GradientReasons
{
    /// <summary>What the processor cannot run has no differences that a rule could be compared with.</summary>
    public const string NoKernel = "ONNX Runtime has no kernel for the processor, so that no run can judge a rule";

    private const string MicrosoftReasons = NoKernel + """
        : BiasAdd BiasDropout BiasSoftmax BiasSplitGelu BitmaskBiasDropout BitmaskDropout
            ComplexMul ComplexMulConj DecoderMaskedSelfAttention FusedMatMulActivation GatedRelativePositionBias GemmFastGelu
            GemmaRotaryEmbedding GroupNorm NhwcFusedConv PackedAttention PackedMultiHeadAttention RelativePositionBias RemovePadding
            RestorePadding SkipGroupNorm TorchEmbedding
        it computes with quantised numbers, which change in steps: DequantizeBFP DequantizeLinear DequantizeWithOrder DynamicQuantizeLSTM
            DynamicQuantizeMatMul GatherBlockQuantized GemmFloat8 MatMulInteger16 MatMulIntegerToFloat MulInteger QAttention
            QEmbedLayerNormalization QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool
            QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE QOrderedAttention QOrderedGelu
            QOrderedLayerNormalization QOrderedLongformerAttention QOrderedMatMul QuantizeBFP QuantizeLinear QuantizeWithOrder
            ReduceSumInteger NhwcMaxPool
        how its weight is packed is not followed: MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight MatMulBnb4 MatMulFpQ4
            MatMulNBitsMlp MatMulNBitsQkv SparseToDenseMatMul NhwcConv
        it searches, and what it finds changes in steps: BeamSearch GreedySearch Sampling WhisperBeamSearch DynamicTimeWarping
        it works on tokens and their positions: BifurcationDetector MurmurHash3 NGramHashMapping NGramRepeatBlock Tokenizer
            VarlenNGramHashMapping
        it holds a compiled model of another runtime: EPContext Snpe
        a recurrence is not followed backwards: AttnLSTM EngramGate GatedDeltaNet LinearAttention VarlenCausalConvWithState
        its cache is a buffer that it writes into: DecoderMaskedMultiHeadAttention PagedAttention
        its form of attention is not followed: DecoderAttention LongformerAttention SparseAttention
        it samples between positions that are in its data: CropAndResize GridSample
        it turns by three positions at once: MRotaryEmbedding
        which experts it asks changes in steps: MoE
        how many elements it gives depends on its data: Range Unique
        it says whether gradients are finite: IsAllFinite
        a Fourier transform in a layout of its own: Irfft Rfft
        its mask repeats over the channels: MaxpoolWithMask
        it convolves the characters of every word: WordConvEmbedding
        """;

    private const string MachineLearningReasons = """
        what a tree gives changes in steps: TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
        it works on maps or on sequences of them: CastMap DictVectorizer ZipMap
        it works on categories: CategoryMapper LabelEncoder OneHotEncoder
        the decision of a classifier changes in steps, and its scores are not followed: LinearClassifier SVMClassifier
        its kernel is not followed: SVMRegressor
        """;
}
