using Espalier.Gradients.Rules;
using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Fused;

/// <summary>Rules for operators of com.microsoft: most as the plain operators that they stand for.</summary>
internal static class MicrosoftRules
{
    private const string Domain = "com.microsoft";

    public static readonly (string Domain, string Operators, Action<GradientContext> Rule, string Text)[] All =
    [
        (Domain, "ExpandDims", ShapeRules.Reshaped, "the operand's shape again"),
        (Domain, "Trilu", ShapeRules.Trilu, "the same triangle"),
        (Domain, "Pad", ShapeRules.Pad, "the middle of the gradient"),
        (Domain, "GatherND", IndexRules.GatherND, "elements go where they were read, and add up"),
        (Domain, "BiasGelu FastGelu", Expansion.By(FusedActivations.BiasGelu), "as Gelu of a sum"),
        (Domain, "FusedMatMul TransposeMatMul", Expansion.By(FusedProducts.MatMul), "as Transpose and MatMul"),
        (Domain, "FusedGemm", Expansion.By(FusedProducts.Gemm), "as Gemm and an activation"),
        (Domain, "FusedConv", Expansion.By(FusedProducts.Conv), "as Conv, a sum and an activation"),
        (Domain, "ConvTransposeWithDynamicPads", Expansion.By(FusedProducts.ConvTranspose), "as ConvTranspose with pads that are known"),
        (Domain, "CausalConvWithState", Expansion.By(FusedProducts.CausalConv), "as Concat, a depthwise Conv and an activation"),
        (Domain, "CDist", Expansion.By(FusedProducts.Distances), "as sums of squared differences"),
        (Domain, "MatMulNBits", Expansion.By(FusedProducts.BlockQuantized), "as MatMul with the weight that the blocks stand for"),
        (Domain, "SkipLayerNormalization SkipSimplifiedLayerNormalization", Expansion.By(FusedNorms.Skip), "as sums and a normalisation"),
        (Domain, "EmbedLayerNormalization", Expansion.By(FusedNorms.Embed), "as Gather, sums and LayerNormalization"),
        (Domain, "GatedRMSNorm", Expansion.By(FusedNorms.Gated), "as a normalisation of each head times SiLU of the gate"),
        (Domain, "Inverse", FusedProducts.Inverse, "products with the inverse, transposed, on both sides"),
        (Domain, "UnfoldTensor", Expansion.By(FusedPositions.Unfold), "as Gather of the windows"),
        (Domain, "RotaryEmbedding", Expansion.By(FusedPositions.Rotary), "as products with the cosines and sines at the positions"),
        (Domain, "Attention", Expansion.By(FusedAttention.Projected), "as MatMul, Softmax and MatMul"),
        (Domain, "MultiHeadAttention", Expansion.By(FusedAttention.MultiHead), "as MatMul, Softmax and MatMul"),
        (Domain, "GroupQueryAttention", Expansion.By(FusedAttention.Grouped), "as MatMul, Softmax and MatMul, keys and values repeated"),
    ];
}
