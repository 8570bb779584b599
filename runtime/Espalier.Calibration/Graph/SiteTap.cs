using Espalier.Calibration.Windows;

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

    /// <summary>Output: Σ(x−r)² per feature.</summary>
    public required string Squares { get; init; }

    /// <summary>Output: Σ(|x|−|r|) per feature.</summary>
    public required string Absolute { get; init; }
}

/// <summary>Names of what gives the rows of a site.</summary>
/// <param name="Rows">Output [rows, features], or [batch, rows, features] for stacked weights and groups that are kept apart.</param>
/// <param name="Positions">Inputs that say which elements of each axis of the padded map are taken; empty for all.</param>
internal sealed record RowTap(Site Site, string Rows, IReadOnlyList<string> Positions)
{
    /// <summary>The positions of a batch, as the graph takes them.</summary>
    public IEnumerable<NamedTensor> Inputs(int batch) => Positions.Select((name, axis) =>
    {
        long[] elements = Site.Window!.Sampling!.Elements(axis, batch, Site.Window.Kernel[axis]);
        return new NamedTensor(name, "int64", [elements.Length], elements);
    });
}

/// <summary>Names of what gives the rows of an output, beside those of the input.</summary>
/// <param name="Positions">Inputs that say which positions of each axis are taken; empty for all.</param>
internal sealed record OutputTap(string Rows, IReadOnlyList<string> Positions, Sampling? Sampling)
{
    public IEnumerable<NamedTensor> Inputs(int batch) => Positions.Select((name, axis) =>
    {
        long[] positions = Sampling!.Positions(axis, batch);
        return new NamedTensor(name, "int64", [positions.Length], positions);
    });
}
