namespace Espalier.Axes;

/// <summary>
/// What operators say of axes, one line each: <c>Operator | operands -> results | clauses</c>. Axes are einops-like names, products
/// <c>(g o)</c> are major first, <c>x...</c> is a run of axes, <c>...</c> broadcasts, <c>~</c> may broadcast to its pattern,
/// <c>?</c> may be absent, <c>*</c> is an operand that the rule does not describe (frozen). Several lines for one operator are
/// tried in order until operator set, attributes and ranks fit. The source of each is the ONNX operator specification
/// (https://onnx.ai/onnx/operators/) or ONNX Runtime's ContribOperators.md for com.microsoft.
/// </summary>
/// <remarks>
/// Clauses: <c>bind:attr=v</c> the attribute is |v|, re-derived; <c>const:v=attr</c> |v| is the attribute and stays;
/// <c>when:attr=value:default</c>, <c>since:n</c>, <c>until:n</c> when the line holds; <c>fix:v,…</c> positions are meaningful, so v is frozen;
/// <c>norm:v,…</c> a statistic runs over v: removal is inexact; <c>zero:rule[=operands]</c> see <see cref="ZeroRule"/>;
/// <c>contract:l,r[,bias]</c> a product of two operands; <c>sum:v=operands</c> v is summed and one of the operands must be zero at
/// removed units; <c>macs:v,…</c> multiply-accumulates; <c>geometry:conv|deconv|pool|global</c> sizes of the result's window axes;
/// <c>role:kind=v</c> what v is; <c>variadic</c> the last operand repeats.
/// </remarks>
internal static class OperatorTable
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
        Conv | n (g i) x..., (g o) i k..., (g o)? -> n (g o) y... | bind:group=g:1 geometry:conv contract:0,1,2 macs:n,g,o,i,k,y fix:x,k,y zero:contraction
        ConvTranspose | n (g i) x..., (g i) o k..., (g o)? -> n (g o) y... | bind:group=g:1 geometry:deconv contract:0,1,2 macs:n,g,o,i,k,x fix:x,k,y zero:contraction

        # recurrences: gates are blocks of h in W, R and B (4 for LSTM, 3 for GRU)
        LSTM | s b i, d (4 h) i, d (4 h) h, d (8 h)?, b?, d b h?, d b h?, d (3 h)? -> s d b h, d b h, d b h | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,4,h,i macs:s,b,d,4,h,h zero:all=1,2,3,5,6 fix:d,s
        GRU | s b i, d (3 h) i, d (3 h) h, d (6 h)?, b?, d b h? -> s d b h, d b h | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,3,h,i macs:s,b,d,3,h,h zero:all=1,2,3,5 fix:d,s
        RNN | s b i, d h i, d h h, d (2 h)?, b?, d b h? -> s d b h, d b h | when:layout=0 bind:hidden_size=h role:hidden=h sum:i=0,1 sum:h=2 macs:s,b,d,h,i macs:s,b,d,h,h zero:all=1,2,3,5 fix:d,s

        # normalisations
        BatchNormalization | n c x..., c, c, c, c -> n c x..., c, c, c, c | zero:affine=1,2
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

        # blocks of pixels
        DepthToSpace | n (r q c) h w -> n c (h r) (w q) | when:mode=DCR:DCR const:r=blocksize const:q=blocksize fix:h,w,r,q zero:first
        DepthToSpace | n (c r q) h w -> n c (h r) (w q) | when:mode=CRD:DCR const:r=blocksize const:q=blocksize fix:h,w,r,q zero:first
        SpaceToDepth | n c (h r) (w q) -> n (r q c) h w | const:r=blocksize const:q=blocksize fix:h,w,r,q zero:first

        # element by element, several operands
        Add | ..., ... -> ... | zero:all
        Sub | ..., ... -> ... | zero:all
        Mul | ..., ... -> ... | zero:any
        Div | ..., ... -> ... | zero:first
        Mod | ..., ... -> ... | zero:first
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
        Trilu | ... m n, *? -> ... m n | fix:m,n zero:first
        """;

    private const string Microsoft = """
        Attention | b s e, e (3 h d), (3 h d)?, *?, 2 b h p d?, *? -> b s (h d), 2 b h t d | when:qkv_hidden_sizes=: bind:num_heads=h role:heads=h sum:e=0,1 macs:b,s,e,3,h,d macs:b,h,s,s,d macs:b,h,s,s,d fix:d,p,t,s zero:all=1,2
        SkipLayerNormalization | ... e, ~ ... e, e, e?, e? -> ... e, *, *, ... e | norm:e role:stream=e
        SkipSimplifiedLayerNormalization | ... e, ~ ... e, e, e? -> ... e, *, *, ... e | norm:e role:stream=e
        EmbedLayerNormalization | b s, b s?, v e, p e, t e?, e, e, *?, *? -> b s e, b, b s e | norm:e fix:v,p,t role:stream=e
        FastGelu | ... e, e? -> ... e | zero:all
        BiasGelu | ... e, e -> ... e | zero:all
        Gelu | ... -> ... | zero:first
        QuickGelu | ... -> ... | zero:first
        FusedMatMul | ... m k, ... k n -> ... m n | when:transA=0 when:transB=0 when:transBatchA=0 when:transBatchB=0 contract:0,1 macs:...,m,k,n zero:contraction
        FusedMatMul | ... m k, ... n k -> ... m n | when:transA=0 when:transB=1 when:transBatchA=0 when:transBatchB=0 contract:0,1 macs:...,m,k,n zero:contraction
        """;

    /// <summary>Element-wise operators of one operand with f(0) = 0.</summary>
    private const string ZeroPreserving = """
        Abs Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Dropout Elu Erf Floor Gelu HardSwish Identity LeakyRelu Mish Neg Relu
        Round Selu Shrink Sign Sin Sinh Softsign Sqrt Swish Tan Tanh ThresholdedRelu Pow
        """;

    /// <summary>Element-wise operators of one operand with f(0) ≠ 0.</summary>
    private const string NotZeroPreserving = """
        Acos Acosh BitwiseNot Cos Cosh Exp HardSigmoid IsInf IsNaN Log Not Reciprocal Sigmoid Softplus
        """;

    private static readonly Lazy<ILookup<(string Domain, string Operator), OperatorRule>> Rules = new(() =>
    {
        var unary = ZeroPreserving.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries)
            .Select(n => $"{n} | ..., *?, *? -> ..., ... | zero:first")
            .Concat(NotZeroPreserving.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Select(n => $"{n} | ... -> ..."));
        return Lines(Standard).Concat(unary).Select(l => ("", OperatorRule.Parse(l)))
            .Concat(Lines(Microsoft).Select(l => ("com.microsoft", OperatorRule.Parse(l))))
            .ToLookup(r => (r.Item1, r.Item2.Operator), r => r.Item2);

        static IEnumerable<string> Lines(string text)
            => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(l => !l.StartsWith('#'));
    });

    /// <summary>The lines for an operator, in order.</summary>
    public static IEnumerable<OperatorRule> Find(string domain, string op) => Rules.Value[(domain == "ai.onnx" ? "" : domain, op)];
}
