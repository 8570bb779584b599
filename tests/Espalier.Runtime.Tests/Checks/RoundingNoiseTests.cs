using Espalier.Calibration.Checks;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Checks;

/// <summary>A difference that the model itself shows under rounding is no failure; any other is.</summary>
public sealed class RoundingNoiseTests
{
    /// <summary>The sign of the difference of one product taken in two orders: rounding and nothing else.</summary>
    private static OnnxModel Signs(bool reversed, float shift = 0)
    {
        var g = new GraphBuilder(31);
        var x = g.Input("x", 32, 96);
        var w = g.Weight("w", 96, 16);
        var order = g.Longs("order", [.. Enumerable.Range(0, 96).Select(i => 95L - i)]);
        var forwards = g.MatMul(x, w);
        var backwards = g.MatMul(g.Node("Gather", [x, order], ("axis", 1)), g.Node("Gather", [w, order], ("axis", 0)));
        var difference = reversed ? g.Node("Sub", [backwards, forwards]) : g.Node("Sub", [forwards, backwards]);
        var sign = g.Rename(g.Add(g.Node("Sign", difference), g.Scalar("shift", shift)), "sign");
        return g.Output(sign, 32, 16).Build();
    }

    [Fact]
    public void Signs_of_rounding_errors_are_no_difference()
    {
        using var a = Signs(false);
        using var b = Signs(true);
        var found = OracleComparer.Compare(a, b, seeds: 1);
        Assert.True(found.Error > 0.5, $"the models agree to {found.Error}, so the test tests nothing");
        Assert.True(found.IsExact);
        Assert.Contains(found.Notes, n => n.Contains("as far from itself", StringComparison.Ordinal));
    }

    [Fact]
    public void A_larger_difference_is_one()
    {
        using var a = Signs(false);
        using var b = Signs(true, shift: 5);
        Assert.False(OracleComparer.Compare(a, b, seeds: 1).IsExact);
    }
}
