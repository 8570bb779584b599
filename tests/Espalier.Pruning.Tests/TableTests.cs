using Espalier.Evaluation;

namespace Espalier.Pruning.Tests;

/// <summary>
/// The table of all presets (tests/Espalier.Evaluation) in short: two networks, one budget, one draw of calibration data, few
/// test images, and of the presets those that come near the best one on either network there, with plain magnitude.
/// </summary>
public abstract class TableTests(string network, ITestOutputHelper output)
{
    private const int Images = 500;

    /// <summary>Half of a percentage point on so few images is one standard error of a difference.</summary>
    private const double Noise = 0.01;

    private static readonly Preset[] Presets =
    [
        Preset.Best, Preset.Magnitude, Preset.GlobalMagnitude, Preset.Obspa, Preset.Fasp, Preset.Cfsp, Preset.EcoFlap,
        Preset.ZipLm, Preset.FinerCut,
    ];

    [Fact]
    public void The_default_reaches_its_goal_and_no_method_that_comes_near_is_better()
    {
        var task = Espalier.Evaluation.Task.All(Assets.Root, Images).Single(t => t.Name == network);
        double dense = Measurement.Run(task, Preset.Magnitude, [1], 1).Single().Score;
        var rows = Presets.Select(p => Measurement.Run(task, p, [0.5], 1).Single()).ToList();
        foreach (var row in rows) output.WriteLine(row.ToText());
        double best = rows.Single(r => r.Preset == Preset.Best).Score;
        Assert.True(best >= Espalier.Evaluation.Task.Goal(network) * dense, $"{best} of {dense}");
        // Methods of feed-forward layers have nothing to remove in a network without.
        rows.RemoveAll(r => double.IsNaN(r.Score) && r.Preset is Preset.Cfsp);
        Assert.All(rows, r => Assert.True(best >= r.Score - Noise, $"{r.Preset} {r.Score}, Best {best}"));
        Assert.All(rows, r => Assert.InRange(r.Macs, 0.1, 0.5));
    }
}

/// <summary>Of convolutions.</summary>
public sealed class ConvolutionalTableTests(ITestOutputHelper output) : TableTests("mobilenet", output);

/// <summary>Of attention.</summary>
public sealed class TransformerTableTests(ITestOutputHelper output) : TableTests("vit", output);

/// <summary>The committed results can be read by the program that adds to them and writes the pages.</summary>
public class CommittedTableTests
{
    private static string At(string file) => Path.Combine(Assets.Root, "tests", "Espalier.Evaluation", file);

    [Fact]
    public void All_rows_can_be_read()
    {
        foreach (string file in (string[])["results.tsv", "closer.tsv"])
            Assert.NotEmpty(new Results(At(file)).Of(Split.Test).Rows);
        Assert.NotEmpty(new Espalier.Evaluation.Real.RealResults(At("real.tsv")).Rows);
        var small = Assert.Single(SmallNetwork.Read(At("small.tsv")));
        Assert.InRange(small.Macs, 0.45, 0.55);
    }
}
