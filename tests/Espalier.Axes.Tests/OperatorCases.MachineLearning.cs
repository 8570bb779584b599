using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// ai.onnx.ml: pipelines in front of networks and behind them.
internal static partial class OperatorCases
{
    private const string Ml = "ai.onnx.ml::", Held = "coefficients are attributes";

    /// <summary>The features that an operator holds coefficients for stay; what makes them can go.</summary>
    private static OperatorCase HoldsFeatures(this OperatorCase added)
        => added.Group("h.weight", 1, 10, ("a.weight", 0)).Frozen("a.weight", 1, Held);

    /// <summary>Rows of features behind a layer <c>h</c> that can be pruned.</summary>
    private static string Features(this GraphBuilder g) => g.Linear(g.Relu(g.Linear(g.Input("x", 2, 6), "h", 6, 10)), "a", 10, Width);

    /// <summary>The same as a vector.</summary>
    private static string OneRow(this GraphBuilder g) => g.Linear(g.Relu(g.Linear(g.Input("x", 6), "h", 6, 10)), "a", 10, Width);

    /// <summary>A layer of 7 behind the scores, of which every unit can go; none is dead, as one of Relu could be.</summary>
    private static void EndScores(this GraphBuilder g, string scores, int count)
        => g.Output(g.Linear(g.Node("Tanh", g.Linear(scores, "b", count, 7)), "c", 7, 3));

    private static OperatorCase ScoresAreCounted(this OperatorCase added, string reason)
        => added.Frozen("b.weight", 0, reason).Group("b.weight", 1, 7, ("c.weight", 0));

    private static float[] Coefficients(int count) => [.. Enumerable.Range(0, count).Select(k => ((k * 7 % 11) - 5) / 8f)];

    private static void MachineLearning(List<OperatorCase> cases)
    {
        cases.Of(Ml + "Binarizer", 17, g => g.EndRows(g.Node(Ml + "Binarizer", g.Rows(), ("threshold", 0.1f)), zero: true)).Passes();
        cases.Of(Ml + "Binarizer", 17, g => g.EndRows(g.Node(Ml + "Binarizer", g.Rows(), ("threshold", -0.1f)), zero: true), "below 0")
            .Inexact("a.weight", 1, Width, "ReduceSum");
        foreach (string norm in (string[])["L1", "L2"])
        {
            cases.Of(Ml + "Normalizer", 17, g => g.EndRows(g.Node(Ml + "Normalizer", g.Rows(), ("norm", norm)), zero: true), norm).Passes();
            cases.Of(Ml + "Normalizer", 17, g => g.EndRows(g.Node(Ml + "Normalizer", g.Sigmoid(g.Rows()), ("norm", norm))),
                norm + " not zero").Inexact("a.weight", 1, Width, "Normalizer");
            cases.Of(Ml + "Normalizer", 17, g => g.EndRows(g.Node(Ml + "Normalizer", g.Linear(g.Input("x", 6), "a", 6, Width),
                ("norm", norm)), zero: true), norm + " one row").Passes();
        }
        cases.Of(Ml + "Normalizer", 17, g => g.EndRows(g.Node(Ml + "Normalizer", g.Rows())), "by default")
            .Inexact("a.weight", 1, Width, "statistic");
        cases.Of(Ml + "Normalizer", 17, g => g.EndRows(g.Node(Ml + "Normalizer", g.Linear(g.Input("x", 6), "a", 6, Width),
            ("norm", "MAX"))), "MAX one row").Inexact("a.weight", 1, Width, "statistic");
        Coefficients(cases);
        Categories(cases);
        Extractors(cases);
        LinearModels(cases);
        VectorMachines(cases);
        Trees(cases);
    }

    private static void Coefficients(List<OperatorCase> cases)
    {
        (string, object)[] same = [("offset", new[] { 0f }), ("scale", new[] { 1.5f })];
        (string, object)[] each = [("offset", Coefficients(Width)), ("scale", Coefficients(Width))];
        cases.Of(Ml + "Scaler", 17, g => g.EndRows(g.Node(Ml + "Scaler", [g.Rows()], same), zero: true)).Passes();
        cases.Of(Ml + "Scaler", 17, g => g.End(g.Node(Ml + "Scaler", [g.Image()], same), zero: true), "of an image").PassesChannels();
        cases.Of(Ml + "Scaler", 17, g => g.EndRows(g.Node(Ml + "Scaler", [g.Rows()], ("offset", new[] { 0.5f }),
            ("scale", new[] { 1.5f }))), "with an offset").Passes();
        cases.Of(Ml + "Scaler", 17, g => g.EndRows(g.Node(Ml + "Scaler", [g.Rows()], ("offset", new[] { 0.5f }),
            ("scale", new[] { 1.5f })), zero: true), "with an offset, not zero").Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of(Ml + "Scaler", 17, g => g.EndRows(g.Node(Ml + "Scaler", [g.Features()], each)), "per feature").HoldsFeatures()
            .Frozen("b.weight", 0, Held);
        cases.Of(Ml + "Scaler", 17, g => g.EndRows(g.Node(Ml + "Scaler", [g.OneRow()], each)), "per feature, one row").HoldsFeatures()
            .Frozen("b.weight", 0, Held);

        (string, object)[] rare = [("imputed_value_floats", new[] { 0.3f }), ("replaced_value_float", -77f)];
        (string, object)[] zero = [("imputed_value_floats", new[] { 0.3f }), ("replaced_value_float", 0f)];
        cases.Of(Ml + "Imputer", 17, g => g.EndRows(g.Node(Ml + "Imputer", [g.Rows()], rare), zero: true)).Passes();
        cases.Of(Ml + "Imputer", 17, g => g.EndRows(g.Node(Ml + "Imputer", [g.Relu(g.Rows())], zero)), "of zeros").Passes();
        cases.Of(Ml + "Imputer", 17, g => g.EndRows(g.Node(Ml + "Imputer", [g.Rows()], zero), zero: true), "of zeros, not zero")
            .Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of(Ml + "Imputer", 17, g => g.EndRows(g.Node(Ml + "Imputer", [g.Features()], ("imputed_value_floats", Coefficients(Width)),
            ("replaced_value_float", 0f))), "per feature").HoldsFeatures();
        foreach (long missing in (long[])[0, 3])
            cases.Of(Ml + "Imputer", 17, g =>
            {
                var x = g.Node(Ml + "Imputer", [g.Cast(g.Mul(g.Rows(), g.Scalar("ten", 10)), DataType.Int64)],
                    ("imputed_value_int64s", new long[] { 4 }), ("replaced_value_int64", missing));
                g.EndRows(g.Cast(x, DataType.Float), zero: missing != 0);
            }, $"of integers, {missing}").Passes();
    }

    private static void Categories(List<OperatorCase> cases)
    {
        long[] keys = [-1, 0, 1, 2];
        cases.Of(Ml + "LabelEncoder", 17, g =>
        {
            g.Import("ai.onnx.ml", 2);
            g.EndRows(g.Node(Ml + "LabelEncoder", [g.Cast(g.Rows(), DataType.Int64)], ("keys_int64s", keys),
                ("values_floats", Coefficients(4)), ("default_float", 0.4f)));
        }, "2").Passes();
        cases.Of(Ml + "LabelEncoder", 17, g =>
        {
            g.Import("ai.onnx.ml", 4);
            var values = GraphBuilder.Tensor("values", DataType.Float, [4], [.. Coefficients(4).SelectMany(BitConverter.GetBytes)]);
            var other = GraphBuilder.Tensor("default", DataType.Float, [1], BitConverter.GetBytes(0.4f));
            g.EndRows(g.Node(Ml + "LabelEncoder", [g.Cast(g.Rows(), DataType.Int64)],
                ("keys_tensor", GraphBuilder.Tensor("keys", DataType.Int64, [4], [.. keys.SelectMany(BitConverter.GetBytes)])),
                ("values_tensor", values), ("default_tensor", other)));
        }, "4 tensors").Passes();
        cases.Of(Ml + "LabelEncoder", 17, g =>
        {
            var text = g.Node(Ml + "LabelEncoder", [g.Cast(g.Relu(g.Rows()), DataType.Int64)],
                ("classes_strings", new[] { "none", "some", "many" }), ("default_string", "more"));
            g.EndRows(g.Cast(g.Node(Ml + "LabelEncoder", [text], ("classes_strings", new[] { "many", "none" }), ("default_int64", 5)),
                DataType.Float));
        }, "1").Passes();
        cases.Of(Ml + "CategoryMapper", 17, g =>
        {
            (string, object)[] map = [("cats_int64s", keys), ("cats_strings", new[] { "less", "none", "some", "many" })];
            var text = g.Node(Ml + "CategoryMapper", [g.Cast(g.Rows(), DataType.Int64)], [.. map, ("default_string", "none")]);
            g.EndRows(g.Cast(g.Node(Ml + "CategoryMapper", [text], [.. map, ("default_int64", 7)]), DataType.Float));
        }).Passes();
        cases.Of(Ml + "OneHotEncoder", 17, g =>
        {
            // [batch, width, categories] and then [batch, 3, width].
            var y = g.Node(Ml + "OneHotEncoder", [g.Cast(g.Rows(), DataType.Int64)], ("cats_int64s", keys));
            g.EndRows(g.Transpose(g.Linear(y, "c", 4, 3), 0, 2, 1));
        }).Passes().Frozen("c.weight", 0, "cats_int64s");
        cases.Of(Ml + "DictVectorizer", 17, g => g.EndScores(g.Node(Ml + "DictVectorizer", [g.MapInput("x")],
            ("int64_vocabulary", new long[] { 4, 0, 2, 9 })), 4)).ScoresAreCounted("int64_vocabulary");
        cases.Of(Ml + "CastMap", 17, g => g.EndScores(g.Node(Ml + "CastMap", [g.MapInput("x")]), 5)).ScoresAreCounted("run time");
        cases.Of(Ml + "CastMap", 17, g => g.EndScores(g.Node(Ml + "CastMap", [g.MapInput("x")], ("map_form", "SPARSE"), ("max_map", 8)),
            8), "sparse").ScoresAreCounted("max_map");
    }

    private static void Extractors(List<OperatorCase> cases)
    {
        const string op = Ml + "ArrayFeatureExtractor";
        cases.Of(op, 17, g => g.EndRows(g.Node(op, [g.Rows(), g.Longs(3, 4, 5, 6, 7, 8)]), zero: true, width: 6), "a run")
            .Group("a.weight", 1, 6, ("b.weight", 0));
        cases.Of(op, 17, g => g.EndRows(g.Node(op, [g.Rows(), g.Longs("at", [3, 4, 5, 6, 9, 10, 11], [1, 7])]), zero: true, width: 7),
            "runs in a row").Group("a.weight", 1, 4, ("b.weight", 0)).Group("a.weight", 1, 3, ("b.weight", 0));
        cases.Of(op, 17, g => g.EndRows(g.Node(op, [g.Tokens(), g.Longs(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)]), zero: true), "a shuffle")
            .Group("a.weight", 1, 3, ("b.weight", 0));
        foreach (bool row in (bool[])[false, true])
            cases.Of(op, 17, g =>
            {
                var x = row ? g.Linear(g.Input("x", 6), "a", 6, Width) : g.Rows();
                g.Output(g.Linear(g.Node(op, [x, g.Longs(4)]), "c", 1, 3));
                g.EndRows(x);
            }, row ? "one position of one row" : "one position").Group("a.weight", 1, 4, ("b.weight", 0))
                .Group("a.weight", 1, 7, ("b.weight", 0));
        cases.Of(op, 17, g => g.EndRows(g.Node(op, [g.Linear(g.Input("x", 6), "a", 6, Width), g.Longs(3, 4, 5, 6, 7, 8)]), zero: true,
            width: 6), "one row").Group("a.weight", 1, 6, ("b.weight", 0));
        cases.Of(op, 17, g => g.EndScores(g.Node(op, [g.Features(), g.Longs(0, 3, 7, 5)]), 4), "a list")
            .Frozen("a.weight", 1, "one by one").Group("h.weight", 1, 10, ("a.weight", 0)).Group("b.weight", 1, 7, ("c.weight", 0));
        cases.Of(op, 17, g =>
        {
            // The label of the greatest score, as scikit-learn's networks end.
            var best = g.Node("ArgMax", g.Features(), ("axis", 1));
            g.Output(g.Node(op, [g.Floats("classes", Coefficients(Width), Width), best]));
        }, "by data").Group("h.weight", 1, 10, ("a.weight", 0)).Frozen("classes", 0, "chosen by data");

        const string join = Ml + "FeatureVectorizer";
        cases.Of(join, 17, g => g.EndRows(g.Node(join, [g.Rows(), g.Linear("x", "c", 6, 7)], ("inputdimensions", new[] { Width, 7 })),
            zero: true, width: Width + 7))
            .Passes().Group("c.weight", 1, 7, ("b.weight", 0));
        cases.Of(join, 17, g => g.EndRows(g.Node(join, [g.Rows(), g.Linear("x", "c", 6, 7)], ("inputdimensions", new[] { Width, 5 })),
            zero: true, width: Width + 5), "cut").Passes().Frozen("c.weight", 1, "cut or filled up");
        cases.Of(join, 17, g => g.EndRows(g.Node(join, [g.Rows(), g.Sigmoid(g.Linear("x", "c", 6, 7))],
            ("inputdimensions", new[] { Width, 7 })), zero: true, width: Width + 7), "not zero")
            .Passes().Inexact("c.weight", 1, 7, "ReduceSum");
        cases.Of(join, 17, g => g.EndRows(g.Node(join, [g.Linear(g.Input("x", 6), "a", 6, Width), g.Linear("x", "c", 6, 7)],
            ("inputdimensions", new[] { Width, 7 })), zero: true, width: Width + 7), "one row")
            .Passes().Group("c.weight", 1, 7, ("b.weight", 0));
        cases.Of(join, 17, g => g.EndRows(g.Node(join, [g.Tokens(), g.Linear("x", "c", 6, 7)],
            ("inputdimensions", new[] { Length * Width, Length * 7 })), zero: true, width: Length * (Width + 7)), "of rank 3").Passes();
    }

    private static void LinearModels(List<OperatorCase> cases)
    {
        const string regressor = Ml + "LinearRegressor", classifier = Ml + "LinearClassifier";
        (string, object)[] three = [("coefficients", Coefficients(3 * Width)), ("intercepts", Coefficients(3))];
        cases.Of(regressor, 17, g => g.EndScores(g.Node(regressor, [g.Features()], [.. three, ("targets", 3)]), 3)).HoldsFeatures()
            .ScoresAreCounted("targets");
        cases.Of(regressor, 17, g => g.EndScores(g.Node(regressor, [g.OneRow()], [.. three, ("targets", 3)]), 3), "one row")
            .HoldsFeatures().ScoresAreCounted("targets");

        void Classes(string form, (string, object)[] attributes, int scores, bool text = false, bool row = false)
            => cases.Of(classifier, 17, g =>
            {
                var y = g.Nodes(classifier, 2, [row ? g.OneRow() : g.Features()], attributes);
                g.Output(y[0], text ? DataType.String : DataType.Int64);
                g.EndScores(y[1], scores);
            }, form).HoldsFeatures().ScoresAreCounted("one score for each class");
        Classes("", [.. three, ("classlabels_ints", new long[] { 4, 5, 6 }), ("post_transform", "SOFTMAX")], 3);
        Classes("text", [.. three, ("classlabels_strings", new[] { "a", "b", "c" })], 3, text: true);
        Classes("one row", [.. three, ("classlabels_ints", new long[] { 4, 5, 6 })], 3, row: true);
        Classes("two classes", [("coefficients", Coefficients(Width)), ("intercepts", Coefficients(1)),
            ("classlabels_ints", new long[] { 0, 1 })], 2);
    }

    private static void VectorMachines(List<OperatorCase> cases)
    {
        const string regressor = Ml + "SVMRegressor", classifier = Ml + "SVMClassifier";
        (string, object)[] radial = [("kernel_type", "RBF"), ("kernel_params", new[] { 0.2f, 0, 3 }), ("n_supports", 5),
            ("support_vectors", Coefficients(5 * Width)), ("coefficients", Coefficients(5)), ("rho", new[] { 0.1f })];
        (string, object)[] linear = [("kernel_type", "LINEAR"), ("kernel_params", new[] { 0f, 0, 0 }),
            ("coefficients", Coefficients(Width)), ("rho", new[] { 0.1f })];
        foreach (var (form, attributes) in new (string, (string, object)[])[] { ("radial", radial), ("linear", linear) })
        {
            cases.Of(regressor, 17, g => g.EndScores(g.Node(regressor, [g.Features()], attributes), 1), form).HoldsFeatures()
                .Group("b.weight", 1, 7, ("c.weight", 0));
            cases.Of(regressor, 17, g => g.EndScores(g.Node(regressor, [g.OneRow()], attributes), 1), form + ", one row").HoldsFeatures()
                .Group("b.weight", 1, 7, ("c.weight", 0));
        }

        // Classes, support vectors of each (none: linear), whether there are probabilities, and how many scores that makes.
        foreach (var (classes, vectors, probable, scores) in new[] { (3, 0, false, 3), (2, 2, false, 2), (4, 2, false, 6),
            (4, 2, true, 4), (3, 1, false, 3) })
        {
            int pairs = classes * (classes - 1) / 2, all = classes * vectors;
            List<(string, object)> attributes = [("kernel_type", "SIGMOID"), ("kernel_params", new[] { 0.2f, 0.1f, 0 }),
                ("classlabels_ints", Enumerable.Range(0, classes).Select(k => (long)k).ToArray()), ("rho", Coefficients(pairs))];
            if (vectors == 0) attributes.Add(("coefficients", Coefficients(classes * Width)));
            else attributes.AddRange([("coefficients", Coefficients((classes - 1) * all)), ("support_vectors", Coefficients(all * Width)),
                ("vectors_per_class", Enumerable.Repeat((long)vectors, classes).ToArray())]);
            if (probable) attributes.AddRange([("prob_a", Coefficients(pairs)), ("prob_b", Coefficients(pairs))]);
            cases.Of(classifier, 17, g =>
            {
                var y = g.Nodes(classifier, 2, [g.Features()], [.. attributes]);
                g.Output(y[0], DataType.Int64);
                g.EndScores(y[1], scores);
            }, $"{classes} classes, {all} vectors{(probable ? ", probable" : "")}").HoldsFeatures()
                .ScoresAreCounted("one score for each class");
        }
    }

    private static void Trees(List<OperatorCase> cases)
    {
        (string, object)[] nodes =
        [
            ("nodes_treeids", new long[] { 0, 0, 0 }), ("nodes_nodeids", new long[] { 0, 1, 2 }),
            ("nodes_featureids", new long[] { 4, 0, 0 }), ("nodes_values", new[] { 0.05f, 0, 0 }),
            ("nodes_modes", new[] { "BRANCH_LEQ", "LEAF", "LEAF" }), ("nodes_truenodeids", new long[] { 1, 0, 0 }),
            ("nodes_falsenodeids", new long[] { 2, 0, 0 }),
        ];
        (string, object)[] Leaves(string of) => [($"{of}_treeids", new long[] { 0, 0 }), ($"{of}_nodeids", new long[] { 1, 2 }),
            ($"{of}_ids", new long[] { 0, 2 }), ($"{of}_weights", new[] { 0.7f, -0.4f })];
        foreach (int version in (int[])[1, 3])
        {
            string classifier = Ml + "TreeEnsembleClassifier", regressor = Ml + "TreeEnsembleRegressor";
            cases.Of(classifier, 17, g =>
            {
                g.Import("ai.onnx.ml", version);
                var y = g.Nodes(classifier, 2, [g.Features()], [.. nodes, .. Leaves("class"),
                    ("classlabels_int64s", new long[] { 3, 4, 5 })]);
                g.Output(y[0], DataType.Int64);
                g.EndScores(y[1], 3);
            }, $"{version}").HoldsFeatures().ScoresAreCounted("classlabels_int64s");
            cases.Of(regressor, 17, g =>
            {
                g.Import("ai.onnx.ml", version);
                g.EndScores(g.Node(regressor, [g.Features()], [.. nodes, .. Leaves("target"), ("n_targets", 3)]), 3);
            }, $"{version}").HoldsFeatures().ScoresAreCounted("n_targets");
        }
        cases.Of(Ml + "TreeEnsemble", 17, g =>
        {
            g.Import("ai.onnx.ml", 5);
            float[] split = [0.05f], weights = [0.7f, -0.4f];
            (string, object)[] tree =
            [
                ("tree_roots", new long[] { 0 }), ("n_targets", 3), ("nodes_featureids", new long[] { 4 }),
                ("nodes_modes", GraphBuilder.Tensor("modes", DataType.Uint8, [1], [0])),
                ("nodes_splits", GraphBuilder.Tensor("splits", DataType.Float, [1], BitConverter.GetBytes(split[0]))),
                ("nodes_truenodeids", new long[] { 0 }), ("nodes_trueleafs", new long[] { 1 }),
                ("nodes_falsenodeids", new long[] { 1 }), ("nodes_falseleafs", new long[] { 1 }), ("leaf_targetids", new long[] { 0, 2 }),
                ("leaf_weights", GraphBuilder.Tensor("leaves", DataType.Float, [2], [.. weights.SelectMany(BitConverter.GetBytes)])),
            ];
            g.EndScores(g.Node(Ml + "TreeEnsemble", [g.Features()], tree), 3);
        }).HoldsFeatures().ScoresAreCounted("n_targets");
    }
}
