using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;
using OracleResult = Espalier.Calibration.Checks.OracleResult;

namespace Espalier.Runtime.Tests.Checks;

/// <summary>A model that computes with 16 bits has its own rounding; one that only stores its weights so has that of float32.</summary>
public sealed class PrecisionTests
{
    private const int Width = 96;

    /// <summary>A residual stream under root mean square norms, which surgery divides anew by a factor that no 16 bits hold.</summary>
    private static OnnxModel Stream(DataType type, bool widened)
    {
        var g = new GraphBuilder(3);
        string W(string name, params long[] dims)
        {
            using var raw = new MemoryStream();
            TensorContent.FromFloats(type,
                [.. Enumerable.Range(0, (int)dims.Aggregate(1L, (a, b) => a * b))
                    .Select(_ => (float)(g.Normal() / Math.Sqrt(dims[0])))]).CopyTo(raw);
            g.Initializer(GraphBuilder.Tensor(name, type, dims, raw.ToArray()));
            return widened ? g.Node("Cast", name, ("to", DataType.Float)) : name;
        }
        string Norm(string x, string name) => g.Node("SimplifiedLayerNormalization", [x, W(name, Width)], ("axis", -1), ("epsilon", 1e-5f));
        var x = g.Node("Gather", [W("embedding", 50, Width), g.Input("ids", DataType.Int64, 2, 12)]);
        for (int k = 0; k < 4; k++)
            x = g.Add(x, g.MatMul(g.Relu(g.MatMul(Norm(x, $"norm{k}"), W($"up{k}", Width, 160))), W($"down{k}", 160, Width)));
        return g.Output(g.MatMul(Norm(x, "norm"), W("head", Width, 50)), widened ? DataType.Float : type).Build();
    }

    private static OracleResult Compare(OnnxModel dense, bool wrong)
    {
        var analysis = AxisAnalysis.Run(dense);
        var slim = Surgery.Apply(analysis, SlimOracle.Pick(analysis, 0.7, 1));
        // Masked are the units that a removal with another seed would take: a slim model of the wrong units.
        var removed = wrong ? Surgery.Apply(analysis, SlimOracle.Pick(analysis, 0.7, 2)).Removed : slim.Removed;
        using var masked = MaskedModel.Build(dense, removed);
        return OracleComparer.Compare(masked, slim.Model);
    }

    [Fact]
    public void A_model_in_half_precision_equals_the_masked_one_within_steps_of_its_type()
    {
        using var dense = Stream(DataType.Float16, widened: false);
        var found = Compare(dense, wrong: false);
        Assert.True(found.Error > OracleResult.Rounding, $"the models agree to {found.Error}, so the test tests nothing");
        Assert.True(found.IsExact, $"{found.Error}");
    }

    [Fact]
    public void Other_units_in_half_precision_are_a_difference()
    {
        using var dense = Stream(DataType.Float16, widened: false);
        var found = Compare(dense, wrong: true);
        Assert.False(found.IsExact);
        Assert.True(found.Error > 50 * found.Tolerance, $"{found.Error} is near what counts as rounding");
    }

    [Theory]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.Bfloat16)]
    public void A_model_that_widens_its_weights_rounds_as_float32_does(DataType type)
    {
        using var dense = Stream(type, widened: true);
        var found = Compare(dense, wrong: false);
        Assert.Equal(OracleResult.Rounding, found.Tolerance);
        Assert.True(found.IsExact, $"{found.Error}");
    }
}
