using Espalier.Cli.Building;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>What a build says of a policy.</summary>
public sealed class BuildOutcomeTests
{
    private static readonly PruningReport Report = new()
    {
        Before = new(22_713_216, 1_000_000, 90_000_000),
        After = new(15_900_000, 704_000, 63_000_000),
        Agreement = new(Metric.Top1, 0.974, 64, MeasuredOn.HeldOut),
    };

    [Theory]
    [InlineData(4.24, "4.2 s")]
    [InlineData(41.3, "41 s")]
    [InlineData(119.4, "119 s")]
    [InlineData(185, "3 min 5 s")]
    public void One_line_has_costs_agreement_and_time(double seconds, string time)
        => Assert.Equal("SlimBert: 22.7 M → 15.9 M parameters, 1.00 → 0.70 MACs, agreement 0.97 (Top1 on 64 held-out samples), " + time,
            BuildOutcome.Line("SlimBert", Report, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void It_says_what_was_reused_and_what_was_not_measured()
    {
        string line = BuildOutcome.Line("SlimBert", Report with { Agreement = null }, TimeSpan.FromSeconds(1), "statistics of 8 samples");
        Assert.EndsWith("agreement not measured (the report says why), 1.0 s (reused: statistics of 8 samples)", line,
            StringComparison.Ordinal);
    }

    /// <summary>Random inputs too show that a model is ruined, and who has a guard has said what is enough.</summary>
    [Theory]
    [InlineData(0.49, MeasuredOn.Calibration, false, true)]
    [InlineData(0.49, MeasuredOn.HeldOut, false, true)]
    [InlineData(0.51, MeasuredOn.Calibration, false, false)]
    [InlineData(0.49, MeasuredOn.Random, false, true)]
    [InlineData(0.51, MeasuredOn.Random, false, false)]
    [InlineData(0.49, MeasuredOn.HeldOut, true, false)]
    public void A_ruined_model_is_a_warning_that_says_what_it_was_measured_on(
        double agreement, MeasuredOn on, bool isGuarded, bool isWarned)
    {
        var plan = new PruningPlan
        {
            Policy = "App.SlimBert",
            Location = "Policy.cs(5,2)",
            Guard = isGuarded ? new Guard(Agreement: 0.4) : null,
        };
        string? warning = BuildOutcome.Warning(plan, Report with { Agreement = new(Metric.Top1, agreement, 64, on) }, "App.csproj")
            ?.ToString();
        Assert.Equal(isWarned, warning is not null);
        if (!isWarned) return;
        Assert.StartsWith("Policy.cs(5,2) : warning ESPB012: App.SlimBert: the slim model agrees with the dense one to 0.49 by Top1 on 64 ",
            warning, StringComparison.Ordinal);
        // A guard would ask for data.
        Assert.Equal(on == MeasuredOn.Random, warning!.Contains("random inputs. Such inputs say little", StringComparison.Ordinal));
        Assert.Equal(on != MeasuredOn.Random, warning.Contains("[Guard(Agreement = …)]", StringComparison.Ordinal));
    }
}
