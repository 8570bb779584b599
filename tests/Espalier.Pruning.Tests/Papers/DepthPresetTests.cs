namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that remove blocks or sublayers, from their papers' formulas.</summary>
public sealed class DepthPresetTests
{
    private static readonly string[][] Blocks =
        [.. Enumerable.Range(0, TwiceWritten.Blocks).Select(b => new[] { $"b{b}.o", $"b{b}.down" })];

    /// <summary>ShortGPT (arXiv:2403.03853): blocks go in the order of 1 − the mean cosine of what is before and after them.</summary>
    [Theory]
    [InlineData(51, 1)]
    [InlineData(52, 1)]
    [InlineData(53, 2)]
    public void ShortGPT(int seed, int count)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var gone = Blocks.OrderBy(b => 1 - PresetRun.Cosines(dense, b[0], b[1]).Average()).Take(count);
        Check(network, Preset.ShortGpt, new() { Drop = [new() { Axis = Axis.Blocks, AtMost = count }] }, gone, count);
    }

    /// <summary>
    /// SLEB (arXiv:2402.09025): again and again the block goes without which the outputs are nearest to the dense model's, given
    /// those that are gone; here by their divergence.
    /// </summary>
    [Theory]
    [InlineData(54, 1)]
    [InlineData(55, 2)]
    [InlineData(56, 2)]
    public void SLEB(int seed, int count)
    {
        var network = new TwiceWritten(seed);
        Check(network, Preset.Sleb, new()
        {
            Drop = [new() { Axis = Axis.Blocks, AtMost = count }],
            ProtectEnds = false,
            DivergenceMetric = Metric.KullbackLeibler,
        }, Greedy(network, Blocks, count, PresetRun.KullbackLeibler), count);
    }

    /// <summary>The first and the last block stay, as in SLEB's code.</summary>
    [Fact]
    public void SLEB_leaves_the_ends()
    {
        var network = new TwiceWritten(57);
        Check(network, Preset.Sleb, new() { Drop = [new() { Axis = Axis.Blocks, AtMost = 1 }] }, [Blocks[1]], 1);
    }

    /// <summary>
    /// FinerCut (arXiv:2405.18218): the same with attention and feed-forward sublayers by themselves, by the Jensen-Shannon
    /// divergence of the softmax of the outputs.
    /// </summary>
    [Theory]
    [InlineData(58, 1)]
    [InlineData(59, 3)]
    [InlineData(60, 4)]
    public void FinerCut(int seed, int count)
    {
        var network = new TwiceWritten(seed);
        Check(network, Preset.FinerCut, new() { Drop = [new() { Axis = Axis.Sublayers, AtMost = count }] },
            Greedy(network, [.. TwiceWritten.Groups.Select(r => new[] { r })], count, PresetRun.JensenShannon), count);
    }

    private static List<string[]> Greedy(TwiceWritten network, string[][] candidates, int count, Func<Trace, Trace, double> divergence)
    {
        var (dense, gone) = (network.Run(), new List<string[]>());
        while (gone.Count < count)
            gone.Add(candidates.Except(gone).MinBy(c =>
                divergence(dense, network.Run(new() { Dropped = [.. gone.SelectMany(g => g), .. c] })))!);
        return gone;
    }

    private static void Check(TwiceWritten network, Preset preset, PruningPlan plan, IEnumerable<string[]> gone, int count)
    {
        var result = PresetRun.Of(network, preset, plan: plan);
        Assert.Equal(count, result.Report.Blocks.Count);
        PresetRun.Equal(network, result, new Changes { Dropped = [.. gone.SelectMany(g => g)] });
    }
}
