namespace Espalier.Axes;

// Operators of com.microsoft (ONNX Runtime, docs/ContribOperators.md).
internal static partial class OperatorTable
{
    private const string Microsoft = """
        Attention | b s e, e (3 h d), (3 h d)?, *?, 2 b h p d?, *? -> b s (h d), 2 b h t d | when:qkv_hidden_sizes=: bind:num_heads=h role:heads=h sum:e=0,1 macs:b,s,e,3,h,d macs:b,h,s,s,d macs:b,h,s,s,d fix:d,p,t,s zero:all=1,2
        SkipLayerNormalization | ... e, ~ ... e, e, e?, e? -> ... e, *, *, ... e | norm:e role:stream=e zero:all
        SkipSimplifiedLayerNormalization | ... e, ~ ... e, e, e? -> ... e, *, *, ... e | rms:e=2=0,1,3 role:stream=e zero:all
        EmbedLayerNormalization | b s, b s?, v e, p e, t e?, e, e, *?, *? -> b s e, b, b s e | norm:e fix:v,p,t role:stream=e
        FastGelu | ... e, e? -> ... e | zero:all
        BiasGelu | ... e, e -> ... e | zero:all
        Gelu | ... -> ... | zero:first
        QuickGelu | ... -> ... | zero:first
        FusedMatMul | ... m k, ... k n -> ... m n | when:transA=0 when:transB=0 when:transBatchA=0 when:transBatchB=0 contract:0,1 macs:...,m,k,n zero:contraction
        FusedMatMul | ... m k, ... n k -> ... m n | when:transA=0 when:transB=1 when:transBatchA=0 when:transBatchB=0 contract:0,1 macs:...,m,k,n zero:contraction
        """;
}
