using System.Text.RegularExpressions;

namespace Espalier.Cli.Building;

/// <summary>
/// An error or a warning of the build. The ids from ESPB001 to ESPB007 are those of the targets, which say what needs no tool.
/// </summary>
/// <param name="Place">A file with its full path, and line and column in brackets where they are known.</param>
internal sealed partial record BuildMessage(string Place, string Id, string Text)
{
    /// <summary>A model cannot be read.</summary>
    public const string Malformed = "ESPB010";

    /// <summary>A plan cannot be carried out.</summary>
    public const string Refused = "ESPB011";

    /// <summary>A warning: the slim model answers otherwise more often than not.</summary>
    public const string Drifted = "ESPB012";

    /// <summary>
    /// A place in the source with its full path, as the compiler names it. Assemblies hold paths relative to the project's folder, and
    /// mere names of files outside it, which stay as they are.
    /// </summary>
    public static string Full(string location, string project)
    {
        string folder = Path.GetDirectoryName(project) ?? "", file = Position().Replace(location, "");
        return File.Exists(Path.Combine(folder, file)) ? Path.GetFullPath(Path.Combine(folder, location)) : location;
    }

    /// <summary>As MSBuild and editors read it in what a command prints: <c>file(line,column) : error CODE: text</c>.</summary>
    public override string ToString() => $"{Place} : {(Id == Drifted ? "warning" : "error")} {Id}: {Text}";

    [GeneratedRegex(@"\([0-9]+,[0-9]+\)$", RegexOptions.CultureInvariant)]
    private static partial Regex Position();
}
