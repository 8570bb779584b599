using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace Espalier.EndToEnd.Tests;

/// <summary>
/// The packages, packed once from what the solution built into a folder that serves as a feed, and the clean machine's NuGet
/// settings: the feed first, then the default one. Packages that this machine has already are used in place.
/// </summary>
public sealed class PackedFeed : IDisposable
{
    private static readonly string[] Packed = ["dsl/Espalier", "runtime/Espalier.Runtime", "generator/Espalier.Build", "generator/Espalier.Package"];

    /// <summary>Packs.</summary>
    public PackedFeed()
    {
        // A space, since users' folders have them.
        Root = Directory.CreateTempSubdirectory("espalier e2e ").FullName;
        var feed = Directory.CreateDirectory(Path.Combine(Root, "feed")).FullName;
        foreach (var project in Packed)
            Dotnet.Run(RepositoryRoot, "pack", Path.Combine(RepositoryRoot, project), "--no-build", "-c", Configuration, "-o", feed, "-p:PackageVersion=" + Version, "-p:Version=" + Version).Succeeds();
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

    public static string RepositoryRoot => Metadata("Espalier.RepositoryRoot");

    public static string Configuration => Metadata("Espalier.Configuration");

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

    private static string Metadata(string key) => typeof(PackedFeed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}

/// <summary>Shares one feed among all tests of packages.</summary>
[CollectionDefinition(Name)]
public sealed class PackedCollection : ICollectionFixture<PackedFeed>
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "packages";
}

/// <summary>Runs the dotnet command as a user does.</summary>
internal static class Dotnet
{
    /// <summary>Runs it to the end.</summary>
    public static DotnetText Run(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        // The test host's own settings are not a user's: they would make the inner build believe that it runs inside MSBuild.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase) || k.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)
            || k.StartsWith("COREHOST", StringComparison.OrdinalIgnoreCase) || k is "DOTNET_HOST_PATH" or "DOTNET_CLI_TELEMETRY_SESSIONID").ToList())
            start.Environment.Remove(name);
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        // Servers would outlive the tests and hold files of the temporary folder.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new DotnetText(process.ExitCode, output + error.Result, string.Join(' ', arguments));
    }
}
