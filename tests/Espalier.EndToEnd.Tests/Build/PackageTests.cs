using System.Diagnostics;
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>What the packages hold: sizes and slots are promises to those who restore them.</summary>
public sealed partial class PackageTests(SharedFeed feed)
{
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    [Fact]
    public void The_build_package_has_one_analyzer_slot_targets_and_a_tool_without_natives()
    {
        var entries = Entries("Espalier.Build.");
        Assert.Contains("analyzers/dotnet/cs/Espalier.Generator.dll", entries);
        Assert.All(entries.Where(e => e.StartsWith("analyzers/", StringComparison.Ordinal)),
            e => Assert.StartsWith("analyzers/dotnet/cs/Espalier.", e, StringComparison.Ordinal));
        foreach (var folder in new[] { "build", "buildTransitive" })
        {
            Assert.Contains($"{folder}/Espalier.Build.props", entries);
            Assert.Contains($"{folder}/Espalier.Build.targets", entries);
            Assert.Contains($"{folder}/build.espalier-report", entries);
        }
        Assert.Contains("docs/diagnostics/README.md", entries);
        Assert.Contains("docs/diagnostics/ESP0001.md", entries);
        Assert.Contains("tools/net10.0/any/Espalier.Cli.dll", entries);
        Assert.Contains("tools/net10.0/any/Espalier.Cli.runtimeconfig.json", entries);
        Assert.DoesNotContain(entries, e => e.Contains("onnxruntime.", StringComparison.Ordinal)
            && !e.EndsWith("Microsoft.ML.OnnxRuntime.dll", StringComparison.Ordinal));
        Assert.DoesNotContain(entries, e => e.StartsWith("lib/", StringComparison.Ordinal));
        // Twice the tool: as it is for any machine, and compiled ahead for this one.
        Assert.InRange(new FileInfo(Package("Espalier.Build.")).Length, 1, 12_000_000);
    }

    /// <summary>The tool runs from the package alone: whatever the list of dependencies of its build names is beside it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_tool_in_the_build_package_has_all_that_it_needs(bool isAhead)
    {
        if (isAhead && PackedFeed.Configuration != "Release") return;
        string folder = $"tools/net10.0/{(isAhead ? Rid : "any")}/";
        using var archive = ZipFile.OpenRead(Package("Espalier.Build."));
        using var list = JsonDocument.Parse(File.ReadAllText(Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "bin",
            PackedFeed.Configuration, "net10.0", "Espalier.Cli.deps.json")));
        string[] wanted = [.. list.RootElement.GetProperty("targets").EnumerateObject().SelectMany(t => t.Value.EnumerateObject())
            .SelectMany(l => l.Value.TryGetProperty("runtime", out var files)
                ? files.EnumerateObject().Select(f => Path.GetFileName(f.Name))
                : []).Distinct().Order(StringComparer.Ordinal)];
        Assert.Contains("StbImageSharp.dll", wanted);
        Assert.Contains("MathNet.Numerics.dll", wanted);
        Assert.All(wanted, file => Assert.NotNull(archive.GetEntry(folder + file)));
        using var tool = new MemoryStream();
        using (var entry = archive.GetEntry(folder + "Espalier.Cli.dll")!.Open()) entry.CopyTo(tool);
        tool.Position = 0;
        using var image = new PEReader(tool);
        Assert.Equal(isAhead, image.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0);
    }

    private static string Rid => $"{(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")}-"
        + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    [Fact]
    public void The_package_that_users_add_brings_runtime_and_build_with_their_targets_and_is_the_tool()
    {
        string nuspec = Nuspec(Package("Espalier.0"));
        Assert.Contains($"<dependency id=\"Espalier.Runtime\" version=\"{PackedFeed.Version}\"", nuspec, StringComparison.Ordinal);
        Assert.Contains($"<dependency id=\"Espalier.Build\" version=\"{PackedFeed.Version}\" include=\"All\"", nuspec,
            StringComparison.Ordinal);
        Assert.Contains("<packageType name=\"Dependency\" />", nuspec, StringComparison.Ordinal);
        Assert.Contains("<packageType name=\"DotnetTool\" version=\"1.0\" />", nuspec, StringComparison.Ordinal);
        Assert.Contains("lib/net8.0/_._", Entries("Espalier.0"));
        Assert.InRange(new FileInfo(Package("Espalier.0")).Length, 1, 200_000);

        // The tool's project makes what the settings name.
        string project = File.ReadAllText(Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "Espalier.Cli.csproj"));
        Assert.Equal(Platforms().Match(project).Groups[1].Value.Split(';').Select(p => "Espalier.Cli." + p),
            XDocument.Parse(Text(Package("Espalier.0"), "tools/any/any/DotnetToolSettings.xml"))
                .Descendants("RuntimeIdentifierPackage").Select(e => e.Attribute("Id")!.Value));
    }

    [Fact]
    public void The_command_is_installed_under_the_name_of_the_package_and_runs()
    {
        Dotnet.Run(feed.Value.Root, "tool", "install", "espalier", "--version", PackedFeed.Version, "--tool-path", "tools").Succeeds();
        string[] arguments = ["inspect", Path.Combine(Assets.Root, "examples", "models", "resnet.onnx")];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(feed.Value.Root, "tools", "espalier"), arguments)
        {
            RedirectStandardOutput = true,
        })!;
        Assert.Contains("stem.0", process.StandardOutput.ReadToEnd(), StringComparison.Ordinal);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void Every_package_says_what_it_is_and_where_it_comes_from()
    {
        Assert.All(feed.Value.Packages, package =>
        {
            string nuspec = Nuspec(package);
            string[] wanted = ["<license type=\"expression\">MIT<", "<icon>icon.png<", "<readme>README.md<", "<tags>onnx ",
                "<projectUrl>https:", "<releaseNotes>https:", "<repository type=\"git\" url=\"https:"];
            Assert.All(wanted, text => Assert.Contains(text, nuspec, StringComparison.Ordinal));
            Assert.Equal(0x89, Entry(package, "icon.png")[0]);
            string repository = XDocument.Parse(nuspec).Descendants().Single(e => e.Name.LocalName == "projectUrl").Value;
            string readme = Text(package, "README.md");
            Assert.StartsWith("```sh\ndotnet add package Espalier\n", readme.ReplaceLineEndings("\n"), StringComparison.Ordinal);
            Assert.All(Links().Matches(readme), link
                => Assert.StartsWith(repository + "/blob/main/docs/", link.Groups[1].Value, StringComparison.Ordinal));
        });
    }

    /// <summary>Each relative link of each page leads to a page of the same package, each link to the repository to a file of it.</summary>
    [Theory]
    [InlineData("Espalier.0", "docs/README.md")]
    [InlineData("Espalier.Build.", "docs/diagnostics/README.md")]
    public void Links_of_packed_pages_lead_somewhere(string start, string page)
    {
        string package = Package(start);
        string[] pages = [.. Names(package).Where(e => e.StartsWith("docs/", StringComparison.Ordinal))];
        Assert.Contains(page, pages);
        string main = XDocument.Parse(Nuspec(package)).Descendants().Single(e => e.Name.LocalName == "projectUrl").Value + "/blob/main/";
        var lost = new List<string>();
        int absolute = 0;
        foreach (string name in pages)
        {
            foreach (string link in Links().Matches(Text(package, name)).Select(m => m.Groups[1].Value.Split('#')[0]).Where(l => l != ""))
            {
                if (link.StartsWith(main, StringComparison.Ordinal))
                {
                    absolute++;
                    if (!Path.Exists(Path.Combine(Assets.Root, link[main.Length..]))) lost.Add($"{name}: {link}");
                }
                else if (!link.Contains(':', StringComparison.Ordinal)
                    && !pages.Contains(new Uri(new Uri("file:///" + name), link).AbsolutePath[1..])) lost.Add($"{name}: {link}");
            }
        }
        Assert.True(lost.Count == 0, string.Join("\n", lost));
        Assert.NotEqual(0, absolute);
    }

    [Fact]
    public void Assemblies_are_in_packages_of_their_names_with_symbols_that_hold_the_sources()
    {
        string[] libraries = [.. feed.Value.Packages.SelectMany(package => Names(package)
            .Where(e => e.StartsWith("lib/", StringComparison.Ordinal) && e.EndsWith(".dll", StringComparison.Ordinal))
            .Select(e => $"{Path.GetFileName(package).Split("." + PackedFeed.Version)[0]} {e}"))];
        string[] names = ["Espalier.Abstractions", "Espalier.Extensions.AI", "Espalier.Extensions.DependencyInjection",
            "Espalier.Extensions.Images", "Espalier.Runtime"];
        Assert.Equal(names.Select(name => $"{name} lib/net8.0/{name}.dll"), libraries.Order(StringComparer.Ordinal));
        foreach (string library in libraries)
        {
            string symbols = Path.ChangeExtension(Package(library.Split(' ')[0] + "."), ".snupkg");
            using var provider = MetadataReaderProvider.FromPortablePdbStream(
                new MemoryStream(Entry(symbols, Path.ChangeExtension(library.Split(' ')[1], ".pdb"))));
            var reader = provider.GetMetadataReader();
            string[] paths = [.. reader.Documents.Select(d => reader.GetString(reader.GetDocument(d).Name))];
            Assert.NotEmpty(paths);
            Assert.All(reader.Documents, d => Assert.Contains(reader.GetCustomDebugInformation(d),
                i => reader.GetGuid(reader.GetCustomDebugInformation(i).Kind) == EmbeddedSource));
            if (PackedFeed.Configuration == "Release")
                Assert.All(paths, path => Assert.StartsWith("/_", path, StringComparison.Ordinal));
        }
    }

    private List<string> Entries(string start) => Names(Package(start));

    private static List<string> Names(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        return [.. archive.Entries.Select(e => e.FullName)];
    }

    private static byte[] Entry(string package, string name)
    {
        using var archive = ZipFile.OpenRead(package);
        using var stream = archive.GetEntry(name)!.Open();
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static string Text(string package, string name) => new StreamReader(new MemoryStream(Entry(package, name))).ReadToEnd();

    private static string Nuspec(string package)
        => Text(package, Names(package).Single(e => e.EndsWith(".nuspec", StringComparison.Ordinal)));

    private string Package(string start)
        => feed.Value.Packages.Single(p => Path.GetFileName(p).StartsWith(start, StringComparison.Ordinal));

    [GeneratedRegex(@"\]\(([^)]*)\)", RegexOptions.CultureInvariant)]
    private static partial Regex Links();

    [GeneratedRegex(@"<EspalierPlatforms [^>]*>([^<]*)<", RegexOptions.CultureInvariant)]
    private static partial Regex Platforms();
}
