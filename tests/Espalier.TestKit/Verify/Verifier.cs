using System.Reflection;
using System.Runtime.CompilerServices;

namespace VerifyXunit;

/// <summary>
/// Snapshots with the conventions of Verify.XunitV3, whose core package the feed at hand does not serve: a value is compared with
/// <c>Class.Method.verified.txt</c> beside the test. With <c>-p:UseVerify=true</c> the real package takes this class's place on
/// the same files.
/// </summary>
/// <remarks>
/// A snapshot that is new or differs fails the test and leaves <c>*.received.*</c>; with the environment variable
/// <c>VERIFY_ACCEPT=1</c> it is accepted instead.
/// <c>Class</c> is the name of the source file, as it is the class's in this repository.
/// </remarks>
internal static class Verifier
{
    /// <summary>Compares text with the snapshot.</summary>
    /// <param name="target">The text.</param>
    /// <param name="settings">Another name for the snapshot.</param>
    /// <param name="sourceFile">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static SettingsTask Verify(string? target, VerifySettings? settings = null,
    [CallerFilePath] string sourceFile = "", [CallerMemberName] string member = "")
        => new(target
            ?? "null", "txt", SourceDirectory(Assembly.GetCallingAssembly(), sourceFile), Path.GetFileNameWithoutExtension(sourceFile),
            member, settings);

    /// <summary>Compares text of another kind, such as C#, with the snapshot.</summary>
    /// <param name="target">The text.</param>
    /// <param name="extension">Extension of the snapshot, without a dot.</param>
    /// <param name="settings">Another name for the snapshot.</param>
    /// <param name="sourceFile">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static SettingsTask Verify(string? target, string extension, VerifySettings? settings = null,
    [CallerFilePath] string sourceFile = "", [CallerMemberName] string member = "")
        => new(target
            ?? "null", extension, SourceDirectory(Assembly.GetCallingAssembly(), sourceFile), Path.GetFileNameWithoutExtension(sourceFile),
            member, settings);

    /// <summary>Compares the text of a value (its <c>ToString()</c>) with the snapshot.</summary>
    /// <param name="target">A value with a stable text, such as <c>GraphDiff</c>.</param>
    /// <param name="settings">Another name for the snapshot.</param>
    /// <param name="sourceFile">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static SettingsTask Verify(object? target, VerifySettings? settings = null,
    [CallerFilePath] string sourceFile = "", [CallerMemberName] string member = "")
        => new(FormattableString.Invariant($"{target ?? "null"}"), "txt", SourceDirectory(Assembly.GetCallingAssembly(), sourceFile),
            Path.GetFileNameWithoutExtension(sourceFile), member, settings);

    /// <summary>The folder of a source file, also where a deterministic build has mapped its path to <c>/_/…</c>.</summary>
    private static string SourceDirectory(Assembly assembly, string sourceFile)
    {
        if (File.Exists(sourceFile)) return Path.GetDirectoryName(sourceFile)!;
        var project = assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => a.Key == "Verify.ProjectDirectory")?.Value
            ?? throw new InvalidOperationException(
                $"{assembly.GetName().Name} does not state Verify.ProjectDirectory, so the folder of {sourceFile} is not known.");
        var name = '/' + Path.GetFileName(Path.TrimEndingDirectorySeparator(project)) + '/';
        var path = sourceFile.Replace('\\', '/');
        var at = path.LastIndexOf(name, StringComparison.Ordinal);
        return Path.GetDirectoryName(Path.Combine(project, at < 0 ? "" : path[(at + name.Length)..]))!;
    }
}
