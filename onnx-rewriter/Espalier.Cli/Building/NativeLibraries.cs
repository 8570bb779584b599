using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Espalier.Cli.Building;

/// <summary>
/// Finds ONNX Runtime's native library in the packages that the project restored. So the build's package carries none: six
/// platforms of them would be 140 MB, and the project has them anyway.
/// </summary>
internal static class NativeLibraries
{
    /// <summary>Makes the process look there when it finds no library of its own.</summary>
    /// <param name="natives">Native files of the project's packages, for whichever platform the project is built.</param>
    public static void Register(IReadOnlyList<string> natives)
    {
        if (natives.Count == 0) return;
        AssemblyLoadContext.Default.ResolvingUnmanagedDll += (_, name) =>
            Find(name, natives) is { } path ? NativeLibrary.Load(path) : IntPtr.Zero;
    }

    /// <summary>The file that has a library for this machine, or null.</summary>
    /// <param name="name">As code names it: with or without prefix and extension.</param>
    /// <param name="natives">Native files of the project's packages.</param>
    public static string? Find(string name, IEnumerable<string> natives)
    {
        foreach (var native in natives)
        {
            // …/runtimes/<rid>/native/file: the project may be built for another machine, but the package has this one's too.
            var folder = Path.GetDirectoryName(native)!;
            var runtimes = Path.GetDirectoryName(Path.GetDirectoryName(folder));
            var own = runtimes is not null && Path.GetFileName(runtimes) == "runtimes" ? Path.Combine(runtimes, Rid, "native") : folder;
            foreach (var file in Variants(name))
            {
                if (File.Exists(Path.Combine(own, file))) return Path.Combine(own, file);
            }
        }
        return null;
    }

    private static string Rid => $"{Platform}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    private static string Platform => OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";

    private static IEnumerable<string> Variants(string name)
    {
        var bare = name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? name[..^4] : name;
        return OperatingSystem.IsWindows() ? [bare + ".dll"]
            : OperatingSystem.IsMacOS() ? [name, $"lib{bare}.dylib", bare + ".dylib"]
            : [name, $"lib{bare}.so", bare + ".so"];
    }
}
