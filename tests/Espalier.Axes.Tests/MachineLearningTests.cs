using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Pruning;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Networks in pipelines of ai.onnx.ml: no shapes are inferred there, and no file has to say them.</summary>
public sealed class MachineLearningTests
{
    private const string Ml = "ai.onnx.ml::";

    [Theory]
    [InlineData("L1")]
    [InlineData("L2")]
    public void What_is_behind_a_scaler_and_a_normalizer_is_found_without_shapes_in_the_file(string norm)
    {
        var g = new GraphBuilder(5);
        var x = g.Node(Ml + "Scaler", g.Input("x", "batch", 8), ("offset", Numbers(8)), ("scale", Numbers(8)));
        x = g.Node(Ml + "Normalizer", g.Relu(g.Linear(x, "w1", 8, 32)), ("norm", norm));
        x = g.Relu(g.Linear(x, "w2", 32, 64));
        g.Output(g.Linear(x, "w3", 64, 4));
        var check = RuleCheck.On(g).Group("w1.weight", 1, 32, Axis.Neurons, ("w2.weight", 0))
            .Group("w2.weight", 1, 64, Axis.Neurons, ("w3.weight", 0))
            .Frozen("w1.weight", 0, "coefficients are attributes");
        check.IsExact();
        Assert.Equal((8 * 32) + (32 * 64) + (64 * 4), check.Analysis.Cost.Evaluate(CostUnit.Macs));

        var (slim, report) = Slimmer.Run(new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Neurons }],
            Budget = new Budget(Macs: 0.6)
        }, check.Analysis);
        Assert.InRange((double)report.After.Macs / report.Before.Macs, 0.5, 0.6);
        Assert.Equal(report.After.Macs, AxisAnalysis.Run(slim).Cost.Evaluate(CostUnit.Macs));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_classifier_that_ends_in_labels_and_maps_is_pruned(bool text)
    {
        var g = new GraphBuilder(5);
        var y = g.Softmax(g.Linear(g.Relu(g.Linear(g.Input("x", "batch", 6), "w1", 6, 16)), "w2", 16, 3));
        (string, object) keys = text ? ("classlabels_strings", new[] { "ant", "bee", "cat" })
            : ("classlabels_int64s", new long[] { 10, 11, 12 });
        g.MapsOutput(g.Rename(g.Node(Ml + "ZipMap", y, keys), "probabilities"), text ? DataType.String : DataType.Int64);
        var label = g.Node(Ml + "ArrayFeatureExtractor", [g.Longs("classes", 10, 11, 12), g.Node("ArgMax", y, ("axis", 1))]);
        label = g.Reshape(label, -1);
        if (text) label = g.Import("ai.onnx.ml", 2).Node(Ml + "LabelEncoder", label, ("keys_int64s", new long[] { 10, 11, 12 }),
            ("values_strings", new[] { "ant", "bee", "cat" }));
        g.Output(g.Rename(label, "label"), text ? DataType.String : DataType.Int64);
        RuleCheck.On(g).Group("w1.weight", 1, 16, Axis.Neurons, ("w2.weight", 0))
            .Frozen("w2.weight", 1, "a sequence of maps has no axes").IsExact();
    }

    /// <summary>Weights in attributes are multiplied as others are.</summary>
    [Theory]
    [InlineData("LinearRegressor", 0, 2 * 8 * 3)]
    [InlineData("LinearClassifier", 0, 2 * 8 * 3)]
    [InlineData("SVMRegressor", 0, 2 * 8)]
    [InlineData("SVMRegressor", 5, 2 * 5 * (8 + 1))]
    [InlineData("SVMClassifier", 0, 2 * 8 * 3)]
    [InlineData("SVMClassifier", 4, 2 * 12 * (8 + 2))]
    [InlineData("Normalizer", 0, 0)]
    public void Multiplications_with_weights_in_attributes_are_counted(string op, int vectors, int expected)
    {
        var g = new GraphBuilder(5);
        (string, object)[] attributes = op switch
        {
            "LinearRegressor" => [("targets", 3), ("coefficients", Numbers(24))],
            "LinearClassifier" => [("coefficients", Numbers(24)), ("intercepts", Numbers(3)), ("classlabels_ints", new long[] { 0, 1, 2 })],
            "SVMRegressor" => [("n_supports", vectors), ("coefficients", Numbers(8))],
            "SVMClassifier" => [("vectors_per_class", vectors == 0 ? Array.Empty<long>() : [vectors, vectors, vectors]),
                ("classlabels_ints", new long[] { 0, 1, 2 })],
            _ => [],
        };
        g.Nodes(Ml + op, op.EndsWith("Classifier", StringComparison.Ordinal) ? 2 : 1, [g.Input("x", 2, 8)], attributes);
        Assert.Equal(expected, AxisAnalysis.Run(g.Build()).Cost.Evaluate(CostUnit.Macs));
    }

    private static float[] Numbers(int count) => [.. Enumerable.Range(1, count).Select(k => k / (float)count)];
}
