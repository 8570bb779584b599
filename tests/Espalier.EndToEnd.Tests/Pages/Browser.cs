using System.Diagnostics;
using StbImageSharp;

namespace Espalier.EndToEnd.Tests.Pages;

/// <summary>Chromium without a window; a test that needs one is skipped where there is none.</summary>
internal static class Browser
{
    private static readonly string[] Programs = ["chromium", "chromium-browser", "google-chrome", "chrome"];

    /// <summary>The page as the browser understood it, and what it wrote to its console.</summary>
    public static (string Page, IReadOnlyList<string> Console) Read(string file)
    {
        var (output, error) = Run(file, "--dump-dom", "--enable-logging=stderr");
        return (output, [.. error.Split('\n').Where(l => l.Contains("CONSOLE", StringComparison.Ordinal))]);
    }

    /// <summary>What a reader sees.</summary>
    public static ImageResult Look(string file, bool dark)
    {
        string picture = Path.ChangeExtension(file, dark ? ".dark.png" : ".light.png");
        Run(file, $"--blink-settings=preferredColorScheme={(dark ? 0 : 1)}", $"--screenshot={picture}", "--window-size=1200,900",
            "--hide-scrollbars");
        return ImageResult.FromMemory(File.ReadAllBytes(picture), ColorComponents.RedGreenBlue);
    }

    private static (string Output, string Error) Run(string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(Find()) { RedirectStandardOutput = true, RedirectStandardError = true };
        // It refuses to put root in its sandbox, which containers run as; what it opens here is our own page.
        foreach (string argument in (string[])["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            $"--user-data-dir={file}.profile", .. arguments, new Uri(file).AbsoluteUri]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        return (output, error.Result);
    }

    private static string Find()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        string? found = Programs.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Assert.SkipWhen(found is null, "No browser: install chromium (Debian: apt-get install chromium), and pages are looked at.");
        return found!;
    }
}
