using System.Text.RegularExpressions;
using Espalier.EndToEnd.Tests.Cli;
using Espalier.TestKit;
using StbImageSharp;

namespace Espalier.EndToEnd.Tests.Pages;

/// <summary>Pages of real slimming, as a browser shows them.</summary>
public sealed class BrowserTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier pages ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_report_is_shown_whole_without_a_network()
    {
        var (page, report) = Slim("gpt.onnx", "--heads", "0.75", "--neurons", "0.5", "--drop-sublayers", "2", "--depth-score", "random");
        var (shown, console) = Browser.Read(page);
        // Whatever a page loads or runs is refused by its own policy, and the refusal is in the console.
        Assert.Empty(console);
        Assert.Equal("gpt", Regex.Match(shown, "<h1>(.*?)</h1>").Groups[1].Value);
        string drawing = Regex.Match(shown, "<figure class=\"network\">.*?</figure>", RegexOptions.Singleline).Value;
        int gone = report.Layers.Count(l => l is { MacsBefore: > 0, MacsAfter: 0 });
        Assert.InRange(gone, 2, report.Layers.Count - 1);
        Assert.Equal(gone, Regex.Count(drawing, "<rect class=\"gone\""));
        Assert.Equal(report.Layers.Count, Regex.Count(drawing, "<g><title>[^<]*MACs</title>"));
        Assert.Equal(report.Layers.Count, Regex.Count(shown, "<td class=\"name\"><b>"));
        var heads = report.Groups.Where(g => g.Kind is "heads" or "keyValueGroups").ToList();
        Assert.Equal(heads.Sum(g => g.Size), Regex.Count(shown, "<i(?: class=\"off\")? title="));
        Assert.Equal(heads.Sum(g => g.Size - g.Kept), Regex.Count(shown, "<i class=\"off\" title="));
        foreach (string block in report.Blocks) Assert.Contains($"<s>{block}</s> removed", shown, StringComparison.Ordinal);
        foreach (string title in (string[])["What went", "Agreement against cost", "Where the work goes", "What is frozen, and why",
            "The plan", "The diff"])
            Assert.Contains($"<h2>{title}</h2>", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refusal_would_be_seen_in_the_console()
    {
        var (page, _) = Slim("vgg.onnx", "--keep", "0.5");
        File.WriteAllText(page, File.ReadAllText(page).Replace("</main>", "<img src=\"https://example.com/x.png\"></main>",
            StringComparison.Ordinal));
        Assert.NotEmpty(Browser.Read(page).Console);
    }

    [Fact]
    public void A_page_is_light_or_dark_as_the_reader_likes()
    {
        var (page, _) = Slim("resnet.onnx", "--keep", "0.5");
        var (light, dark) = (Browser.Look(page, dark: false), Browser.Look(page, dark: true));
        Assert.True(Brightness(light, 5, 5) > 240 && Brightness(dark, 5, 5) < 40);
        // More than paper: the text and the drawing stand out against it.
        Assert.True(Spread(light) > 150, $"{Spread(light)}");
        Assert.True(Spread(dark) > 150, $"{Spread(dark)}");
    }

    private (string Page, PruningReport Report) Slim(string network, params string[] options)
    {
        string name = Path.GetFileNameWithoutExtension(network), report = Path.Combine(_folder, $"{name}.json");
        string slim = Path.Combine(_folder, network), page = Path.Combine(_folder, $"{name}.html");
        var done = CommandLineTests.Run(["slim", Assets.Path(network), "-o", slim, .. options, "--report", report]);
        Assert.True(done.Code == 0, done.Error);
        var diff = CommandLineTests.Run("diff", Assets.Path(network), slim, "--json");
        File.WriteAllText(Path.Combine(_folder, $"{name}.diff.json"), diff.Text);
        var made = CommandLineTests.Run("report", report, "-o", page);
        Assert.True(made.Code == 0, made.Error);
        return (page, ReportJson.Parse(File.ReadAllText(report)));
    }

    private static int Brightness(ImageResult image, int x, int y)
    {
        int at = ((y * image.Width) + x) * 3;
        return (image.Data[at] + image.Data[at + 1] + image.Data[at + 2]) / 3;
    }

    private static int Spread(ImageResult image)
    {
        var all = Enumerable.Range(0, image.Width * image.Height).Select(k => Brightness(image, k % image.Width, k / image.Width)).ToList();
        return all.Max() - all.Min();
    }
}
