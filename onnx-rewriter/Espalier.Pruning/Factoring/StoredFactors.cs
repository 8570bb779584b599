using System.Globalization;
using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Factoring;

/// <summary>
/// Reads the factors of a slim model back, so that surgery can put the same ones into a model without compensation, which is then judged.
/// </summary>
internal static class StoredFactors
{
    /// <summary>The factors, as changes of the dense model's weights.</summary>
    /// <param name="slim">The slim model, which has the factors.</param>
    /// <returns>Nothing where nothing was factored.</returns>
    /// <exception cref="EspalierException">The report does not fit the models.</exception>
    public static WeightEdits Read(AxisAnalysis analysis, PruningReport report, OnnxModel slim)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (report.Factored.Count == 0) return WeightEdits.Nothing;
        var weights = new WeightTable(analysis);
        var tensors = slim.Proto.Graph.WithSubgraphs().SelectMany(g => g.Initializer).GroupBy(t => t.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        var all = new List<LowRankFactors>();
        foreach (var factored in report.Factored)
        {
            if (FactorableWeight.Find(analysis, weights, factored.Weight).Weight is not { } target
                || !tensors.TryGetValue(factored.Down, out var first) || !tensors.TryGetValue(factored.Up, out var second))
                throw new EspalierException($"The report says that '{factored.Weight}' became '{factored.Down}' and '{factored.Up}', "
                    + "but the models do not have them. Was it written for these models?");
            int[] inputs = Left(target.Consumers[0].ParameterAxis), outputs = Left(target.Consumers[0].OutputAxis);
            float[] down = slim.Content(first).ToFloats(), up = slim.Content(second).ToFloats();
            inputs = target.Features(inputs);
            if (down.Length != inputs.Length * factored.Rank || up.Length != factored.Rank * outputs.Length)
                throw new EspalierException($"'{factored.Down}' and '{factored.Up}' have not the shapes that the report gives. "
                    + "Was it written for these models?");
            if (target.RanksFirst) down = Transposed(down, factored.Rank, inputs.Length);
            if (target.Transposed) up = Transposed(up, outputs.Length, factored.Rank);
            all.Add(LowRank.Dense(analysis, target, factored.Rank, down, up, (inputs, outputs)));

            int[] Left(int axis)
            {
                var whole = Enumerable.Range(0, (int)analysis.TermsOf(factored.Weight)![axis].Size!.Value);
                string key = axis.ToString(CultureInfo.InvariantCulture);
                var gone = report.Removed.GetValueOrDefault(factored.Weight)?.GetValueOrDefault(key);
                return gone is null ? [.. whole] : [.. whole.Except(gone)];
            }
        }
        return WeightEdits.Nothing with { Factors = all };
    }

    private static float[] Transposed(float[] matrix, int rows, int columns)
    {
        var turned = new float[matrix.Length];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) turned[(j * rows) + i] = matrix[(i * columns) + j];
        return turned;
    }
}
