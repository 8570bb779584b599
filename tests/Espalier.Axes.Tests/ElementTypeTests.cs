using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>
/// Whole networks whose weights are of other floating-point types than float32, wherever a file may hold them. ONNX Runtime's
/// CPU provider reads weights of every type exactly and computes float16 in float32, so the tolerance is that of float32. Only
/// where surgery writes a number (the factor of a mean) does a type of 16 bits round more: then the oracle asks how far the
/// masked model is from itself by half a step of the type, and that removal changes ten times as much as the difference.
/// </summary>
public sealed class ElementTypeTests
{
    /// <summary>Which network.</summary>
    public enum Network { Convolutions, Perceptron, Attention, Means }

    private static readonly DataType[] EightBits = [DataType.Float8E4M3Fn, DataType.Float8E4M3Fnuz, DataType.Float8E5M2,
        DataType.Float8E5M2Fnuz];

    /// <summary>Every form that ONNX Runtime runs.</summary>
    public static TheoryData<Network, DataType, WeightForm, Held> Forms
    {
        get
        {
            (DataType, WeightForm)[] forms =
            [
                (DataType.Float16, WeightForm.Native), (DataType.Float16, WeightForm.Inner), (DataType.Float16, WeightForm.Cast),
                (DataType.Bfloat16, WeightForm.Cast),
                (DataType.Double, WeightForm.Native), (DataType.Double, WeightForm.Inner), (DataType.Double, WeightForm.Cast),
                .. EightBits.SelectMany(t => ((DataType, WeightForm)[])[(t, WeightForm.Cast), (t, WeightForm.Dequantized)]),
            ];
            var data = new TheoryData<Network, DataType, WeightForm, Held>();
            foreach (var network in Enum.GetValues<Network>())
                foreach (var (type, form) in forms)
                    foreach (var held in Enum.GetValues<Held>())
                        if (!HasNoKernel(network, type, form)) data.Add(network, type, form, held);
            return data;
        }
    }

    private static bool HasNoKernel(Network network, DataType type, WeightForm form)
        => form is WeightForm.Native or WeightForm.Inner
            && (type == DataType.Bfloat16 || (type == DataType.Double && network == Network.Convolutions));

    [Theory]
    [MemberData(nameof(Forms))]
    public void Networks_lose_units(Network network, DataType type, WeightForm form, Held held)
    {
        using var model = Build(network, type, form, held);
        Expect(RuleCheck.On(model), network, form).IsExact();
    }

    [Fact]
    public void The_factor_of_a_mean_has_the_digits_of_its_type()
    {
        using var model = Build(Network.Means, DataType.Double, WeightForm.Native, Held.Raw);
        var analysis = AxisAnalysis.Run(model);
        // A factor of float32 would be wrong by 3e-8; what is left is the epsilon, which is a float attribute.
        Assert.InRange(SlimOracle.Check(analysis, SlimOracle.Pick(analysis, 0.7, 1)).Error, 0, 2e-9);
    }

    [Theory]
    [InlineData(Network.Convolutions, DataType.Double, "Conv")]
    [InlineData(Network.Convolutions, DataType.Bfloat16, "Conv")]
    [InlineData(Network.Perceptron, DataType.Bfloat16, "Relu")]
    [InlineData(Network.Attention, DataType.Bfloat16, "MatMul")]
    [InlineData(Network.Means, DataType.Bfloat16, "MatMul")]
    public void Networks_have_groups_where_the_processor_has_no_kernel(Network network, DataType type, string op)
    {
        foreach (var held in Enum.GetValues<Held>())
        {
            using var model = Build(network, type, WeightForm.Inner, held);
            var check = Expect(RuleCheck.On(model), network, WeightForm.Inner);
            var slim = Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1)).Model;
            OperatorsTests.AssertNoKernel(model, op);
            OperatorsTests.AssertNoKernel(slim, op);
        }
    }

    /// <summary>The format itself has no such products: the types are for storage.</summary>
    [Fact]
    public void Products_of_8_bit_floats_are_refused_before_and_after()
    {
        foreach (var type in EightBits)
            foreach (var network in (Network[])[Network.Convolutions, Network.Perceptron, Network.Attention])
            {
                using var model = Build(network, type, WeightForm.Inner, Held.Raw);
                var check = Expect(RuleCheck.On(model), network, WeightForm.Inner);
                foreach (var refused in (OnnxModel[])[model, Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1)).Model])
                    Assert.Contains("Type Error",
                        Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(refused.ToBytes())).Message,
                        StringComparison.Ordinal);
            }
    }

    private static OnnxModel Build(Network network, DataType type, WeightForm form, Held held)
    {
        var of = new TypedNetwork(type, form, held);
        return (network switch
        {
            Network.Convolutions
            => of.Convolutions(),
            Network.Perceptron => of.Perceptron(),
            Network.Means => of.Means(),
            _ => of.Attention()
        }).Build();
    }

    private static RuleCheck Expect(RuleCheck check, Network network, WeightForm form)
    {
        switch (network)
        {
            case Network.Convolutions:
                check.Group("a.weight", 0, 8, Axis.Channels, ("a.bias", 0), ("scale", 0), ("shift", 0), ("b.weight", 0), ("b.bias", 0),
                    ("c.weight", 1))
                    .Group("c.weight", 0, 6, Axis.Channels, ("c.bias", 0), ("head.weight", 1));
                return form == WeightForm.Dequantized
                    ? check.Group("a.weight.scale", 0, 8, Axis.Channels, ("a.weight.zero", 0), ("b.weight.scale", 0),
                        ("b.weight.zero", 0))
                    : check;
            case Network.Perceptron:
                check.Group("up.weight", 1, 16, Axis.Neurons, ("up.bias", 0), ("mid.weight", 1))
                    .Group("mid.weight", 0, 12, Axis.Neurons, ("mid.bias", 0), ("down.weight", 0));
                return form == WeightForm.Dequantized
                    ? check.Group("up.weight.scale", 0, 16, Axis.Neurons, ("up.weight.zero", 0))
                    : check;
            case Network.Means:
                return check.Group("up.weight", 1, 14, null, ("up.bias", 0), ("norm", 0), ("down.weight", 0));
            default:
                return check.Group("q.weight", 1, 4, Axis.Heads, ("k.weight", 1), ("v.weight", 1), ("o.weight", 0), ("q.bias", 0))
                    .Group("q.weight", 1, 6, Axis.HeadDims, ("k.weight", 1))
                    .Group("v.weight", 1, 6, Axis.ValueDims, ("o.weight", 0));
        }
    }
}
