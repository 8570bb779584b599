using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Edits;

namespace Espalier.Pruning.Tests.Oracle;

/// <summary>
/// The judge's own ways of skipping sublayers and of putting products in the places of weights, against models written out by hand.
/// </summary>
public sealed class MaskedBlockTests
{
    /// <summary>Two residual sublayers, without those that are left out.</summary>
    private static OnnxModel Stream(params int[] without)
    {
        var g = new GraphBuilder(seed: 4);
        var x = g.Input("x", 3, 8);
        for (int k = 0; k < 3; k++)
        {
            string w = g.Weight($"w{k}", 8, 8);
            if (!without.Contains(k)) x = g.Rename(g.Add(x, g.Rename(g.MatMul(x, w), $"f{k}")), $"s{k}");
        }
        return g.Output(g.Rename(g.Node("Identity", x), "y"), 3, 8).Build();
    }

    private static void Same(OnnxModel expected, OnnxModel actual)
    {
        var inputs = SeededInputs.For(expected, 3);
        var (error, worst) = SlimOracle.Difference(Ort.Run(expected, inputs), Ort.Run(actual, inputs));
        foreach (var value in inputs.Values) value.Dispose();
        Assert.True(error <= 1e-6, $"{worst} differs by {error}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(0, 1, 2)]
    public void A_skipped_sublayer_is_the_model_without_it(params int[] gone)
    {
        using var dense = Stream();
        using var masked =
            MaskedModel.Build(dense, new Removal { Bypassed = [.. gone.Select(k => new BlockBypass($"b{k}", $"f{k}", $"s{k}"))] });
        using var expected = Stream(gone);
        Same(expected, masked);
    }

    [Theory]
    [InlineData("f0", "s1", "which does not add it")]
    [InlineData("s2", "y", "which does not add it")]
    [InlineData("f0", "nowhere", "no node of the model makes it")]
    public void What_is_no_residual_is_refused(string branch, string sum, string reason)
    {
        using var dense = Stream();
        var refused = Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, new Removal { Bypassed = [new("b", branch, sum)] }));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>A skipped layer with its cache: what read the cache's shape reads that of the one that stays, which closes up.</summary>
    [Fact]
    public void Inputs_and_outputs_go_with_their_block_and_the_others_close_up()
    {
        static OnnxModel Model(int[] layers)
        {
            var g = new GraphBuilder(seed: 4);
            var x = g.Input("x", "n", 8);
            float[][] weights = [.. Enumerable.Range(0, 2).Select(_ => Enumerable.Range(0, 64).Select(_ => (float)g.Normal()).ToArray())];
            for (int k = 0; k < layers.Length; k++)
            {
                string own = g.MatMul(x, g.Floats($"w{layers[k]}", weights[layers[k]], 8, 8));
                string now = g.Rename(g.Concat(0, g.Input($"past.{k}", "past", 8), own), $"present.{k}");
                g.Output(now, "total", 8);
                var branch = g.Rename(g.Node("ReduceSum", [now, g.Longs($"axis{k}", 0)], ("keepdims", 1)), $"f{layers[k]}");
                x = g.Rename(g.Add(x, branch), $"s{layers[k]}");
            }
            var length = g.Node("Cast", g.Node("Shape", "past.0"), ("to", TensorProto.Types.DataType.Float));
            return g.Output(g.Rename(g.Add(x, g.Node("ReduceSum", [length, g.Longs("axis", 0)], ("keepdims", 1))), "y"), "n", 8).Build();
        }
        using var dense = Model([0, 1]);
        var removal = new Removal
        {
            Bypassed = [new("layer0", "f0", "s0")],
            Renamed = [new("past.0", null), new("present.0", null), new("past.1", "past.0"), new("present.1", "present.0")],
        };
        using var masked = MaskedModel.Build(dense, removal);
        Assert.Equal(["x", "past.0"], masked.Proto.Graph.Input.Select(i => i.Name));
        using var expected = Model([1]);
        Same(expected, masked);
        Assert.Null(MaskedModel.Unmasked(dense, removal));
        var alone = Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, removal with { Bypassed = [] }));
        Assert.Contains("'past.0' is gone from the slim model", alone.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, bool, int> Layouts => new()
    {
        { "MatMul", false, 0 }, { "MatMul", false, 1 }, { "Gemm", false, 0 }, { "Gemm", true, 0 }, { "Gemm", true, 1 },
        { "Left", false, 0 }, { "Left", false, 1 }, { "MatMul", false, 2 }, { "Gemm", true, 3 },
    };

    /// <summary>
    /// Every way in which a product takes a weight, with units gone on both sides: the operand is A·B, found by plain loops.
    /// </summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_product_stands_in_the_weights_place_whichever_way_round(string op, bool transB, int turns)
    {
        const int inputs = 5, outputs = 7, rank = 2;
        int[] goneInputs = [1], goneOutputs = [0, 4];
        var random = new Random(8);
        float[] Numbers(int n) => [.. Enumerable.Range(0, n).Select(_ => (random.NextSingle() * 2) - 1)];
        float[] w = Numbers(inputs * outputs), a = Numbers((inputs - 1) * rank), b = Numbers(rank * (outputs - 2));
        bool outputsFirst = transB || op == "Left", fileOutputsFirst = outputsFirst != (turns % 2 == 1);
        float[] Laid(float[] m, int rows, int columns, bool swap)
            => swap ? [.. Enumerable.Range(0, m.Length).Select(k => m[(k % rows * columns) + (k / rows)])] : m;

        OnnxModel Model(float[] weight)
        {
            var g = new GraphBuilder();
            var x = op == "Left" ? g.Input("x", inputs, 3) : g.Input("x", 3, inputs);
            long[] shape = fileOutputsFirst ? [outputs, inputs] : [inputs, outputs];
            string stored = g.Floats("w", Laid(weight, inputs, outputs, fileOutputsFirst), shape);
            for (int k = 0; k < turns; k++) stored = g.Transpose(stored, 1, 0);
            string y = op == "Gemm" ? g.Node("Gemm", [x, stored], ("transB", transB ? 1 : 0))
                : op == "Left" ? g.MatMul(stored, x) : g.MatMul(x, stored);
            return g.Output(g.Rename(y, "y"), op == "Left" ? outputs : 3, op == "Left" ? 3 : outputs).Build();
        }
        var s = new GraphBuilder();
        s.Floats("down", Laid(a, inputs - 1, rank, op == "Left"), op == "Left" ? [rank, inputs - 1] : [inputs - 1, rank]);
        s.Floats("up", Laid(b, rank, outputs - 2, outputsFirst), outputsFirst ? [outputs - 2, rank] : [rank, outputs - 2]);
        using var slim = s.Build();

        var product = new float[inputs * outputs];
        double far = 0, all = 0;
        int[] keptInputs = [.. Enumerable.Range(0, inputs).Except(goneInputs)];
        int[] keptOutputs = [.. Enumerable.Range(0, outputs).Except(goneOutputs)];
        for (int i = 0; i < keptInputs.Length; i++)
            for (int o = 0; o < keptOutputs.Length; o++)
            {
                int at = (keptInputs[i] * outputs) + keptOutputs[o];
                product[at] = (float)Enumerable.Range(0, rank).Sum(r => (double)a[(i * rank) + r] * b[(r * keptOutputs.Length) + o]);
                (far, all) = (far + Math.Pow(w[at] - product[at], 2), all + Math.Pow(w[at], 2));
            }
        using var dense = Model(w);
        var removal = new Removal
        {
            Slices = new Dictionary<string, IReadOnlyDictionary<int, int[]>>
            {
                ["w"] = new Dictionary<int, int[]> { [fileOutputsFirst ? 1 : 0] = goneInputs, [fileOutputsFirst ? 0 : 1] = goneOutputs },
            },
            Factored = [("w", "down", "up")],
        };
        using var masked = MaskedModel.Build(dense, removal, slim);
        using var expected = Model(product);
        Same(expected, masked);
        Assert.Equal(Math.Sqrt(far / all), MaskedModel.Distances(dense, removal, slim)["w"], 1e-6);
    }

    [Fact]
    public void Factors_that_do_not_fit_are_refused()
    {
        var g = new GraphBuilder();
        g.Output(g.Rename(g.MatMul(g.Input("x", 3, 4), g.Weight("w", 4, 6)), "y"), 3, 6);
        g.Output(g.Rename(g.Add(g.Weight("added", 4, 6), g.Scalar("one", 1)), "z"), 4, 6);
        using var dense = g.Build();
        var s = new GraphBuilder();
        s.Weight("down", 4, 2);
        s.Weight("up", 3, 6);
        s.Weight("other", 2, 5);
        using var slim = s.Build();
        string Refusal(string weight, string down, string up)
        {
            var removal = new Removal { Factored = [(weight, down, up)] };
            return Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, removal, slim)).Message;
        }
        Assert.Contains("'down' has rank 2, and 'up' has rank 3", Refusal("w", "down", "up"), StringComparison.Ordinal);
        Assert.Contains("'other' has [2, 5]", Refusal("w", "down", "other"), StringComparison.Ordinal);
        Assert.Contains("does not have the factor 'nowhere'", Refusal("w", "nowhere", "up"), StringComparison.Ordinal);
        Assert.Contains("the model does not have it", Refusal("nothing", "down", "up"), StringComparison.Ordinal);
        Assert.Contains("but Add '", Refusal("added", "down", "up"), StringComparison.Ordinal);
    }

    /// <summary>The judge cannot see the judged.</summary>
    [Fact]
    public void The_oracle_refers_to_the_file_format_and_the_plain_values_only()
    {
        var seen = typeof(MaskedModel).Assembly.GetReferencedAssemblies().Select(a => a.Name!).Order(StringComparer.Ordinal);
        Assert.Equal(["Espalier.Abstractions", "Espalier.Onnx"], seen.Where(n => n.StartsWith("Espalier", StringComparison.Ordinal)));
        // And the judged not the judge.
        Assert.DoesNotContain(typeof(Surgery).Assembly.GetReferencedAssemblies(), a => a.Name == "Espalier.Oracle");
    }
}
