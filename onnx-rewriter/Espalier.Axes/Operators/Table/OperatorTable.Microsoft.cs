namespace Espalier.Axes.Operators.Table;

// Operators of com.microsoft (ONNX Runtime, docs/ContribOperators.md).
internal static partial class OperatorTable
{
    private const string Microsoft = """
        # attention with its projection: query, key and value are thirds of the weight, or as qkv_hidden_sizes says
        Attention | b s e, e (3 h d), (3 h d)?, *?, 2 b h p d?, ~ b h s t?, *? -> b s (h d), 2 b h u d
            | when:qkv_hidden_sizes=: bind:num_heads=h role:heads=h sum:e=0,1 macs:b,s,e,3,h,d length:u=p+s macs:b,h,s,u,d macs:b,h,s,u,d
              whole:d fix:p,t,u,s zero:all=1,2@0 zero:all=1,2,4@1
        Attention | b s e, e [(h d) + (h d) + (h w)], [(h d) + (h d) + (h w)]?, *?, -, ~ b h s t?, *? -> b s (h w)
            | when:do_rotary=0 bind:num_heads=h bind:qkv_hidden_sizes[0]=h*d bind:qkv_hidden_sizes[1]=h*d bind:qkv_hidden_sizes[2]=h*w
              role:heads=h role:product-out=d role:head-dims=d role:product-out=w role:value-dims=w sum:e=0,1 sum:d=1 scale:scale=d
              macs:b,s,e,2,h,d macs:b,s,e,h,w macs:b,h,s,s,d macs:b,h,s,s,w fix:t,s zero:all=1,2@0
        Attention | b s e, e (3 h d), (3 h d)?, *?, 2 b h p d?, ~ b h s t?, *? -> b s (h d), 2 b h u d
            | bind:num_heads=h bind:qkv_hidden_sizes[0]=h*d bind:qkv_hidden_sizes[1]=h*d bind:qkv_hidden_sizes[2]=h*d role:heads=h sum:e=0,1
              macs:b,s,e,3,h,d length:u=p+s macs:b,h,s,u,d macs:b,h,s,u,d whole:d fix:p,t,u,s zero:all=1,2@0 zero:all=1,2,4@1
        PackedAttention | n e, e (3 h d), (3 h d), *, *, ~ b h s t? -> n (h d)
            | when:qkv_hidden_sizes=: bind:num_heads=h role:heads=h sum:e=0,1 macs:n,e,3,h,d whole:d fix:t,s zero:all=1,2
        PackedAttention | n e, e [(h d) + (h d) + (h w)], [(h d) + (h d) + (h w)], *, *, ~ b h s t? -> n (h w)
            | bind:num_heads=h bind:qkv_hidden_sizes[0]=h*d bind:qkv_hidden_sizes[1]=h*d bind:qkv_hidden_sizes[2]=h*w role:heads=h
              role:product-out=w role:value-dims=w sum:e=0,1 macs:n,e,2,h,d macs:n,e,h,w whole:d fix:t,s zero:all=1,2
        DecoderMaskedSelfAttention | b s e, e (3 h d), (3 h d), *?, 2 b h p d, ~ b h s t?, *?, *?, *? -> b s (h d), 2 b h u d
            | bind:num_heads=h role:heads=h sum:e=0,1 length:u=p+s macs:b,s,e,3,h,d macs:b,h,s,u,d macs:b,h,s,u,d whole:d fix:p,t,u,s
              zero:all=1,2@0 zero:all=1,2,4@1

        # attention behind its projections: separate, with a cache, crosswise over a cache, packed
        MultiHeadAttention | b s (h d), b t (h d), b t (h w), [(h d) + (h d) + (h w)]?, *?, ~ b h s m?, -, -
            -> b s (h w), b h t d, b h t w, b h s u
            | bind:num_heads=h role:heads=h role:head-dims=d role:value-dims=w sum:d=0 scale:scale=d macs:b,h,s,t,d macs:b,h,s,t,w
              fix:s,t,m,u zero:all=2,3@0 zero:all=1,3@1 zero:all=2,3@2
        MultiHeadAttention | b s (h d), b t (h d), b t (h d), (3 h d)?, *?, ~ b h s m?, b h p d, b h p d, *?, *?
            -> b s (h d), b h u d, b h u d, b h s v
            | bind:num_heads=h role:heads=h length:u=p+t macs:b,h,s,u,d macs:b,h,s,u,d whole:d fix:s,t,m,p,u zero:all=2,3,7@0
              zero:all=1,3,6@1 zero:all=2,3,7@2
        MultiHeadAttention | b s (h d), b h t d, b h t d, (3 h d)?, *?, ~ b h s m?, -, - -> b s (h d), b h t d, b h t d, b h s u
            | bind:num_heads=h role:heads=h macs:b,h,s,t,d macs:b,h,s,t,d whole:d fix:s,t,m zero:all=2,3@0 zero:all=1,3@1 zero:all=2,3@2
        MultiHeadAttention | b s (h d), b t h 2 d, -, (3 h d)?, *?, ~ b h s m?, -, - -> b s (h d)
            | bind:num_heads=h role:heads=h macs:b,h,s,t,d macs:b,h,s,t,d whole:d fix:s,t,m zero:all=1,3@0
        MultiHeadAttention | b s h 3 d, -, -, (3 h d)?, *?, ~ b h s m?, -, - -> b s (h d)
            | bind:num_heads=h role:heads=h macs:b,h,s,s,d macs:b,h,s,s,d whole:d fix:s,m zero:all=0,3@0
        PackedMultiHeadAttention | n (h d), n (h d), n (h w), [(h d) + (h d) + (h w)]?, *, *, ~ b h s t? -> n (h w)
            | bind:num_heads=h role:heads=h role:value-dims=w whole:d fix:t,s zero:all=2,3
        PackedMultiHeadAttention | n h 3 d, -, -, (3 h d)?, *, *, ~ b h s t? -> n (h d)
            | bind:num_heads=h role:heads=h whole:d fix:t,s zero:all=0,3
        DecoderMaskedMultiHeadAttention | b s (h d), b t (h d), b t (h d), *?, ~ b h s m?, b h p d?, b h p d?, *?, *?, *?, (3 h d)?
            -> b s (h d), b h u d, b h u d, b h s v
            | bind:num_heads=h role:heads=h length:u=p+t macs:b,h,s,u,d macs:b,h,s,u,d whole:d fix:s,t,m,p,u zero:all=2,6,10@0
              zero:all=1,5,10@1 zero:all=2,6,10@2
        DecoderMaskedMultiHeadAttention | b s (h d), b h t d, b h t d, *?, ~ b h s m?, -, -, *?, *?, *?, (3 h d)?
            -> b s (h d), b h t d, b h t d, b h s u
            | bind:num_heads=h role:heads=h macs:b,h,s,t,d macs:b,h,s,t,d whole:d fix:s,t,m zero:all=2,10@0 zero:all=1,10@1 zero:all=2,10@2

        # grouped queries: query head v·r + j reads KV head v; packed, the heads of queries, keys and values follow each other
        GroupQueryAttention | b s (v r d), b t (v d), b t (v d), b v p d?, b v p d?, _, _, m f?, m f?, *?, ~ b (v r) s n?, (v r)?,
                *?, *?, *?, *?
            -> b s (v r d), b v u d, b v u d, b (v r) s n
            | bind:kv_num_heads=v bind:num_heads=v*r role:heads=v role:heads=r role:repeated=r grouped:v*r length:u=p+t macs:b,v,r,s,u,d
              macs:b,v,r,s,u,d whole:d fix:f,m,n,s,t,p,u zero:all=2,4@0 zero:all=1,3@1 zero:all=2,4@2
        GroupQueryAttention | b s ([(v r) + v + v] d), -, -, b v p d?, b v p d?, _, _, m f?, m f?, *?, ~ b (v r) s n?, (v r)?,
                *?, *?, *?, *?
            -> b s (v r d), b v u d, b v u d, b (v r) s n
            | bind:kv_num_heads=v bind:num_heads=v*r role:heads=v role:heads=r role:repeated=r grouped:v*r length:u=p+s macs:b,v,r,s,u,d
              macs:b,v,r,s,u,d whole:d fix:f,m,n,s,p,u

        # a recurrence over a state of keys times values; decay and update rate are one number per head, or the decay one per key dimension
        LinearAttention | b s (v r d), b s (v d), b s (v w), b v d w?, b s (v e)?, ~ b s v? -> b s (v r w), b v d w
            | when:state_window=0 bind:kv_num_heads=v bind:q_num_heads=v*r role:heads=v role:heads=r role:repeated=r grouped:v*r
              role:value-dims=w macs:b,v,r,s,d,w macs:b,v,s,d,w whole:d fix:e,s zero:all=2,3
        LinearAttentionGate | b s h, h, h, b s h? -> b s h, b s h | fix:s zero:all=2@0

        # position biases
        RelativePositionBias | v h, _, _ -> 1 h q k | role:heads=h fix:v zero:first
        GatedRelativePositionBias | b s (h d), (h d), 1 h s s, d e, e, 1 h 1 1, *? -> b h s s
            | bind:num_heads=h role:heads=h fix:d,e,s zero:any=2

        # normalisations
        SkipLayerNormalization | ... e, ~ ... e, e, e?, e? -> ... e, ... 1, ... 1, ... e
            | norm:e role:stream=e zero:all=2,3@0 zero:all=0,1,4@3
        SkipSimplifiedLayerNormalization | ... e, ~ ... e, e, e? -> ... e, *, ... 1, ... e
            | rms:e=2=0,1,3 role:stream=e zero:all=2@0 zero:all=0,1,3@3
        EmbedLayerNormalization | b s, b s?, v e, p e, t e?, e, e, *?, *? -> b s e, b, b s e
            | norm:e fix:v,p,t role:stream=e zero:all=5,6@0 zero:all=2,3,4@2
        GroupNorm | n x... (g c), (g c), (g c) -> n x... (g c) | when:channels_last=1:1 bind:groups=g norm:c,x zero:affine=1,2
        GroupNorm | n (g c) x..., (g c), (g c) -> n (g c) x... | when:channels_last=0:1 bind:groups=g norm:c,x zero:affine=1,2
        SkipGroupNorm | n x... (g c), (g c), (g c), n x... (g c), (g c)? -> n x... (g c), n x... (g c)
            | when:channels_last=1:1 bind:groups=g norm:c,x zero:all=1,2@0 zero:all=0,3,4@1
        SkipGroupNorm | n (g c) x..., (g c), (g c), n (g c) x..., (g c)? -> n (g c) x..., n (g c) x...
            | when:channels_last=0:1 bind:groups=g norm:c,x zero:all=1,2@0 zero:all=0,3,4@1
        GatedRMSNorm | ... (h c), c, ... (h c) -> ... (h c) | norm:c zero:any

        # activations with a bias
        FastGelu | ... e, e? -> ... e | zero:all
        BiasGelu | ... e, e -> ... e | zero:all
        BiasSplitGelu | n s (2 c), (2 c) -> n s c | zero:all
        BiasAdd | n s c, c, n s c -> n s c | zero:all
        GatedAdd | ... c, ... c, ... 1 -> ... c | zero:all=0,1
        BiasDropout | ..., ..., ...?, *?, *? -> ..., ... | zero:all=0,1,2@0
        BitmaskBiasDropout | ..., ..., ...?, *?, *? -> ..., * | zero:all=0,1,2@0
        BitmaskDropout | ..., *?, *? -> ..., * | zero:first@0
        Gelu | ... -> ... | zero:first
        QuickGelu | ... -> ... | zero:first
        SampleOp | ... -> ... | zero:first
        MurmurHash3 | ... -> ...
        ComplexMul | ... p, ... p -> ... p | fix:p zero:any
        ComplexMulConj | ... p, ... p -> ... p | fix:p zero:any

        # products; FusedMatMul, FusedMatMulActivation and TransposeMatMul are made from their transposes
        FusedConv | n (g i) x..., (g o) i k..., (g o)?, n (g o) z...? -> n (g o) y...
            | bind:group=g:1 geometry:conv contract:0,1,2 macs:n,g,o,i,k,y fix:x,k,y,z zero:all=1,2,3
        NhwcFusedConv | n x... (g i), (g o) i k..., (g o)?, n z... (g o)? -> n y... (g o)
            | bind:group=g:1 geometry:conv contract:0,1,2 fused macs:n,g,o,i,k,y fix:x,k,y,z zero:all=1,2,3
        ConvTransposeWithDynamicPads | n (g i) x..., (g i) o k..., *?, (g o)? -> n (g o) y...
            | bind:group=g:1 geometry:open contract:0,1,3 fused macs:n,g,o,i,k,x fix:x,k,y zero:all=1,3
        CausalConvWithState | n c x, c 1 k, c?, n c p? -> n c x, n c q
            | when:channels_last=0 when:state_window=0 when:ndim=1:1 macs:n,c,x,k fix:x,k,p zero:contraction@0 zero:all=0,3@1
        FusedGemm | m k, k n, ~ m n? -> m n | when:transA=0 when:transB=0 contract:0,1,2 macs:m,k,n fused zero:contraction
        FusedGemm | m k, n k, ~ m n? -> m n | when:transA=0 when:transB=1 contract:0,1,2 macs:m,k,n fused zero:contraction
        FusedGemm | k m, k n, ~ m n? -> m n | when:transA=1 when:transB=0 contract:0,1,2 macs:m,k,n fused zero:contraction
        FusedGemm | k m, n k, ~ m n? -> m n | when:transA=1 when:transB=1 contract:0,1,2 macs:m,k,n fused zero:contraction
        GemmFastGelu | ... m k, k n, n? -> ... m n | contract:0,1,2 macs:...,m,k,n fused zero:contraction
        CDist | m n, k n -> m k | sum:n=0 sum:n=1 macs:m,n,k

        # experts: fc1 makes f features of every expert x, or gate and value by turns (swiglu_fusion 1) or one after the other (2)
        MoE | ... e, t x, x f e, x f?, x e f, x e?, x f e?, x f? -> ... e
            | when:activation_type=relu/gelu/silu/identity:relu role:stacked=x role:product-out=f top:x=k sum:e=0,2 sum:f=4
              macs:...,@k,2,f,e macs[6]:...,@k,f,e zero:all=4,5
        MoE | ... e, t x, x f e, x f?, x e f, x e?, x f e, x f? -> ... e
            | when:activation_type=swiglu:relu when:swiglu_fusion=0 role:stacked=x role:product-out=f top:x=k sum:e=0,2 sum:f=4
              macs:...,@k,3,f,e zero:all=4,5
        MoE | ... e, t x, x (f 2) e, x (f 2)?, x e f, x e? -> ... e
            | when:activation_type=swiglu:relu when:swiglu_fusion=1 role:stacked=x role:product-out=f top:x=k sum:e=0,2 sum:f=4
              macs:...,@k,3,f,e zero:all=4,5
        MoE | ... e, t x, x (2 f) e, x (2 f)?, x e f, x e? -> ... e
            | when:activation_type=swiglu:relu when:swiglu_fusion=2 role:stacked=x role:product-out=f top:x=k sum:e=0,2 sum:f=4
              macs:...,@k,3,f,e zero:all=4,5

        # positions
        MRotaryEmbedding | b h s d, *, m p, m p -> b h s d | whole:d fix:m,p,s zero:first
        MRotaryEmbedding | b s (h d), *, m p, m p -> b s (h d) | bind:num_heads=h whole:d fix:m,p,s zero:first
        GemmaRotaryEmbedding | b s d, b h s d, b h s d, b h s d, b h s d -> b h s d, b h s d | fix:s zero:all=1,2@0 zero:all=3,4@1
        GridSample | n c x..., n y... p -> n c y... | fix:x,y,p zero:first
        CropAndResize | n c h w, r p, r, _ -> r c y x | fix:n,h,w,p zero:first
        NhwcMaxPool | n x... c -> n y... c | geometry:pool fix:x,y zero:first
        Trilu | ... m n, *? -> ... m n | fix:m,n zero:first
        Inverse | ... m m -> ... m m | fix:m pole:0
        TorchEmbedding | v e, x..., *?, *? -> x... e | fix:v zero:first
        RemovePadding | b s e, b -> n e, b s, q, 1 | fix:b,s zero:first@0
        RestorePadding | n e, b s -> b s e | fix:n,b,s zero:first
        NGramRepeatBlock | b s, b v -> b v | fix:s,v
        DynamicTimeWarping | m n -> 2 t | fix:m,n
        DynamicTimeWarping | 1 m n -> 2 t | fix:m,n
        Unique | x -> y, x, z | fix:x
        """;
}
