using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Espalier.TestKit.Packages;

/// <summary>
/// The packages, packed once from what the solution built into a folder that serves as a feed, and the clean machine's NuGet
/// settings: the feed first, then the default one. Packages that this machine has already are used in place.
/// </summary>
public sealed class PackedFeed : IDisposable
{
    private static readonly string[] Packed = ["dsl/Espalier", "runtime/Espalier.Runtime", "generator/Espalier.Build",
        "generator/Espalier.Package", "generator/Espalier.Templates", "onnx-rewriter/Espalier.Cli",
        "runtime/Espalier.Extensions.DependencyInjection", "runtime/Espalier.Extensions.AI", "runtime/Espalier.Extensions.Images"];

    /// <summary>Packs.</summary>
    public PackedFeed()
    {
        // A space, since users' folders have them.
        Root = Directory.CreateTempSubdirectory("espalier e2e ").FullName;
        var feed = Directory.CreateDirectory(Path.Combine(Root, "feed")).FullName;
        foreach (var project in Packed)
            Dotnet.Run(Assets.Root, "pack", Path.Combine(Assets.Root, project), "--no-build", "-c", Configuration, "-o", feed,
                "-p:PackageVersion=" + Version, "-p:Version=" + Version,
                "-p:EspalierPlatforms=" + RuntimeInformation.RuntimeIdentifier).Succeeds();
        Packages = Directory.GetFiles(feed, "*.nupkg");
        File.WriteAllText(Path.Combine(Root, "NuGet.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="packages" /></config>
              <fallbackPackageFolders><add key="machine" value="{MachinePackages}" /></fallbackPackageFolders>
              <packageSources><add key="espalier" value="feed" /></packageSources>
            </configuration>
            """);
        // Nothing above the temporary folder may have a say.
        File.WriteAllText(Path.Combine(Root, "Directory.Build.props"), "<Project />");
        File.WriteAllText(Path.Combine(Root, "Directory.Build.targets"), "<Project />");
        File.WriteAllText(Path.Combine(Root, "Directory.Packages.props"), "<Project />");
    }

    /// <summary>The folder that everything is in.</summary>
    public string Root { get; }

    /// <summary>The packed files.</summary>
    public IReadOnlyList<string> Packages { get; }

    /// <summary>A version that no machine has in its cache.</summary>
    public static string Version { get; } = "0.1.0-e2e." + DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture);

    /// <summary>Debug or Release, as the tests were built.</summary>
    public static string Configuration { get; }
        = typeof(PackedFeed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(a => a.Key == "Espalier.Configuration").Value!;

    private static string MachinePackages => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            Directory.Delete(Root, recursive: true);
        }
        catch (IOException)
        {
            // A compiler server may still hold a package's generator; the folder is temporary.
        }
    }
}
