namespace Espalier.Calibration.Graph;

/// <summary>A site's names in the instrumented graph; r is a reference row that is subtracted from every row x.</summary>
internal sealed record SiteTap
{
    public required Site Site { get; init; }

    /// <summary>Input: r, one number per feature.</summary>
    public required string Reference { get; init; }

    /// <summary>Output: shape of the rows; all but the last axis are counted.</summary>
    public required string Rows { get; init; }

    /// <summary>Output: Σ(x−r) per feature.</summary>
    public required string Sum { get; init; }

    /// <summary>Output: Σ(x−r)² per feature; null where the Gram matrix has it on its diagonal.</summary>
    public required string? Squares { get; init; }

    /// <summary>Output: Σ(|x|−|r|) per feature.</summary>
    public required string Absolute { get; init; }

    /// <summary>Output: Σ(x−r)(x−r)ᵀ; null where it was not asked for.</summary>
    public required string? Gram { get; init; }
}
