using System.Text.Json;
using Espalier.Cli.Pages;
using Espalier.EndToEnd.Tests.Cli;
using Espalier.TestKit;
using Espalier.TestKit.Graphs;

namespace Espalier.EndToEnd.Tests.Pages;

/// <summary>Pages as text: what is in them, and what names cannot do to them.</summary>
public sealed class PageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier pages ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A label keeps the number of its block and what follows it.</summary>
    [Theory]
    [InlineData("layers.0", 10, "layers.0")]
    [InlineData("decoder.0.attention", 17, "decod…0.attention")]
    [InlineData("model.layers.11.attention", 17, "mode…11.attention")]
    [InlineData("decoder.0.attention", 12, "decode…ntion")]
    [InlineData("patch_embedding_weight", 12, "patch_…eight")]
    public void A_label_that_is_too_long_loses_its_middle(string name, int room, string label)
        => Assert.Equal(label, Drawing.Shortened(name, room));

    [Theory]
    [InlineData("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    [InlineData("\"]]><img src=x onerror=alert(1)>", "&quot;]]&gt;&lt;img src=x onerror=alert(1)&gt;")]
    [InlineData("' style='display:none", "&#39; style=&#39;display:none")]
    [InlineData("</title></style><b>", "&lt;/title&gt;&lt;/style&gt;&lt;b&gt;")]
    [InlineData("a\u202Egnp.exe\0", "a\uFFFDgnp.exe\uFFFD")]
    public void Names_are_text_wherever_they_stand(string name, string text)
    {
        string page = ReportPage.Render([new(name, Everywhere(name), Changed(name))]);
        Assert.Contains(text, page, StringComparison.Ordinal);
        // What it says with a harmless name of that length is what it says with this one.
        string plain = new('N', name.Length);
        string harmless = ReportPage.Render([new(plain, Everywhere(plain), Changed(plain))]);
        Assert.Equal(harmless, page.Replace(text, plain, StringComparison.Ordinal));
    }

    /// <summary>The same through a model: the exporter's names come from whoever wrote the network.</summary>
    [Fact]
    public void Names_of_a_model_are_text()
    {
        var g = new GraphBuilder(seed: 5);
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "<script>alert(1)</script>", 8, 32)), "down", 32, 6));
        string model = Path.Combine(_folder, "model.onnx"), page = Path.Combine(_folder, "model.html");
        using (var built = g.Build()) built.Save(model);
        Assert.Equal(0, CommandLineTests.Run("report", model).Code);
        Assert.DoesNotContain("<script", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal(0, CommandLineTests.Run("slim", model, "-o", model + ".slim", "--keep", "0.5", "--html", page).Code);
        Assert.DoesNotContain("<script", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", File.ReadAllText(page), StringComparison.Ordinal);
    }

    [Fact]
    public void Reports_make_a_curve_of_what_was_measured_alike()
    {
        var reports = new[] { (0.5, 0.91), (0.25, 0.7) }.Select(p => new Shown(FormattableString.Invariant($"{p.Item1}"), new PruningReport
        {
            Before = new(100, 1000, 400),
            After = new(50, (long)(1000 * p.Item1), 200),
            Agreement = new(Metric.Top1, p.Item2, 64, MeasuredOn.HeldOut),
        })).ToList();
        string both = ReportPage.Render(reports);
        Assert.Contains("top-1 on 64 held-out samples", both, StringComparison.Ordinal);
        Assert.Contains("70.0 % (top-1 on 64 held-out samples) at 25.0 % of the MACs", both, StringComparison.Ordinal);
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(both, "<polyline"));
        var other = reports[1] with { Report = reports[1].Report with { Agreement = new(Metric.Cosine, 0.99, 8, MeasuredOn.Random) } };
        string apart = ReportPage.Render([reports[0], other]);
        Assert.Equal(2, System.Text.RegularExpressions.Regex.Count(apart, "<polyline"));
        Assert.Contains("cosine on 8 random inputs, which say little of the task", apart, StringComparison.Ordinal);
        Assert.DoesNotContain("<polyline", ReportPage.Render([new("x", new PruningReport())]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_comes_from_a_report_with_the_diff_beside_it_and_twice_the_same()
    {
        string model = Assets.Path("vgg.onnx"), report = At("vgg.json"), slim = At("vgg.onnx");
        Assert.Equal(0, CommandLineTests.Run("slim", model, "-o", slim, "--keep", "0.5", "--report", report, "--html", At("a.html")).Code);
        var said = CommandLineTests.Run("report", report, "--json");
        Assert.True(said.Code == 0, said.Error);
        using (var json = JsonDocument.Parse(said.Text))
            Assert.Equal(new FileInfo(At("vgg.html")).Length, json.RootElement.GetProperty("bytes").GetInt64());
        Assert.DoesNotContain("The diff", File.ReadAllText(At("vgg.html")), StringComparison.Ordinal);
        File.WriteAllText(At("vgg.diff.json"), CommandLineTests.Run("diff", model, slim, "--json").Text);
        Assert.Equal(0, CommandLineTests.Run("report", report).Code);
        Assert.Equal(File.ReadAllText(At("a.html")), File.ReadAllText(At("vgg.html")));

        Assert.Equal(0, CommandLineTests.Run("report", report, "--times", model, slim, "-o", At("timed.html")).Code);
        Assert.Matches("One run takes [0-9.]+ ms of processor time dense and [0-9.]+ ms slim", File.ReadAllText(At("timed.html")));
    }

    [Theory]
    [InlineData(2, "missing.json")]
    [InlineData(2, "MODEL", "MODEL")]
    [InlineData(2, "MODEL", "-o", "MODEL")]
    [InlineData(2, "MODEL", "--diff", "BROKEN")]
    [InlineData(3, "BROKEN")]
    public void A_mistake_is_said_and_nothing_written(int code, params string[] arguments)
    {
        File.Copy(Assets.Path("vgg.onnx"), At("model.onnx"));
        File.WriteAllText(At("broken.json"), "{");
        byte[] before = File.ReadAllBytes(At("model.onnx"));
        var refused = CommandLineTests.Run(["report", .. arguments.Select(a
            => a switch { "MODEL" => At("model.onnx"), "BROKEN" => At("broken.json"), "missing.json" => At(a), _ => a })]);
        Assert.True(refused.Code == code, refused.Error);
        Assert.NotEmpty(refused.Error);
        Assert.Empty(Directory.GetFiles(_folder, "*.html"));
        Assert.Equal(before, File.ReadAllBytes(At("model.onnx")));
    }

    private string At(string name) => Path.Combine(_folder, name);

    /// <summary>A report in which every text is this one.</summary>
    private static PruningReport Everywhere(string name) => new()
    {
        Plan = new()
        {
            Policy = name,
            Model = name,
            Prune = [new() { Name = name, Pattern = name }],
            Drop = [new() { Name = name, Pattern = name }],
            LowRank = [new() { Pattern = name }],
            Protect = [name],
            Calibration = new() { Method = name },
            Budget = new() { Components = [new(name, 0.5)] },
        },
        Before = new(10, 10, 10),
        After = new(5, 5, 5),
        Groups =
        [
            new() { Name = name, Kind = "heads", Size = 4, Kept = 2, RemovedUnits = [1, 2], Exactness = "exact", Members = [name] },
            new() { Name = name + "2", Kind = name, Size = 4, Kept = 2, RemovedUnits = [1, 2], Exactness = name, Members = [name] },
        ],
        Layers =
        [
            new()
            {
                Node = name, Operator = name, Block = name, Weight = name, Units = 4, Kept = 2, Groups = [name], MacsBefore = 8,
                MacsAfter = 4,
            },
        ],
        Frozen = [new(name, 0, name) { Chain = [name] }],
        Blocks = [name],
        Interface = [name],
        Notes = [name],
    };

    private static GraphDiff Changed(string name) => new([new(name, [4], [2])], [name], [name], [new(name, name)]);
}
