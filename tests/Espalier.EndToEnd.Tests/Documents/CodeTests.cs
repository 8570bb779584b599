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
        using Espalier;

        internal static class Given
        {
            private static readonly Random Random = new(1);

            public static CancellationToken cancellationToken => default;

            /// <summary>784 grey values each.</summary>
            public static IEnumerable<float[]> TrainingImages
            {
                get
                {
                    using var file = new GZipStream(File.OpenRead("models/calibration-images-idx3-ubyte.gz"), CompressionMode.Decompress);
                    file.ReadExactly(new byte[16]);
                    var pixels = new byte[784];
                    for (int i = 0; i < 32; i++)
                    {
                        file.ReadExactly(pixels);
                        yield return [.. pixels.Select(p => p / 255f)];
                    }
                }
            }

            public static TensorData<float> image => new([.. Enumerable.Range(0, 784).Select(_ => Random.NextSingle())], [1, 1, 28, 28]);

            public static TensorData<long> ids => new([.. Enumerable.Range(0, 32).Select(_ => Random.NextInt64(5, 500))], [1, 32]);

            public static TensorData<long> mask => new([.. Enumerable.Repeat(1L, 32)], [1, 32]);
        }
        """;

    [Fact]
    public void Code_of_every_page_builds_and_runs()
    {
        var app = new Workspace(feed.Value, "Documents");
        foreach (string source in (string[])["examples/models", "tests/assets"])
            foreach (string file in Directory.GetFiles(Path.Combine(Assets.Root, source)))
            {
                Directory.CreateDirectory(app["models"]);
                File.Copy(file, Path.Combine(app["models"], Path.GetFileName(file)), overwrite: true);
            }
        var pages = MarkdownPage.All.Where(p => !p.IsForContributors && p.Blocks.Any(b => b.Language is "csharp" or "xml")).ToList();
        Assert.NotEmpty(pages);
        var (items, properties) = (new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal));
        var program = new StringBuilder();
        foreach (var page in pages)
        {
            foreach (var element in page.Of("xml").SelectMany(b => XElement.Parse($"<x>{b.Text}</x>").Elements()))
                (element.HasAttributes ? items : properties).Add(element.ToString());
            if (!page.Of("csharp").Any()) continue;
            string name = NotInName().Replace(page.Path, "_");
            app.Write($"{name}.cs", Source(page, name));
            program.Append(CultureInfo.InvariantCulture, $"Console.WriteLine(\"{page.Path}\");\nawait {name}.Statements.Run();\n");
        }
        items.RemoveWhere(i => i.Contains("PackageReference Include=\"Espalier\"", StringComparison.Ordinal));
        app.Project(string.Concat(items), properties: string.Concat(properties) + "<NoWarn>$(NoWarn);CS8321;CS0219</NoWarn>")
            .Write("Given.cs", Given).Write("Program.cs", program.ToString());
        app.Run("run", "-c", "Release").Succeeds();
    }

    /// <summary>Declarations as they are; statements, which may repeat names of one another, in a method for each block.</summary>
    private static string Source(MarkdownPage page, string name)
    {
        var (usings, types, methods, calls) = (new SortedSet<string>(StringComparer.Ordinal), new StringBuilder(), new StringBuilder(),
            new StringBuilder());
        foreach (var block in page.Of("csharp"))
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
        return $$"""
            {{string.Join('\n', usings)}}
            using Espalier;
            using Espalier.Runtime;
            using static Given;
            #pragma warning disable CS0105 // a page may say what every file here has
            namespace {{name}};
            {{types}}
            internal static class Statements
            {
            public static async Task Run()
            {
            {{calls}}await Task.Yield();
            }
            {{methods}}}
            """;
    }

    [GeneratedRegex("[^A-Za-z0-9]", RegexOptions.CultureInvariant)]
    private static partial Regex NotInName();
}
