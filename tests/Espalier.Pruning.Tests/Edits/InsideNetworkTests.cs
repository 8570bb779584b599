using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Edits;

/// <summary>Slim models against masked ones inside, where the terms say which indices stay.</summary>
public sealed class InsideNetworkTests
{
    private static InsideResult Compare(AxisAnalysis analysis, Selection selection, Func<SlimModel, OnnxModel>? spoil = null)
    {
        var slim = Surgery.Apply(analysis, selection);
        var model = spoil?.Invoke(slim) ?? slim.Model;
        var removal = SlimOracle.RemovalOf(slim);
        using var masked = MaskedModel.Build(analysis.Model, removal, slim.Model);
        using var unmasked = MaskedModel.Build(analysis.Model, MaskedModel.Unmasked(analysis.Model, removal)!, slim.Model);
        var inputs = Calibration.Inputs.RandomInputs.Many(model, 2, 1, Calibration.Inputs.RandomInputs.Fit(model));
        var kept = new KeptUnits(analysis, selection, inputs[0].ToDictionary(i => i.Key, i => i.Value.Shape, StringComparer.Ordinal));
        return InsideComparer.Compare(new InsideRequest(masked, model, unmasked, inputs)
        {
            IsComparable = kept.IsComparable,
            Kept = kept.Of
        });
    }

    public static TheoryData<string> Networks() => [.. Assets.Networks()];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Half_of_every_unit_of_a_trained_network_agrees_in_every_tensor(string file)
    {
        using var dense = OnnxModel.Open(Assets.Path(file));
        var analysis = AxisAnalysis.Run(dense);
        var found = Compare(analysis, SlimOracle.Pick(analysis, 0.5, 1));
        Assert.True(found.Fault is null, $"{found.Fault}");
        Assert.Null(found.Obstacle);
        Assert.NotNull(found.Moved);
        // What stands behind a magnifier is not compared.
        if (found.Magnifiers.Count == 0) Assert.Equal(found.Tensors, found.Compared);
        Assert.InRange(found.Compared, 0.5 * found.Tensors, found.Tensors);
    }

    [Theory]
    [InlineData("bert.onnx")]
    [InlineData("vit.onnx")]
    public void Every_sublayer_of_a_trained_network_can_be_skipped_and_is_seen(string file)
    {
        using var dense = OnnxModel.Open(Assets.Path(file));
        var analysis = AxisAnalysis.Run(dense);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        foreach (var sublayer in new[] { sublayers[0], sublayers[^1] })
        {
            var found = Compare(analysis, Selection.Everything with { RemovedBlocks = [sublayer.Id] });
            Assert.Equal((null, null), (found.Fault, found.Obstacle));
            Assert.NotNull(found.Moved);
        }
    }

    /// <summary>Batch and heads on one axis, of which only the run knows the size.</summary>
    private static OnnxModel Attention()
    {
        var g = new GraphBuilder(7);
        var x = g.Input("x", "batch", 5, 12);
        string Heads(string name) => g.Reshape(g.Transpose(g.Reshape(g.Linear(x, name, 12, 12), 0, 5, 4, 3), 0, 2, 1, 3), -1, 5, 3);
        var scores = g.Softmax(g.MatMul(Heads("q"), g.Transpose(Heads("k"), 0, 2, 1)));
        var heads = g.Transpose(g.Reshape(g.Rename(g.MatMul(scores, Heads("v")), "heads"), -1, 4, 5, 3), 0, 2, 1, 3);
        return g.Output(g.Rename(g.Linear(g.Reshape(heads, 0, 5, 12), "o", 12, 6), "y"), "batch", 5, 6).Build();
    }

    [Fact]
    public void Heads_that_share_an_axis_with_the_batch_are_found_by_the_runs_size()
    {
        using var dense = Attention();
        var analysis = AxisAnalysis.Run(dense);
        var heads = analysis.Groups.Single(g => g.Kind == Axis.Heads && g.Exactness == Exactness.Exact);
        var selection = new Selection(new Dictionary<int, ImmutableArray<int>> { [heads.Id] = [1, 3] }, []);
        foreach (bool known in (bool[])[true, false])
        {
            var inputs = new Dictionary<string, IReadOnlyList<long>>();
            if (known) inputs["x"] = [3, 5, 12];
            var kept = new KeptUnits(analysis, selection, inputs);
            Assert.Equal([[1, 3, 5, 7, 9, 11], null, null], kept.Of("heads", [12, 5, 3]));
            // No batch has 13 rows of four heads.
            Assert.Null(kept.Of("heads", [13, 5, 3]));
        }
        var found = Compare(analysis, selection);
        Assert.Equal((null, null, found.Tensors), (found.Fault, found.Obstacle, found.Compared));
    }

    /// <summary>Whatever single weight of the slim model is wrong, the fault starts at a node that reads it.</summary>
    [Fact]
    public void A_wrong_weight_is_found_at_its_reader()
    {
        using var dense = Attention();
        var analysis = AxisAnalysis.Run(dense);
        foreach (string name in (string[])["q.weight", "k.weight", "v.weight", "v.bias", "o.weight"])
        {
            string reader = "";
            var found = Compare(analysis, SlimOracle.Pick(analysis, 0.5, 1), slim =>
            {
                var copy = slim.Model.Proto.Clone();
                int k = copy.Graph.Initializer.ToList().FindIndex(t => t.Name == name);
                float[] values = slim.Model.Content(copy.Graph.Initializer[k]).ToFloats();
                values[1] += 0.3f;
                var type = TensorProto.Types.DataType.Float;
                copy.Graph.Initializer[k] = slim.Model.NewTensor(name, type, copy.Graph.Initializer[k].Dims,
                    TensorContent.FromFloats(type, values));
                reader = copy.Graph.Node.Single(n => n.Input.Contains(name)).Output[0];
                return slim.Model.Derive(copy);
            });
            Assert.Equal(reader, found.Fault?.Tensor);
        }
    }
}
