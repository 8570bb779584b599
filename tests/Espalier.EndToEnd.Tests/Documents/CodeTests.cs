using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>
/// The code of the pages for users, as it stands there: one project with the packages has it all, a namespace for each page. It is
/// built, models are slimmed by its policies, and its statements run.
/// </summary>
public sealed partial class CodeTests(Build.SharedFeed feed)
{
    /// <summary>What the pages take for given: names that a reader's own program has.</summary>
    private const string Given = """
        using System.IO.Compression;
        using System.Text.RegularExpressions;
        using Espalier;

        internal static class Given
        {
            private static readonly Dictionary<string, long> Vocabulary = File.ReadLines("models/bert-vocab.txt")
                .Select((word, i) => (word, i)).ToDictionary(w => w.word, w => (long)w.i);

            public static CancellationToken cancellationToken => default;

            public static IEnumerable<TensorData<float>> TrainingImages
            {
                get
                {
                    using var file = new GZipStream(File.OpenRead("models/calibration-images-idx3-ubyte.gz"), CompressionMode.Decompress);
                    file.ReadExactly(new byte[16]);
                    var pixels = new byte[784];
                    for (int i = 0; i < 64; i++)
                    {
                        file.ReadExactly(pixels);
                        yield return new TensorData<float>(pixels.Select(p => p / 255f).ToArray(), 1, 1, 28, 28);
                    }
                }
            }

            public static IEnumerable<(TensorData<long> Ids, TensorData<long> Mask)> Verses => File
                .ReadLines("models/bert-calibration.tsv").Take(40).Select(line =>
                {
                    var words = Regex.Matches(line.Split('\t')[^1].ToLowerInvariant(), "[a-z]+").Select(m => m.Value).Take(62);
                    long[] ids = [.. words.Prepend("[CLS]").Append("[SEP]")
                        .Select(w => Vocabulary.GetValueOrDefault(w, Vocabulary["[UNK]"]))];
                    return (new TensorData<long>(ids, 1, ids.Length), new TensorData<long>(ids.Select(_ => 1L).ToArray(), 1, ids.Length));
                });

            public static TensorData<float> image => TrainingImages.First();

            public static TensorData<long> ids => Verses.First().Ids;

            public static TensorData<long> mask => Verses.First().Mask;
        }
        """;

    /// <summary>Usings that a web project has of itself, and what a page says at its first policy.</summary>
    private static readonly string[] Usings = ["using Espalier;", "using Espalier.Runtime;", "using Microsoft.AspNetCore.Builder;",
        "using Microsoft.Extensions.DependencyInjection;", "using static Given;"];

    /// <summary>The page whose policy other pages go on with.</summary>
    private const string First = "docs/policies.md";

    /// <summary>A page whose XML is of another project, and the test that has that.</summary>
    private static readonly (string Page, string File) Elsewhere
        = ("docs/build.md", "tests/Espalier.EndToEnd.Tests/Build/CalibratedBuildTests.cs");

    private static IEnumerable<MarkdownPage> Pages => MarkdownPage.All.Where(p => !p.IsForContributors && !p.IsOfADiagnostic);

    [Fact]
    public void Code_of_every_page_builds_and_runs()
    {
        var app = new Workspace(feed.Value, "Documents");
        Models(app, "resnet.onnx", "bert.onnx", "bert-vocab.txt", "bert-calibration.tsv", "calibration-images-idx3-ubyte.gz");
        ReaderFiles.Photos(app["photos"]);
        ReaderFiles.Encoder(app["models/minilm.onnx"], app["models/vocab.txt"], app["data/sentences.txt"]);
        var (items, program) = (new SortedSet<string>(StringComparer.Ordinal), new StringBuilder());
        foreach (var page in Pages)
        {
            foreach (var element in page.Of("xml").Where(_ => page.Path != Elsewhere.Page).SelectMany(Elements))
                items.Add(Feed(element.ToString()));
            foreach (var block in page.Of("json")) app.Write("appsettings.json", block.Text);
            if (!page.Of("csharp").Any(b => !IsFile(b))) continue;
            app.Write($"{Name(page.Path)}.cs", Source(page));
            program.Append(CultureInfo.InvariantCulture,
                $"Console.WriteLine(\"{page.Path}\");\nawait {Name(page.Path)}.Statements.Run();\n");
        }
        items.RemoveWhere(i => i.Contains("Include=\"Espalier\"", StringComparison.Ordinal)); // the project has it already
        app.Project(string.Concat(items) + "<FrameworkReference Include=\"Microsoft.AspNetCore.App\" />",
            properties: "<NoWarn>$(NoWarn);CS8321;CS0219</NoWarn>").Write("Given.cs", Given).Write("Program.cs", program.ToString());
        app.Run("run", "-c", "Release").Succeeds().Says(Pages.Last(p => p.Of("csharp").Any(b => !IsFile(b))).Path);
    }

    [Fact]
    public void Programs_of_one_file_run()
    {
        var files = Pages.SelectMany(p => p.Of("csharp")).Where(IsFile).ToList();
        Assert.NotEmpty(files);
        foreach (var (index, file) in files.Index())
        {
            var app = new Workspace(feed.Value, $"File {index.ToString(CultureInfo.InvariantCulture)} of the pages");
            Models(app, "resnet.onnx");
            app.Write("app.cs", Feed(file.Text)).Run("run", "app.cs").Succeeds().Says("MACs");
            app.Run("clean", "app.cs").Succeeds();
        }
    }

    [Fact]
    public void Properties_of_another_project_are_those_of_its_test()
    {
        string text = File.ReadAllText(Path.Combine(Assets.Root, Elsewhere.File));
        var elements = MarkdownPage.All.Single(p => p.Path == Elsewhere.Page).Of("xml").SelectMany(Elements).ToList();
        Assert.NotEmpty(elements);
        Assert.All(elements, e => Assert.Contains(e.ToString(), text, StringComparison.Ordinal));
    }

    private static void Models(Workspace app, params string[] names)
    {
        Directory.CreateDirectory(app["models"]);
        foreach (string name in names) File.Copy(Assets.Path(name), app["models/" + name]);
    }

    private static IEnumerable<XElement> Elements(MarkdownBlock block) => XElement.Parse($"<x>{block.Text}</x>").Elements();

    /// <summary>With the version that the feed has.</summary>
    private static string Feed(string text) => Version().Replace(text, m => m.Groups[1].Value + PackedFeed.Version);

    private static bool IsFile(MarkdownBlock block) => block.Text.StartsWith("#:", StringComparison.Ordinal);

    private static string Name(string path) => NotInName().Replace(path, "_");

    /// <summary>Declarations as they are; statements, which may repeat names of one another, in a method for each block.</summary>
    private static string Source(MarkdownPage page)
    {
        var usings = new SortedSet<string>(Usings, StringComparer.Ordinal);
        var (types, methods, calls) = (new StringBuilder(), new StringBuilder(), new StringBuilder());
        foreach (var block in page.Of("csharp").Where(b => !IsFile(b)))
        {
            var unit = SyntaxFactory.ParseCompilationUnit(block.Text);
            usings.UnionWith(unit.Usings.Select(u => u.ToString()));
            string text = unit.WithUsings(default).ToFullString();
            string line = string.Create(CultureInfo.InvariantCulture, $"#line {block.Line + 1} \"{page.Path}\"\n");
            if (unit.Members.OfType<GlobalStatementSyntax>().Any())
            {
                methods.Append(CultureInfo.InvariantCulture, $"static async Task Block{block.Line}()\n{{\n{line}{text}\n")
                    .Append("await Task.Yield();\n}\n");
                calls.Append(CultureInfo.InvariantCulture, $"await Block{block.Line}();\n");
            }
            else types.Append(line).Append(text).Append('\n');
        }
        bool hasPolicy = types.ToString().Contains("class SlimBert", StringComparison.Ordinal);
        if (!hasPolicy) usings.Add($"using {Name(First)};");
        return $$"""
            {{string.Join('\n', usings)}}
            namespace {{Name(page.Path)}}
            {
            {{types}}
            internal static class Statements
            {
            public static async Task Run()
            {
            {{calls}}await Task.Yield();
            }
            {{methods}}}
            }
            """;
    }

    [GeneratedRegex("[^A-Za-z0-9]", RegexOptions.CultureInvariant)]
    private static partial Regex NotInName();

    [GeneratedRegex("(<PackageReference Include=\"Espalier[A-Za-z.]*\" Version=\"|#:package Espalier@)[0-9.]+",
        RegexOptions.CultureInvariant)]
    private static partial Regex Version();
}
