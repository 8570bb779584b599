using System.Runtime.CompilerServices;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Weights;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.TestKit.Oracle;

/// <summary>A report's figures beside those of the files, which <see cref="FileCounter"/> counts.</summary>
/// <param name="Said">What the report says of the dense and of the slim file.</param>
/// <param name="Counted">What they hold.</param>
/// <param name="Uncounted">
/// Branches that do not run on these inputs, and operators of which the inference does not know it: then multiply-accumulates cannot be
/// compared.
/// </param>
internal sealed record FigurePair((ModelCost Before, ModelCost After) Said,
    (FileFigures Before, FileFigures After) Counted, IReadOnlyList<string> Uncounted)
{
    /// <summary>Whether all six agree; of multiply-accumulates only where all could be counted.</summary>
    public bool Agree => Equal(Said.Before, Counted.Before) && Equal(Said.After, Counted.After);

    private bool Equal(ModelCost said, FileFigures counted)
        => said.Parameters == counted.Parameters && said.Bytes == counted.Bytes && (said.Macs == counted.Macs || Uncounted.Count > 0);

    /// <summary>A row of a table.</summary>
    public override string ToString()
    {
        return string.Join(" | ", Pair(Said.Before.Parameters, Counted.Before.Parameters),
            Pair(Said.After.Parameters, Counted.After.Parameters),
            Pair(Said.Before.Macs, Counted.Before.Macs), Pair(Said.After.Macs, Counted.After.Macs),
                Pair(Said.Before.Bytes, Counted.Before.Bytes), Pair(Said.After.Bytes, Counted.After.Bytes))
            + string.Concat(Uncounted.Select(u => $" | {u}"));

        static string Pair(long said, long counted)
            => said == counted ? FormattableString.Invariant($"{said}") : FormattableString.Invariant($"**{said}** ≠ {counted}");
    }
}

/// <summary>The promise that a report's figures are those of the written file, for every case of the suite.</summary>
internal static class Figures
{
    private static readonly ConditionalWeakTable<OnnxModel, Dictionary<string, FileFigures>> Dense = [];

    /// <summary>Compares what a report would say of a slim model with what its file holds; a difference is an assertion failure.</summary>
    /// <param name="analysis">The dense model's axes.</param>
    /// <param name="selection">What was kept.</param>
    /// <param name="slim">What surgery made.</param>
    /// <param name="sizes">Sizes of dynamic dimensions.</param>
    public static void Check(AxisAnalysis analysis, Selection selection, SlimModel slim, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var known = SeededInputs.Sizes(analysis.File, sizes);
        // Costs are stated at the sizes with which the model runs.
        var sized = AxisAnalysis.Run(analysis.File, analysis.Options with { Dimensions = known });
        var report = ReportBuilder.Build(new PruningPlan(), sized, selection, slim, WeightEdits.Nothing, []);
        var pair = Compare(sized.File, slim.Model, report, known);
        pair = pair with { Uncounted = [.. pair.Uncounted, .. sized.Cost.UnknownMacs] };
        Assert.True(pair.Agree, $"the report does not say what the files hold: parameters, MACs and bytes before and after: {pair}\n"
            + Differing(sized, pair.Counted.Before) + SlimOracle.Describe(analysis, selection));
        Polynomial(sized, pair.Said.Before);
        Account(sized, pair.Counted.Before.Parameters);
    }

    /// <summary>What a report says and what the files hold.</summary>
    /// <param name="dense">The dense model.</param>
    /// <param name="slim">The slim one.</param>
    /// <param name="report">The report.</param>
    /// <param name="sizes">Sizes of all dynamic dimensions: those of the report.</param>
    /// <param name="path">Where the dense model was opened; null to write it.</param>
    public static FigurePair Compare(OnnxModel dense, OnnxModel slim,
        PruningReport report, IReadOnlyDictionary<string, long> sizes, string? path = null)
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Directory.CreateDirectory(folder);
        try
        {
            var before = Count(dense, sizes, () => path ?? Write(dense, Path.Combine(folder, "dense")));
            // The name of the file is part of what tensors in the one beside it state.
            var after = FileCounter.Count(Write(slim, Path.Combine(folder, "slim")), Inputs(slim, sizes));
            return new((report.Before, report.After), (before, after), [.. before.Uncounted.Concat(after.Uncounted).Distinct()]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static FileFigures Count(OnnxModel dense, IReadOnlyDictionary<string, long> sizes, Func<string> write)
    {
        var known = Dense.GetOrCreateValue(dense);
        string key = string.Join(',', sizes.OrderBy(s => s.Key, StringComparer.Ordinal));
        return known.TryGetValue(key, out var there) ? there
            : known[key] = FileCounter.Count(write(), Inputs(dense, sizes));
    }

    private static Func<IReadOnlyDictionary<string, OrtValue>> Inputs(OnnxModel model, IReadOnlyDictionary<string, long> sizes)
        => () => SeededInputs.For(model, 1, sizes);

    private static string Write(OnnxModel model, string folder)
    {
        string path = Path.Combine(folder, Path.GetFileName(model.Path) ?? "model.onnx");
        Directory.CreateDirectory(folder);
        model.Save(path);
        return path;
    }

    /// <summary>Operators of which the dense model's cost is another than what was counted, for a failing test.</summary>
    public static string Differing(AxisAnalysis analysis, FileFigures counted)
        => string.Concat(analysis.Nodes
            .Select(n => (Node: n, Said: analysis.CostOf(o => o.Ordinal == n.Ordinal).Evaluate(CostUnit.Macs),
                Counted: counted.ByNode.GetValueOrDefault(n.Proto.Output.FirstOrDefault() ?? "")))
            .Where(n => n.Said != n.Counted).Take(12)
                .Select(n => FormattableString.Invariant($"  {n.Node}: {n.Said} MACs said, {n.Counted} counted\n")));

    /// <summary>
    /// Plans are priced by the polynomial, which says of the whole model what the report says; bodies of functions are in it once for
    /// every call.
    /// </summary>
    private static void Polynomial(AxisAnalysis analysis, ModelCost before)
    {
        Assert.Equal(before.Bytes, analysis.Cost.Evaluate(CostUnit.Bytes), 1e-6);
        Assert.Equal(before.Macs, analysis.Cost.Evaluate(CostUnit.Macs), 1e-9 * (1 + before.Macs));
        if (analysis.File == analysis.Model) Assert.Equal(before.Parameters, analysis.Cost.Evaluate(CostUnit.Parameters), 1e-6);
    }

    /// <summary>Every weight is in exactly one class, and together they are what the file holds.</summary>
    private static void Account(AxisAnalysis analysis, long parameters)
    {
        Assert.Equal(parameters, analysis.Weights.Sum(w => w.Elements));
        var removable = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen)
            .SelectMany(g => g.Occurrences.Select(o => (Tensor: analysis.NameInFile(o.Tensor), g.Id))).ToLookup(o => o.Tensor, o => o.Id);
        foreach (var weight in analysis.Weights)
        {
            Assert.Equal(removable[weight.Tensor].Distinct().Order(), weight.Groups);
            Assert.Equal(weight.Groups.Length > 0, weight.Standing == WeightStanding.Grouped);
            Assert.Equal(weight.Standing == WeightStanding.Grouped, string.IsNullOrEmpty(weight.Reason));
        }
    }
}
