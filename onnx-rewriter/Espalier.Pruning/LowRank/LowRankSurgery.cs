using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>Writes factors into the graph: a MatMul with the first in front of every node that read the weight, which then reads the second.</summary>
internal static class LowRankSurgery
{
    /// <summary>Replaces the weight.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="factors">The factors.</param>
    /// <param name="inputs">Inputs that are left.</param>
    /// <param name="outputs">Outputs that are left.</param>
    /// <returns>Names of both factors.</returns>
    public static (string Down, string Up) Apply(EditableGraph graph, LowRankFactors factors, int[] inputs, int[] outputs)
    {
        var (target, rank) = (factors.Target, factors.Rank);
        int dense = factors.Up.Length / rank;
        var (a, b) = (new float[inputs.Length * rank], new float[rank * outputs.Length]);
        for (int i = 0; i < inputs.Length; i++)
            for (int r = 0; r < rank; r++) a[target.IsLeft ? (r * inputs.Length) + i : (i * rank) + r] = factors.Down[(inputs[i] * rank) + r];
        for (int r = 0; r < rank; r++)
            for (int o = 0; o < outputs.Length; o++) b[target.Transposed ? (o * rank) + r : (r * outputs.Length) + o] = factors.Up[(r * dense) + outputs[o]];
        int scope = target.Readers[0].Node.Scope;
        string down = Add("_down", a, target.IsLeft ? [rank, inputs.Length] : [inputs.Length, rank]);
        string up = Add("_up", b, target.Transposed ? [outputs.Length, rank] : [rank, outputs.Length]);
        foreach (var reader in target.Readers)
        {
            var node = graph.Node(reader.Node.Ordinal);
            string activation = node.Input[1 - target.Operand], hidden = graph.FreshName($"{node.Output[0]}_rank");
            graph.InsertBefore(reader.Node.Ordinal, EditableGraph.NewNode("MatMul", hidden + "_MatMul", hidden, target.IsLeft ? [down, activation] : [activation, down]));
            (node.Input[target.Operand], node.Input[1 - target.Operand]) = (up, hidden);
        }
        return (down, up);

        string Add(string suffix, float[] values, long[] dims)
        {
            string name = graph.FreshName(target.Weight + suffix);
            graph.AddInitializer(scope, graph.Analysis.Model.NewTensor(name, target.Type, dims, TensorContent.FromFloats(target.Type, values)));
            return name;
        }
    }
}

/// <summary>Reads factors back from a slim model, for the second side of the oracle: the dense model with the products of the factors in the places of the weights.</summary>
public static class FactoredOracle
{
    /// <summary>Both sides, as changes of the dense model's weights.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="report">What slimming did.</param>
    /// <param name="slim">The slim model, which has the factors.</param>
    /// <returns>The factors themselves, and their products; both change nothing where nothing was factored.</returns>
    /// <exception cref="EspalierException">The report does not fit the models.</exception>
    public static (WeightEdits Factors, WeightEdits Products) Of(AxisAnalysis analysis, PruningReport report, OnnxModel slim)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (report.Factored.Count == 0) return (WeightEdits.Nothing, WeightEdits.Nothing);
        var weights = new WeightTable(analysis);
        var tensors = slim.Proto.Graph.WithSubgraphs().SelectMany(g => g.Initializer).GroupBy(t => t.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        var all = new List<LowRankFactors>();
        foreach (var factored in report.Factored)
        {
            if (FactorableWeight.Of(analysis, weights, factored.Weight).Weight is not { } target || !tensors.TryGetValue(factored.Down, out var first) || !tensors.TryGetValue(factored.Up, out var second))
                throw new EspalierException($"The report says that '{factored.Weight}' became '{factored.Down}' and '{factored.Up}', but the models do not have them. Was it written for these models?");
            var terms = analysis.TermsOf(factored.Weight)!;
            int[] Left(int axis) => report.Removed.GetValueOrDefault(factored.Weight)?.GetValueOrDefault(axis.ToString(System.Globalization.CultureInfo.InvariantCulture)) is { } gone
                ? [.. Enumerable.Range(0, (int)terms[axis].Size!.Value).Except(gone)] : [.. Enumerable.Range(0, (int)terms[axis].Size!.Value)];
            int[] inputs = Left(target.Readers[0].ParameterAxis), outputs = Left(target.Readers[0].OutputAxis);
            float[] down = slim.Content(first).ToFloats(), up = slim.Content(second).ToFloats();
            if (down.Length != inputs.Length * factored.Rank || up.Length != factored.Rank * outputs.Length)
                throw new EspalierException($"'{factored.Down}' and '{factored.Up}' have not the shapes that the report gives. Was it written for these models?");
            if (target.IsLeft) down = Transposed(down, factored.Rank, inputs.Length);
            if (target.Transposed) up = Transposed(up, outputs.Length, factored.Rank);
            all.Add(LowRank.Dense(analysis, target, factored.Rank, down, up, inputs, outputs));
        }
        return (WeightEdits.Nothing with { Factors = all }, WeightEdits.Nothing with { Weights = all.ToDictionary(f => f.Target.Weight, f => LowRank.Product(analysis, f)) });
    }

    private static float[] Transposed(float[] matrix, int rows, int columns)
    {
        var turned = new float[matrix.Length];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) turned[(j * rows) + i] = matrix[(i * columns) + j];
        return turned;
    }
}
