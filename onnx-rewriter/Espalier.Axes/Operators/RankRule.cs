namespace Espalier.Axes.Operators;

/// <summary>How the rank of the first operand and those of the results hang together, for rules in code.</summary>
internal enum RankRule
{
    /// <summary>Nothing is said.</summary>
    None,
    /// <summary>They are equal.</summary>
    Same,
    /// <summary>All operands and results have one rank.</summary>
    AllSame,
    /// <summary>A permutation has an entry for every axis.</summary>
    Listed,
    /// <summary>The result has two axes.</summary>
    Matrix,
    /// <summary>As many axes more as are listed.</summary>
    More,
    /// <summary>As many axes fewer as are listed.</summary>
    Fewer,
    /// <summary>Equal where reduced axes are kept.</summary>
    Reduced,
    /// <summary>The axes of the indices take the place of one.</summary>
    Gathered,
}
