namespace Espalier.Axes.Operators.Table;

// Quantised operators of both domains: products of integers, and conversions from and to them. QuantizeLinear, DequantizeLinear and others
// whose axes an attribute names are code: QuantizedRules, BlockQuantizedRules. An integer product costs as many
// multiply-accumulates as one of floats.
internal static partial class OperatorTable
{
    private const string StandardQuantized = """
        # the range is taken over the whole tensor and zero: removed units change it unless they are zero
        DynamicQuantizeLinear | x... -> x..., , | zero:first quant:y=y1,y2 sum:x=0

        # products of integers
        MatMulInteger | ... m k, ... k n, ~ m?, ~ n? -> ... m n | contract:0,1 macs:...,m,k,n zero:contraction quant:0=-,2 quant:1=-,3
        MatMulInteger | k, ... k n, ~ 1?, ~ n? -> ... n | contract:0,1 macs:...,k,n zero:contraction quant:0=-,2 quant:1=-,3
        QLinearMatMul | ... m k, ~ m, ~ m, ... k n, ~ n, ~ n, ~ 1, ~ 1 -> ... m n
            | contract:0,3 macs:...,m,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=6,7
        QLinearMatMul | k, ~ 1, ~ 1, ... k n, ~ n, ~ n, ~ 1, ~ 1 -> ... n
            | contract:0,3 macs:...,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=6,7
        ConvInteger | n (g i) x..., (g o) i k..., ~ 1?, ~ (g o)? -> n (g o) y...
            | bind:group=g:1 geometry:conv contract:0,1 macs:n,g,o,i,k,y fix:x,k,y zero:contraction quant:0=-,2 quant:1=-,3
        QLinearConv | n (g i) x..., ~ 1, ~ 1, (g o) i k..., ~ (g o), ~ (g o), ~ 1, ~ 1, (g o)? -> n (g o) y...
            | bind:group=g:1 geometry:conv contract:0,3,8 macs:n,g,o,i,k,y fix:x,k,y zero:contraction quant:0=1,2 quant:3=4,5 quant:y=6,7
        """;

    private const string MicrosoftQuantized = """
        # element by element
        QLinearAdd | ..., ~ 1, ~ 1?, ..., ~ 1, ~ 1?, ~ 1, ~ 1? -> ... | zero:all=0,3 quant:0=1,2 quant:3=4,5 quant:y=6,7
        QLinearMul | ..., ~ 1, ~ 1?, ..., ~ 1, ~ 1?, ~ 1, ~ 1? -> ... | zero:any=0,3 quant:0=1,2 quant:3=4,5 quant:y=6,7
        QLinearSigmoid | x..., ~ 1, ~ 1?, ~ 1, ~ 1? -> x... | quant:0=1,2 quant:y=3,4
        QLinearLeakyRelu | x..., ~ 1, ~ 1?, ~ 1, ~ 1? -> x... | zero:first quant:0=1,2 quant:y=3,4
        QLinearWhere | ..., ..., ~ 1, ~ 1, ..., ~ 1, ~ 1, ~ 1, ~ 1 -> ... | zero:all=1,4 quant:1=2,3 quant:4=5,6 quant:y=7,8

        # windows
        QLinearAveragePool | n c x..., ~ 1, ~ 1?, ~ 1, ~ 1? -> n c y...
            | when:channels_last=0 geometry:pool fix:x,y zero:first quant:0=1,2 quant:y=3,4
        QLinearAveragePool | n x... c, ~ 1, ~ 1?, ~ 1, ~ 1? -> n y... c
            | when:channels_last=1 geometry:pool fix:x,y zero:first quant:0=1,2 quant:y=3,4
        QLinearGlobalAveragePool | n c x..., ~ 1, ~ 1, ~ 1, ~ 1 -> n c y...
            | when:channels_last=0 geometry:global fix:x zero:first quant:0=1,2 quant:y=3,4
        QLinearGlobalAveragePool | n x... c, ~ 1, ~ 1, ~ 1, ~ 1 -> n y... c
            | when:channels_last=1 geometry:global fix:x zero:first quant:0=1,2 quant:y=3,4

        # products
        QLinearConv | n (g i) x..., ~ 1, ~ 1, (g o) i k..., ~ (g o), ~ (g o), ~ 1, ~ 1, (g o)? -> n (g o) y...
            | when:channels_last=0 bind:group=g:1 geometry:conv contract:0,3,8 macs:n,g,o,i,k,y fix:x,k,y zero:contraction quant:0=1,2
              quant:3=4,5 quant:y=6,7
        QLinearConv | n x... (g i), ~ 1, ~ 1, (g o) i k..., ~ (g o), ~ (g o), ~ 1, ~ 1, (g o)? -> n y... (g o)
            | when:channels_last=1 bind:group=g:1 geometry:conv contract:0,3,8 macs:n,g,o,i,k,y fix:x,k,y zero:contraction quant:0=1,2
              quant:3=4,5 quant:y=6,7
        MatMulInteger16 | ... m k, ... k n -> ... m n | contract:0,1 macs:...,m,k,n zero:contraction
        MatMulIntegerToFloat | ... m k, ... k n, ~ 1, ~ n, ~ 1?, ~ n?, ~ n? -> ... m n
            | contract:0,1,6 macs:...,m,k,n zero:contraction quant:0=2,4 quant:1=3,5
        DynamicQuantizeMatMul | ... m k, ... k n, ~ n, ~ n?, ~ n? -> ... m n
            | contract:0,1,4 macs:...,m,k,n zero:contraction quant:1=2,3 sum:k=0 sum:m=0 sum:...=0
        QGemm | m k, ~ 1, ~ 1, k n, ~ n, ~ n, ~ m n?, ~ 1?, ~ 1? -> m n
            | when:transA=0 when:transB=0 contract:0,3,6 macs:m,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=7,8
        QGemm | m k, ~ 1, ~ 1, n k, ~ n, ~ n, ~ m n?, ~ 1?, ~ 1? -> m n
            | when:transA=0 when:transB=1 contract:0,3,6 macs:m,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=7,8
        QGemm | k m, ~ 1, ~ 1, k n, ~ n, ~ n, ~ m n?, ~ 1?, ~ 1? -> m n
            | when:transA=1 when:transB=0 contract:0,3,6 macs:m,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=7,8
        QGemm | k m, ~ 1, ~ 1, n k, ~ n, ~ n, ~ m n?, ~ 1?, ~ 1? -> m n
            | when:transA=1 when:transB=1 contract:0,3,6 macs:m,k,n zero:contraction quant:0=1,2 quant:3=4,5 quant:y=7,8

        # attention, embeddings and recurrences
        QAttention | b s e, e (3 h d), (3 h d), ~ 1, ~ (3 h d), *?, ~ 1?, ~ (3 h d)?, 2 b h p d? -> b s (h d), 2 b h t d
            | when:do_rotary=0 bind:num_heads=h role:heads=h sum:e=0,1 macs:b,s,e,3,h,d length:t=p+s macs:b,h,s,t,d macs:b,h,s,t,d
              fix:d,p,t,s zero:all=1,2 quant:0=3,6 quant:1=4,7
        QEmbedLayerNormalization | b s, b s?, v e, p e, t e?, e, e, *?, ~ 1, ~ 1, ~ 1?, ~ 1, ~ 1, ~ 1, ~ 1, ~ 1?, ~ 1, ~ 1 -> b s e, b
            | norm:e fix:v,p,t role:stream=e quant:2=8,13 quant:3=9,14 quant:4=10,15 quant:5=11,16 quant:6=12,17
        DynamicQuantizeLSTM | s b i, d i (4 h), d h (4 h), d (8 h)?, b?, d b h?, d b h?, d (3 h)?, d, d, d, d -> s d b h, d b h, d b h
            | bind:hidden_size=h role:hidden=h sum:i=0 sum:h=2 macs:s,b,d,4,h,i macs:s,b,d,4,h,h zero:all=1,2,3,5,6 fix:d,s quant:1=8,9
              quant:2=10,11
        DynamicQuantizeLSTM | s b i, d i (4 h), d h (4 h), d (8 h)?, b?, d b h?, d b h?, d (3 h)?, d (4 h), d (4 h), d (4 h), d (4 h)
            -> s d b h, d b h, d b h
            | bind:hidden_size=h role:hidden=h sum:i=0 sum:h=2 macs:s,b,d,4,h,i macs:s,b,d,4,h,h zero:all=1,2,3,5,6 fix:d,s quant:1=8,9
              quant:2=10,11
        # experts with a scale per row, one weight to a byte or two: zero of a weight is a scale of zero
        QMoE | ... e, t x, x f e, x f, x f?, x e f, x e, x e?, -, -, -, -, -, -, - -> ... e
            | when:expert_weight_bits=8:4 when:block_size=0 when:activation_type=relu/gelu/silu/identity:relu role:stacked=x
              role:product-out=f top:x=k sum:e=0 sum:f=3 sum:f=4 macs:...,@k,2,f,e zero:all=6,7 packed:2,3=expert_weight_bits:4
              packed:5,6=expert_weight_bits:4
        QMoE | ... e, t x, x (f 2) e, x (f 2), x (f 2)?, x e f, x e, x e?, -, -, -, -, -, -, - -> ... e
            | when:expert_weight_bits=8:4 when:block_size=0 when:activation_type=swiglu:relu when:swiglu_fusion=1 role:stacked=x
              role:product-out=f top:x=k sum:e=0 sum:f=3 sum:f=4 macs:...,@k,3,f,e zero:all=6,7 packed:2,3=expert_weight_bits:4
              packed:5,6=expert_weight_bits:4
        QMoE | ... (h 2), t x, x (g 2) h, x (g 2), x (g 2)?, x (h 2) g, x (h 2), x (h 2)?, -, -, -, -, -, -, - -> ... (h 2)
            | when:expert_weight_bits=4:4 when:block_size=0 when:activation_type=relu/gelu/silu/identity:relu role:stacked=x
              role:product-out=g top:x=k sum:h=0 sum:g=3 sum:g=4 macs:...,@k,2,g,2,h,2 zero:all=6,7 packed:2,3=expert_weight_bits:4
              packed:5,6=expert_weight_bits:4
        QMoE | ... (h 2), t x, x (g 2 2) h, x (g 2 2), x (g 2 2)?, x (h 2) g, x (h 2), x (h 2)?, -, -, -, -, -, -, - -> ... (h 2)
            | when:expert_weight_bits=4:4 when:block_size=0 when:activation_type=swiglu:relu when:swiglu_fusion=1 role:stacked=x
              role:product-out=g top:x=k sum:h=0 sum:g=3 sum:g=4 macs:...,@k,3,g,2,h,2 zero:all=6,7 packed:2,3=expert_weight_bits:4
              packed:5,6=expert_weight_bits:4
        """;
}
