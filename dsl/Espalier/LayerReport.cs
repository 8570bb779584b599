namespace Espalier;

/// <summary>One operator that multiplies, dense and slim. An operator that costs nothing but moves or adds numbers is none.</summary>
public sealed record LayerReport
{
    /// <summary>Name of the operator in the dense model; that of its first output where it has none.</summary>
    public string Node { get; init; } = "";

    /// <summary>What it is, such as <c>Conv</c>.</summary>
    public string Operator { get; init; } = "";

    /// <summary>The smallest removable sublayer or block that it is in; empty where it is in none.</summary>
    public string Block { get; init; } = "";

    /// <summary>Name of the weight that it multiplies with; empty where it has none, as products of two activations.</summary>
    public string Weight { get; init; } = "";

    /// <summary>Length of the weight's axis that becomes the outputs, in the dense model; 0 without a weight.</summary>
    public int Units { get; init; }

    /// <summary>The same in the slim model; 0 where the operator went with its block.</summary>
    public int Kept { get; init; }

    /// <summary>Groups whose units lie on that axis, the outer first: heads, then the dimensions of each.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>Columns between the two factors that the weight became; null where it is one weight.</summary>
    public int? Rank { get; init; }

    /// <summary>Elements of the weight in the dense model.</summary>
    public long ParametersBefore { get; init; }

    /// <summary>Elements that are left of it, of both factors where it became two.</summary>
    public long ParametersAfter { get; init; }

    /// <summary>Multiply-accumulates of one run of the dense model.</summary>
    public long MacsBefore { get; init; }

    /// <summary>Multiply-accumulates of one run of the slim model.</summary>
    public long MacsAfter { get; init; }
}
