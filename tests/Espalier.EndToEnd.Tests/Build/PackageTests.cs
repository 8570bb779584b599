using System.IO.Compression;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>What the packages hold: sizes and slots are promises to those who restore them.</summary>
public sealed class PackageTests(SharedFeed feed)
{
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
        }
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
    public void The_package_that_users_add_brings_runtime_and_build_with_their_targets()
    {
        using var archive = ZipFile.OpenRead(Package("Espalier.0"));
        using var reader = new StreamReader(archive.Entries.Single(e => e.Name == "Espalier.nuspec").Open());
        var nuspec = reader.ReadToEnd();
        Assert.Contains($"<dependency id=\"Espalier.Runtime\" version=\"{PackedFeed.Version}\"", nuspec, StringComparison.Ordinal);
        Assert.Contains($"<dependency id=\"Espalier.Build\" version=\"{PackedFeed.Version}\" include=\"All\"", nuspec,
            StringComparison.Ordinal);
    }

    private List<string> Entries(string start)
    {
        using var archive = ZipFile.OpenRead(Package(start));
        return [.. archive.Entries.Select(e => e.FullName)];
    }

    private string Package(string start)
        => feed.Value.Packages.Single(p => Path.GetFileName(p).StartsWith(start, StringComparison.Ordinal));
}
