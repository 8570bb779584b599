using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Espalier.Evaluation.Real;

/// <summary>Text and pictures out of packages of Debian, downloaded and unpacked into the cache but not installed.</summary>
internal static class Debian
{
    public const string Fortunes = "fortunes", WordNet = "wordnet-base", OpenCv = "opencv-doc", Stamps = "tuxpaint-stamps-default",
        Fashion = "dataset-fashion-mnist", Speech = "alsa-utils", BibleText = "bible-kjv-text", BibleReader = "bible-kjv";

    /// <summary>Packages with photographs, in the order in which these are listed.</summary>
    public static readonly string[] Pictures = ["lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds",
        "ukui-wallpapers", "plasma-workspace-wallpapers", OpenCv, "python3-skimage"];

    private static readonly string[] All = [Fortunes, WordNet, Stamps, Fashion, Speech, BibleText, BibleReader, .. Pictures];

    /// <summary>Folder of an unpacked package.</summary>
    public static string Folder(Places places, string package) => Path.Combine(places.Cache, "debian", package);

    /// <summary>
    /// Section, tab, package, tab, its description in one line: what the machine's package lists had when data were fetched.
    /// </summary>
    public static string Descriptions(Places places) => places.Made("debian", "descriptions.tsv");

    /// <summary>All verses of the King James Bible, each with its place: <c>Ge1:1 In the beginning …</c>.</summary>
    public static string Bible(Places places) => places.Made("debian", "bible.txt");

    /// <summary>Why the data are not there; null where they are.</summary>
    public static string? Missing(Places places)
        => All.All(p => Directory.Exists(Folder(places, p))) && File.Exists(Descriptions(places)) && File.Exists(Bible(places))
            ? null
            : $"'{places.Cache}' has not the data of the real networks: dotnet run -c Release --project tests/Espalier.Evaluation -- "
                + "real data fetches them (500 MB, apt-get download).";

    /// <summary>Fetches what is not there yet.</summary>
    /// <exception cref="EspalierException">A package cannot be had.</exception>
    public static void Fetch(Places places, Action<string> say)
    {
        string downloads = Path.GetDirectoryName(places.Made("debian", "downloads", "x"))!;
        foreach (string package in All.Where(p => !Directory.Exists(Folder(places, p))))
        {
            say(package);
            Run("apt-get", ["download", package], downloads);
            string file = Directory.EnumerateFiles(downloads, $"{package}_*.deb").Order(StringComparer.Ordinal).Last();
            string partial = Folder(places, package) + ".partial";
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
            Run("dpkg-deb", ["-x", file, partial], downloads);
            Directory.Move(partial, Folder(places, package));
            File.Delete(file);
        }
        if (!File.Exists(Descriptions(places)))
        {
            say("descriptions of packages");
            Whole.Write(Descriptions(places), Encoding.UTF8.GetBytes(Described(Run("apt-cache", ["dumpavail"], downloads))));
        }
        if (!File.Exists(Bible(places)))
        {
            // The text is packed in a form of its own, which its reader unpacks.
            string reader = Path.Combine(Folder(places, BibleReader), "usr", "bin", "bible");
            string packed = Path.Combine(Folder(places, BibleText), "usr", "lib");
            Whole.Write(Bible(places), Encoding.UTF8.GetBytes(Run(reader, ["-p", packed, "-f", "gen1:1-rev22:21"], downloads)));
        }
    }

    private static string Described(string available)
    {
        var lines = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string entry in available.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = entry.Split('\n');
            string? Field(string name) => fields.FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.Ordinal))?
                [(name.Length + 2)..].Trim();
            if (Field("Package") is { } package && Field("Section") is { } section && Field("Description") is { } description)
                lines.Add($"{section}\t{package}\t{description}");
        }
        return lines.Count > 0
            ? string.Join('\n', lines) + "\n"
            : throw new EspalierException("apt-cache knows no packages; run apt-get update first.");
    }

    private static string Run(string program, string[] arguments, string folder)
    {
        string command = $"{program} {string.Join(' ', arguments)}";
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0
                ? output
                : throw new EspalierException($"'{command}' ended with {process.ExitCode}; apt-get update may help. {errors.Result}");
        }
        catch (Win32Exception e)
        {
            throw new EspalierException($"'{command}' cannot be run, which Debian and its relatives have: {e.Message}", e);
        }
    }
}
