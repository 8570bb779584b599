using System.Diagnostics;
using System.Text;

namespace Espalier.Fuzz;

/// <summary>
/// This program, started again: a file may end the process that works on it, and must not end the one that
/// counts.
/// </summary>
internal static class Child
{
    /// <summary>
    /// Most managed memory of a child: a file that demands more ends in an exception, not with the machine.
    /// </summary>
    private const string HeapLimit = "0x80000000";

    /// <summary>Most address space of a child that runs models, in KB.</summary>
    private const string SpaceLimit = "16000000";

    /// <summary>Exit code of a child that gave up on a file that took too long.</summary>
    public const int Hung = 90;

    /// <summary>Starts it.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="runsModels">Whether native code may want memory without end.</param>
    /// <param name="arguments">What it is told.</param>
    public static Process Start(string folder, bool runsModels, params string[] arguments)
    {
        var program = Path.Combine(folder, "Espalier.Fuzz" + (OperatingSystem.IsWindows() ? ".exe" : ""));
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = runsModels,
            RedirectStandardOutput = runsModels,
            RedirectStandardError = true
        };
        if (runsModels && File.Exists("/bin/sh"))
        {
            start.FileName = "/bin/sh";
            foreach (var word in (string[])["-c", $"ulimit -v {SpaceLimit}; exec \"$0\" \"$@\"", program]) start.ArgumentList.Add(word);
        }
        foreach (var argument in (string[])["inner", .. arguments]) start.ArgumentList.Add(argument);
        start.Environment["DOTNET_GCHeapHardLimit"] = runsModels ? "0x40000000" : HeapLimit;
        // Files of some megabytes come and go: without these the collector would be half of the work.
        start.Environment["DOTNET_GCRetainVM"] = "1";
        start.Environment["DOTNET_GCgen0size"] = "0x1000000";
        start.Environment["DOTNET_GCLOHThreshold"] = "0x800000";
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} does not start.");
    }

    /// <summary>The end of what it says on its error stream, read while it works.</summary>
    public static StringBuilder Errors(Process process)
    {
        var text = new StringBuilder();
        process.ErrorDataReceived += (_, line) =>
        {
            lock (text)
                if (line.Data is not null && text.Length < 8000) text.AppendLine(line.Data);
        };
        process.BeginErrorReadLine();
        return text;
    }
}
