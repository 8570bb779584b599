using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Gates;

namespace Espalier.Pruning.Tests.Gates;

/// <summary>The dense model with gates computes what surgery writes, and says where it cannot.</summary>
public sealed class GatedTwinTests
{
    public static TheoryData<string> Networks => [.. Assets.Networks().Select(n => Path.GetFileNameWithoutExtension(n))];

    /// <summary>All exact groups at two ratios, with and without sublayers, in one session against as many rewritten graphs.</summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void Gates_of_a_trained_network_equal_its_surgery(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        using var twin = GatedTwin.Build(analysis);
        Assert.All(analysis.Groups.Where(g => g.Exactness == Exactness.Exact),
            g => Assert.True(twin.Gates.ContainsKey(g.Id), twin.Refused.GetValueOrDefault(g.Id)));
        Assert.Equal(analysis.Blocks.Count(b => b.IsSublayer), twin.Sublayers.Count);
        ImmutableArray<int> blocks = [.. analysis.Blocks.Where(b => b.IsSublayer).Skip(1).Take(1).Select(b => b.Id)];
        var inputs = SeededInputs.For(dense, 3, new Dictionary<string, long>());
        var unpruned = Ort.Run(dense, inputs);
        Assert.True(SlimOracle.Difference(unpruned, Ort.Run(twin.Model, inputs)).Error < SlimOracle.Tolerance,
            "the defaults change the model");
        foreach (var selection in (Selection[])[SlimOracle.Pick(analysis, 0.9, 1), SlimOracle.Pick(analysis, 0.5, 2),
            Selection.Everything with { RemovedBlocks = blocks }, SlimOracle.Pick(analysis, 0.9, 3) with { RemovedBlocks = blocks }])
        {
            var slim = Ort.Run(Surgery.Apply(analysis, selection).Model, inputs);
            var (error, worst) = SlimOracle.Difference(slim, Ort.Run(twin.Model, With(inputs, twin.Settings(selection))));
            Assert.True(error < SlimOracle.Tolerance, $"{worst}: {error}");
            if (selection.Kept.Count > 0) Assert.True(SlimOracle.Difference(unpruned, slim).Error > 1e-3, "removal cannot be seen");
        }
    }

    private static Dictionary<string, Microsoft.ML.OnnxRuntime.OrtValue> With(
        IReadOnlyDictionary<string, Microsoft.ML.OnnxRuntime.OrtValue> inputs, IReadOnlyDictionary<string, float[]> gates)
        => inputs.Concat(gates.Select(g =>
            KeyValuePair.Create(g.Key, Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory(g.Value, [g.Value.Length]))))
                .ToDictionary();

    /// <summary>y = x + s·(3·2·g₀ + 4·5·g₁)·x at x = 1, by hand, also between 0 and 1.</summary>
    [Fact]
    public void Gates_weigh_units_and_sublayers()
    {
        var g = new GraphBuilder(1);
        string x = g.Input("x", "batch", 1);
        string h = g.MatMul(x, g.Floats("up", [3, 4], 1, 2));
        g.Output(g.Rename(g.Add(x, g.MatMul(h, g.Floats("down", [2, 5], 2, 1))), "y"), "batch", 1);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        using var twin = GatedTwin.Build(analysis);
        var (units, depth) = (Assert.Single(twin.Gates).Value, Assert.Single(twin.Sublayers).Value);
        double Run(params (string Name, float[] Values)[] gates)
        {
            var inputs = new Dictionary<string, Microsoft.ML.OnnxRuntime.OrtValue>
            { ["x"] = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory([1f], [1, 1]) };
            return Assert.Single(Assert.Single(Ort.Run(twin.Model, With(inputs, gates.ToDictionary(p => p.Name, p => p.Values)))).Values);
        }
        Assert.Equal(27, Run());
        Assert.Equal(7, Run((units, [1, 0])));
        Assert.Equal(14, Run((units, [0.5f, 0.5f])));
        Assert.Equal(1, Run((depth, [0])));
        Assert.Equal(14, Run((depth, [0.5f])));
        Assert.Equal(4, Run((units, [1, 0]), (depth, [0.5f])));
    }

    /// <summary>A softmax over the units and a mean that is taken of what is left cannot be had by multiplying by zero.</summary>
    [Fact]
    public void What_gates_cannot_say_is_refused_with_tensor_and_operator()
    {
        foreach (string op in (string[])["Softmax", "LayerNormalization"])
        {
            var g = new GraphBuilder(1);
            string h = g.MatMul(g.Input("x", "batch", 4), g.Weight("up", 4, 6));
            h = op == "Softmax" ? g.Softmax(h) : g.LayerNorm(h, "norm", 6);
            g.Output(g.Rename(g.MatMul(h, g.Weight("down", 6, 3)), "y"), "batch", 3);
            using var dense = g.Build();
            var analysis = AxisAnalysis.Run(dense);
            var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Inexact);
            using var twin = GatedTwin.Build(analysis);
            Assert.Matches($"tensor '.+': {op} '.+': ", twin.Refused[group.Id]);
            var selection = new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [0, 1] }, []);
            Assert.Contains(op, Assert.Throws<EspalierException>(() => twin.Settings(selection)).Message, StringComparison.Ordinal);
        }
    }

    /// <summary>A sum of what masking leaves nonzero is inexact, but a gate removes it as surgery does.</summary>
    [Fact]
    public void A_sum_that_masking_does_not_empty_has_a_gate()
    {
        var g = new GraphBuilder(1);
        string h = g.Node("Sigmoid", [g.MatMul(g.Input("x", "batch", 4), g.Weight("up", 4, 6))]);
        g.Output(g.Rename(g.MatMul(g.Node("ReduceSum", [h, g.Longs("axes", [1])]), g.Weight("down", 1, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Inexact);
        using var twin = GatedTwin.Build(analysis);
        var selection = new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [0, 3, 4] }, []);
        var inputs = SeededInputs.For(dense, 1, new Dictionary<string, long> { ["batch"] = 5 });
        Assert.True(SlimOracle.Difference(Ort.Run(Surgery.Apply(analysis, selection).Model, inputs),
            Ort.Run(twin.Model, With(inputs, twin.Settings(selection)))).Error < SlimOracle.Tolerance);
    }

    /// <summary>What no output reads changes none, alone or beside what one reads.</summary>
    [Fact]
    public void A_gate_that_no_output_sees_moves_nothing()
    {
        var g = new GraphBuilder(2);
        string x = g.Input("x", "batch", Planted.Inputs);
        g.Linear(g.Relu(g.Linear(x, "dead.up", Planted.Inputs, 6)), "dead.down", 6, 4);
        g.Output(g.Rename(g.Linear(g.Relu(g.Linear(x, "up", Planted.Inputs, 6)), "down", 6, 4), "y"), "batch", 4);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        using var twin = GatedTwin.Build(analysis);
        IModelProbe probe = new ModelProbe(analysis, [Planted.Rows(3, 40, Planted.Inputs)]);
        int Read(string weight) => twin.Gates.Keys.Single(id => analysis.Groups[id].Consumers.Any(c => c.Parameter.StartsWith(weight,
            StringComparison.Ordinal)));
        int dead = Read("dead.down"), seen = Read("down");
        Selection Half(params int[] groups) => new(groups.ToDictionary(id => id, _ => ImmutableArray.Create(0, 2, 4)), []);
        var found = probe.Divergences(twin.Model, [.. new[] { Half(dead), Half(seen), Half(seen, dead) }.Select(twin.Settings)]);
        Assert.Equal(0, found[0], 1e-9);
        Assert.True(found[1] > 1e-3);
        Assert.Equal(found[1], found[2], 1e-6);
    }

    /// <summary>One session gives for many choices what as many rewritten graphs give.</summary>
    [Fact]
    public void A_probe_measures_many_choices_in_one_session()
    {
        using var dense = Planted.Mlp(1, 8, (_, _) => { });
        var analysis = AxisAnalysis.Run(dense);
        using var twin = GatedTwin.Build(analysis);
        IModelProbe probe = new ModelProbe(analysis, [Planted.Rows(3, 40, Planted.Inputs)]);
        int group = Assert.Single(twin.Gates).Key;
        Selection[] selections = [Selection.Everything, .. Enumerable.Range(0, 8)
            .Select(u =>
                new Selection(new Dictionary<int, ImmutableArray<int>> { [group] = [.. Enumerable.Range(0, 8).Except([u])] }, []))];
        double[] expected = [.. selections.Skip(1)
            .Select(s => { using var slim = Surgery.Apply(analysis, s).Model; return probe.Divergence(slim); })];
        var found = probe.Divergences(twin.Model, [.. selections.Select(twin.Settings)]);
        Assert.Equal(0, found[0], 1e-9);
        Assert.All(expected.Zip(found.Skip(1)), p => Assert.Equal(p.First, p.Second, 1e-4 * p.First));
        Assert.True(found.Distinct().Count() > 6);
    }
}
