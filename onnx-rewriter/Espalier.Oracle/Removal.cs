global using Slices = System.Collections.Generic.IReadOnlyDictionary<string, System.Collections.Generic.IReadOnlyDictionary<int, int[]>>;
using System.Globalization;

namespace Espalier.Oracle;

/// <summary>What went from a model, in names and indices of its file: all that the judge is told.</summary>
public sealed record Removal
{
    /// <summary>Nothing.</summary>
    public static Slices NoSlices { get; } = new Dictionary<string, IReadOnlyDictionary<int, int[]>>();

    /// <summary>
    /// Per tensor (an initializer, the output of a node without activations such as Constant or ConstantOfShape, or by its slim name an
    /// input or output of the graph): axis → removed indices. An element is masked when any of its indices is removed. A shared vector of
    /// which one reader alone lost units has the key <c>vector -> first output of the reader</c>.
    /// </summary>
    public Slices Slices { get; init; } = NoSlices;

    /// <summary>Sublayers that are skipped, in graph order.</summary>
    public IReadOnlyList<BlockBypass> Bypassed { get; init; } = [];

    /// <summary>Inputs and outputs of the graph that have another name, or none.</summary>
    public IReadOnlyList<InterfaceName> Renamed { get; init; } = [];

    /// <summary>Weights that became products of two, with the names of the factors in the slim model.</summary>
    public IReadOnlyList<(string Weight, string Down, string Up)> Factored { get; init; } = [];

    /// <summary>Whether nothing went.</summary>
    public bool IsEmpty => Slices.Count + Bypassed.Count + Renamed.Count + Factored.Count == 0;

    /// <summary>What a report says.</summary>
    /// <exception cref="EspalierException">An axis is no number, or the report does not say how its blocks are skipped.</exception>
    public static Removal Of(PruningReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (report.Blocks.Count > 0 && report.Bypassed.Count == 0)
            throw new EspalierException($"The report says that '{report.Blocks[0]}' was removed, but not from which tensor to which "
                + "('bypassed'), so nothing can be judged by it. Slim the model again with this version.");
        return new()
        {
            Slices = report.Removed.ToDictionary(t => t.Key, t => (IReadOnlyDictionary<int, int[]>)t.Value.ToDictionary(
                a => int.TryParse(a.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int axis) ? axis
                    : throw new EspalierException($"The report names axis '{a.Key}' of '{t.Key}', which is no number."),
                a => a.Value.ToArray()), StringComparer.Ordinal),
            Bypassed = report.Bypassed,
            Renamed = report.Renamed,
            Factored = [.. report.Factored.Select(f => (f.Weight, f.Down, f.Up))],
        };
    }
}
