using Fashion;
using VerifyXunit;

namespace Espalier.Examples.Tests;

/// <summary>The example's policies, through what the build made of them.</summary>
public sealed class FashionTests
{
    [Fact]
    public async Task Diff_of_the_slim_network() => await Verifier.Verify(SlimFashion.Plan.Diff);

    [Fact]
    public async Task Diff_of_the_floor() => await Verifier.Verify(Plain50.Plan.Diff);

    [Fact]
    public void Every_policy_keeps_its_budget()
    {
        foreach (var (plan, report) in ((PruningPlan, PruningReport)[])
            [(SlimFashion.Plan.Value, SlimFashion.Plan.Report), (At90.Plan.Value, At90.Plan.Report), (At75.Plan.Value, At75.Plan.Report),
                (At35.Plan.Value, At35.Plan.Report),
             (Plain90.Plan.Value, Plain90.Plan.Report), (Plain75.Plan.Value, Plain75.Plan.Report),
             (Plain50.Plan.Value, Plain50.Plan.Report)])
        {
            Assert.InRange(report.After.Macs, 1, plan.Budget!.Macs!.Value * report.Before.Macs);
            Assert.All(report.Groups, g => Assert.Equal(0, g.Kept % 16));
        }
    }

    [Fact]
    public void The_slim_network_runs_and_agrees_with_the_dense_one_on_most_of_its_calibration_images()
    {
        using var slim = SlimFashion.Open();
        using var dense = SlimFashion.OpenDense();
        int same = 0, all = 0;
        foreach (var image in SlimFashion.Examples().Take(100))
        {
            var (a, b) = (dense.Run(image).Logits, slim.Run(image).Logits);
            Assert.Equal([1, 10], b.Shape);
            same += Largest(a) == Largest(b) ? 1 : 0;
            all++;
        }
        Assert.Equal(100, all);
        Assert.InRange(same, 90, 100);
    }

    private static int Largest(TensorData<float> logits)
    {
        var values = logits.Values.ToArray();
        return Array.IndexOf(values, values.Max());
    }
}
