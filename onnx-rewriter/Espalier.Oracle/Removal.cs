global using Slices = System.Collections.Generic.IReadOnlyDictionary<string, System.Collections.Generic.IReadOnlyDictionary<int, int[]>>;
using System.Globalization;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Oracle;

/// <summary>What went from a model, in names and indices of its file: all that the judge is told.</summary>
internal sealed record Removal
{
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

    public bool IsEmpty => Slices.Count + Bypassed.Count + Renamed.Count + Factored.Count == 0;

    /// <summary>What a report says.</summary>
    /// <param name="dense">The model that it was written for.</param>
    /// <exception cref="EspalierException">An axis is no number, or the report does not say how its blocks are skipped.</exception>
    public static Removal From(PruningReport report, OnnxModel dense)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(dense);
        if (report.Blocks.Count > 0 && report.Bypassed.Count == 0)
            throw new EspalierException($"The report says that '{report.Blocks[0]}' was removed, but not from which tensor to which "
                + "('bypassed'), so nothing can be judged by it. Slim the model again with this version.");
        return new()
        {
            Slices = SlicesOf(report, dense),
            Bypassed = report.Bypassed,
            Renamed = report.Renamed,
            Factored = [.. report.Factored.Select(f => (f.Weight, f.Down, f.Up))],
        };
    }

    private static Dictionary<string, IReadOnlyDictionary<int, int[]>> SlicesOf(PruningReport report, OnnxModel dense)
    {
        // Inputs and outputs go by the names of the slim model.
        var names = report.Renamed.Where(r => r.Slim is not null).ToDictionary(r => r.Dense, r => r.Slim!, StringComparer.Ordinal);
        var slices = report.Removed.ToDictionary(t => names.GetValueOrDefault(t.Key, t.Key), t => ByAxis(t.Key, t.Value),
            StringComparer.Ordinal);
        if (report.Copies.Count == 0) return slices;
        var inlined = FunctionInliner.Inline(dense, out var origins);
        var makers = inlined.Proto.Graph.WithSubgraphs().SelectMany(g => g.Node).Where(n => n.Output.Count > 0)
            .GroupBy(n => n.Output[0], StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        foreach (var copy in report.Copies)
        {
            // What came with the body of a function has its own name once the call is inlined.
            if (copy.Readers.Count == 0) slices[copy.Name] = ByAxis(copy.Name, copy.Removed);
            foreach (string reader in copy.Readers)
            {
                string tensor = makers.GetValueOrDefault(reader)?.Input.FirstOrDefault(i => origins.GetValueOrDefault(i, i) == copy.Tensor)
                    ?? throw new EspalierException(
                        $"The model has no operator that makes '{reader}' from '{copy.Tensor}'. Was the report written for this model?");
                slices[$"{tensor} -> {reader}"] = ByAxis(copy.Name, copy.Removed);
            }
        }
        return slices;
    }

    private static IReadOnlyDictionary<int, int[]> ByAxis(string tensor, IReadOnlyDictionary<string, IReadOnlyList<int>> axes)
        => axes.ToDictionary(
        a => int.TryParse(a.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int axis) ? axis
            : throw new EspalierException($"The report names axis '{a.Key}' of '{tensor}', which is no number."),
        a => a.Value.ToArray());
}
