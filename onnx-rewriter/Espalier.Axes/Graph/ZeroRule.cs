namespace Espalier.Axes.Graph;

/// <summary>How an operator treats zeros, for the theorem that removal equals masking.</summary>
internal enum ZeroRule
{
    /// <summary>The output is not zero where the inputs are.</summary>
    Never,
    /// <summary>f(0) = 0 of the first operand; the others do not matter (Relu, Transpose, Div).</summary>
    First,
    /// <summary>Zero where every operand is (Add).</summary>
    All,
    /// <summary>Every operand has positions of its own: zero where each that has the unit is (Concat).</summary>
    Parts,
    /// <summary>Zero where one operand is (Mul, MatMul).</summary>
    Any,
    /// <summary>Zero where the second operand and the third, if there is one, are (scale and bias of a normalisation).</summary>
    Affine,
    /// <summary>Zero where one of the two operands of the product and its bias, if there is one, are.</summary>
    Contraction,
    /// <summary>
    /// A product with a packed weight: zero where the first operand or the weight's scales (third), and the bias, if there is one, are.
    /// </summary>
    Scaled,
}
