using Espalier.Calibration.Inputs;
using Espalier.Calibration.Timing;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Timing;

/// <summary>Which operators time goes to.</summary>
public class OperatorTimesTests
{
    private static OnnxModel Product(int size, bool bent)
    {
        var g = new GraphBuilder(1);
        string y = g.MatMul(g.Input("x", 64, 256), g.Weight("w", 256, size));
        g.Output(g.Rename(bent ? g.Softmax(y) : y, "y"), 64, size);
        return g.Build();
    }

    [Fact]
    public void Kernels_of_both_models_have_their_times()
    {
        using OnnxModel a = Product(512, bent: false), b = Product(2048, bent: true);
        var times = OperatorTimes.Compare(a, b, [.. RandomInputs.For(a, 1).Values]);
        Assert.Equal(times.OrderByDescending(t => t.B), times);
        var (product, bend) = (times.Single(t => t.Operator == "MatMul"), times.Single(t => t.Operator == "Softmax"));
        Assert.True(product.A > 0 && product.B > product.A, $"{product}");
        Assert.True(bend.A == 0 && bend.B > 0, $"{bend}");
    }

    /// <summary>Not what takes longest, but what is farthest from the share that it was to have.</summary>
    [Fact]
    public void To_blame_is_what_is_most_above_its_share()
    {
        OperatorTime[] times = [new("Conv", 10, 5.5), new("Softmax", 2, 2), new("Add", 0, 0.4)];
        Assert.Equal("Softmax", OperatorTimes.Slowest(times, 0.5).Operator);
        Assert.Equal("Conv", OperatorTimes.Slowest(times, 0.1).Operator);
    }
}
