namespace Espalier.Axes.Operators.Table;

// Operators that no axis can be followed through, each with its reason.
internal static partial class OperatorTable
{
    /// <summary>Reason, then the operators that it holds for.</summary>
    private const string StandardReasons = """
        a sequence has no axes: SequenceConstruct SequenceEmpty SequenceInsert SequenceErase SequenceAt SequenceLength SequenceMap
            SplitToSequence ConcatFromSequence
        a value that may be absent has no axes: Optional OptionalGetElement OptionalHasElement
        it works on text: StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer
        it decodes an image, whose size is in its data: ImageDecoder
        """;

    private const string MicrosoftReasons = """
        it searches with a decoder of its own in a subgraph: BeamSearch GreedySearch Sampling WhisperBeamSearch
        it works on tokens and their positions: BifurcationDetector NGramHashMapping VarlenNGramHashMapping Tokenizer
        it holds a compiled model of another runtime: EPContext Snpe
        its weights are square, so that heads cannot go without the width: DecoderAttention LongformerAttention
        its mask repeats over the channels: MaxpoolWithMask
        it computes with quantised numbers in a form that is not followed: GemmFloat8 MatMulNBitsMlp MatMulNBitsQkv MulInteger
            ReduceSumInteger
        its operand is sparse: SparseToDenseMatMul
        it convolves the characters of every word, and its filters overlap: WordConvEmbedding
        its recurrence attends to a memory whose sizes depend on each other: AttnLSTM
        it checks gradients while a model is trained: IsAllFinite
        a Fourier transform in a layout of its own: Rfft Irfft
        the layout of its weights is that of an execution provider: NhwcConv
        its sparse layouts are assigned to heads by number: SparseAttention
        its cache is divided into pages: PagedAttention
        a recurrence over a state of keys times values: GatedDeltaNet EngramGate VarlenCausalConvWithState
        the blocks of its numbers are laid out for one execution provider: QuantizeBFP DequantizeBFP QuantizeWithOrder DequantizeWithOrder
            QOrderedAttention QOrderedGelu QOrderedLayerNormalization QOrderedLongformerAttention QOrderedMatMul
            MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight MatMulFpQ4
        """;

    private const string MachineLearningReasons = "a sequence of maps has no axes: ZipMap";

    /// <summary>
    /// Operators without a rule on purpose: sequences, optional values, text and the like. Everything that they touch stays whole. Where an
    /// operator has a rule all the same, the reason is given for forms that the rule does not fit.
    /// </summary>
    public static IReadOnlyDictionary<(string Domain, string Operator), string> Barriers { get; } = Reasons("", StandardReasons)
        .Concat(Reasons("com.microsoft", MicrosoftReasons))
        .Concat(Reasons(MachineLearningDomain, MachineLearningReasons))
        .ToDictionary(r => (r.Domain, r.Operator), r => r.Reason);

    /// <summary>Why an operator has no rule; null where it has one, or is not known.</summary>
    public static string? BarrierOf(string domain, string op) => Barriers.GetValueOrDefault(Key(domain, op));

    private static IEnumerable<(string Domain, string Operator, string Reason)> Reasons(string domain, string text)
        => from line in Lines(text)
           let parts = line.Split(": ")
           from op in parts[1].Split(' ')
           select (domain, op, parts[0]);
}
