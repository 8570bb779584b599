namespace Espalier.Axes.Operators.Table;

// Operators of the ONNX standard domain (https://onnx.ai/onnx/operators/).
internal static partial class OperatorTable
{
    private const string Standard = """
        # products
        MatMul | ... m k, ... k n -> ... m n | contract:0,1 macs:...,m,k,n zero:contraction
        MatMul | k, ... k n -> ... n | contract:0,1 macs:...,k,n zero:contraction
        MatMul | ... m k, k -> ... m | contract:0,1 macs:...,m,k zero:contraction
        MatMul | k, k -> | contract:0,1 macs:k zero:contraction
        Gemm | m k, k n, ~ m n? -> m n | when:transA=0 when:transB=0 contract:0,1,2 macs:m,k,n zero:contraction
        Gemm | m k, n k, ~ m n? -> m n | when:transA=0 when:transB=1 contract:0,1,2 macs:m,k,n zero:contraction
        Gemm | k m, k n, ~ m n? -> m n | when:transA=1 when:transB=0 contract:0,1,2 macs:m,k,n zero:contraction
        Gemm | k m, n k, ~ m n? -> m n | when:transA=1 when:transB=1 contract:0,1,2 macs:m,k,n zero:contraction
        Conv | n (g i) x..., (g o) i k..., (g o)? -> n (g o) y...
            | bind:group=g:1 geometry:conv contract:0,1,2 macs:n,g,o,i,k,y fix:x,k,y zero:contraction
        ConvTranspose | n (g i) x..., (g i) o k..., (g o)? -> n (g o) y...
            | bind:group=g:1 geometry:deconv contract:0,1,2 macs:n,g,o,i,k,x fix:x,k,y zero:contraction

        DeformConv | n (g i) x..., (g o) i k..., n p u..., (g o)?, n q v...? -> n (g o) y...
            | when:offset_group=1:1 bind:group=g:1 geometry:deform contract:0,1,3 fused macs:n,g,o,i,k,y fix:x,k,u,v,y,p,q zero:all=1,3
        DeformConv | n (s c) x..., o (s c) k..., n (s p) u..., o?, n (s q) v...? -> n o y...
            | when:group=1:1 bind:offset_group=s geometry:deform contract:0,1,3 fused macs:n,o,s,c,k,y fix:x,k,u,v,y,p,q zero:all=1,3

        # attention: 3-D operands have their head counts as attributes, 4-D ones as axes; query head v·r + j reads KV head v
        Attention | b s (v r d), b t (v d), b t (v w), ~ b (v r) s m?, b v p d?, b v p w?, b? -> b s (v r w), b v u d, b v u w, b (v r) s u
            | bind:kv_num_heads=v bind:q_num_heads=v*r role:heads=v role:heads=r role:repeated=r grouped:v*r role:head-dims=d
              role:value-dims=w sum:d=0 scale:scale=d length:u=p+t macs:b,v,r,s,u,d macs:b,v,r,s,u,w fix:s,t,m,p,u zero:all=2,5@0
              zero:all=1,4@1 zero:all=2,5@2
        Attention | b (v r) s d, b v t d, b v t w, ~ b (v r) s m?, b v p d?, b v p w?, b? -> b (v r) s w, b v u d, b v u w, b (v r) s u
            | role:heads=v role:heads=r role:repeated=r grouped:v*r role:head-dims=d role:value-dims=w sum:d=0 scale:scale=d length:u=p+t
              macs:b,v,r,s,u,d macs:b,v,r,s,u,w fix:s,t,m,p,u zero:all=2,5@0 zero:all=1,4@1 zero:all=2,5@2

        # recurrences: gates are blocks of h in W, R and B (4 for LSTM, 3 for GRU)
        LSTM | s b i, d (4 h) i, d (4 h) h, d (8 h)?, b?, d b h?, d b h?, d (3 h)? -> s d b h, d b h, d b h
            | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,4,h,i macs:s,b,d,4,h,h zero:all=1,2,3,5,6 fix:d,s
        GRU | s b i, d (3 h) i, d (3 h) h, d (6 h)?, b?, d b h? -> s d b h, d b h
            | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,3,h,i macs:s,b,d,3,h,h zero:all=1,2,3,5 fix:d,s
        RNN | s b i, d h i, d h h, d (2 h)?, b?, d b h? -> s d b h, d b h
            | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,h,i macs:s,b,d,h,h zero:all=1,2,3,5 fix:d,s
        LSTM | b s i, d (4 h) i, d (4 h) h, d (8 h)?, b?, b d h?, b d h?, d (3 h)? -> b s d h, b d h, b d h
            | when:layout=1 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,4,h,i macs:s,b,d,4,h,h zero:all=1,2,3,5,6 fix:d,s
        GRU | b s i, d (3 h) i, d (3 h) h, d (6 h)?, b?, b d h? -> b s d h, b d h
            | when:layout=1 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,3,h,i macs:s,b,d,3,h,h zero:all=1,2,3,5 fix:d,s
        RNN | b s i, d h i, d h h, d (2 h)?, b?, b d h? -> b s d h, b d h
            | when:layout=1 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,h,i macs:s,b,d,h,h zero:all=1,2,3,5 fix:d,s

        # normalisations
        BatchNormalization | n c x..., c x..., c x..., c x..., c x... -> n c x... | until:8 when:spatial=0:1 zero:affine=1,2
        BatchNormalization | n c x..., c, c, c, c -> n c x..., c, c, c, c | when:training_mode=0 zero:affine=1,2
        BatchNormalization | n c x..., c, c, c, c -> n c x..., c, c, c, c | norm:n,x
        InstanceNormalization | n c x..., c, c -> n c x... | norm:x zero:affine=1,2
        GroupNormalization | n (g c) x..., g, g -> n (g c) x... | until:20 bind:num_groups=g norm:c,x zero:affine=1,2
        GroupNormalization | n (g c) x..., (g c), (g c) -> n (g c) x... | since:21 bind:num_groups=g norm:c,x zero:affine=1,2
        LRN | n c x... -> n c x... | norm:c zero:first

        # windows
        AveragePool | n c x... -> n c y... | geometry:pool fix:x,y zero:first
        MaxPool | n c x... -> n c y..., n c y... | geometry:pool fix:x,y zero:first
        LpPool | n c x... -> n c y... | geometry:pool fix:x,y zero:first
        GlobalAveragePool | n c x... -> n c y... | geometry:global fix:x zero:first
        GlobalMaxPool | n c x... -> n c y... | geometry:global fix:x zero:first
        GlobalLpPool | n c x... -> n c y... | geometry:global fix:x zero:first

        MaxRoiPool | n c h w, r p -> r c y x | const:y=pooled_shape[0] const:x=pooled_shape[1] fix:n,h,w,p zero:first
        RoiAlign | n c h w, r p, r -> r c y x | const:y=output_height:1 const:x=output_width:1 fix:n,h,w,p zero:first
        MaxUnpool | n c x..., n c x..., *? -> n c y... | geometry:unpool fix:n,c,x,y
        GridSample | n c x..., n y... p -> n c y... | fix:x,y,p zero:first

        # blocks of pixels
        DepthToSpace | n (r q c) h w -> n c (h r) (w q) | when:mode=DCR:DCR const:r=blocksize const:q=blocksize fix:h,w zero:first
        DepthToSpace | n (c r q) h w -> n c (h r) (w q) | when:mode=CRD:DCR const:r=blocksize const:q=blocksize fix:h,w zero:first
        SpaceToDepth | n c (h r) (w q) -> n (r q c) h w | const:r=blocksize const:q=blocksize fix:h,w zero:first

        # element by element, several operands
        Add | ..., ... -> ... | zero:all
        Sub | ..., ... -> ... | zero:all
        Mul | ..., ... -> ... | zero:any
        Div | ..., ... -> ... | zero:first pole:1
        Mod | ..., ... -> ... | zero:first pole:1
        Pow | ..., ... -> ... | zero:first
        CastLike | ..., _ -> ... | zero:first
        Dropout | ..., *?, *? -> ..., ... | zero:first@0
        PRelu | ..., ~ ... -> ... | zero:first
        And | ..., ... -> ... | zero:any
        Or | ..., ... -> ... | zero:all
        Xor | ..., ... -> ... | zero:all
        BitShift | ..., ... -> ... | zero:first
        BitwiseAnd | ..., ... -> ... | zero:any
        BitwiseOr | ..., ... -> ... | zero:all
        BitwiseXor | ..., ... -> ... | zero:all
        Equal | ..., ... -> ...
        Greater | ..., ... -> ...
        GreaterOrEqual | ..., ... -> ...
        Less | ..., ... -> ...
        LessOrEqual | ..., ... -> ...
        Where | ..., ..., ... -> ... | zero:all=1,2
        Sum | ... -> ... | variadic zero:all
        Mean | ... -> ... | variadic zero:all
        Max | ... -> ... | variadic zero:all
        Min | ... -> ... | variadic zero:all

        # matrices, boxes and classes
        Trilu | ... m n, *? -> ... m n | fix:m,n zero:first
        EyeLike | m n -> m n | fix:m,n
        Det | ... m m -> ... | fix:m zero:first
        NonMaxSuppression | n b p, n c b, *?, *?, *? -> s 3 | fix:n,b,p,c
        NegativeLogLikelihoodLoss | n c x..., n x..., c? -> n x... | when:reduction=none:mean fix:c
        NegativeLogLikelihoodLoss | n c x..., n x..., c? -> | norm:n,x fix:c
        SoftmaxCrossEntropyLoss | n c x..., n x..., c? -> n x..., n c x... | when:reduction=none:mean fix:c
        SoftmaxCrossEntropyLoss | n c x..., n x..., c? -> , n c x... | norm:n,x fix:c

        # random numbers
        RandomNormalLike | ... -> ... | draws:...
        RandomUniformLike | ... -> ... | draws:...
        Bernoulli | ... -> ... | draws:...
        Multinomial | b c -> b s | const:s=sample_size:1 draws:b fix:c
        """;
}
