using Espalier.Cli.Host;

namespace Espalier.Cli.Building;

/// <summary>
/// Builds of one project that run at once, as editors, test runners and solutions start them: one at a time writes to a folder, and a
/// file that another process is writing is waited for.
/// </summary>
internal static class FolderLock
{
    /// <summary>Name of the file that is locked. The system gives the lock back when the process ends, however it ends; the file stays and
    /// means nothing.</summary>
    public const string FileName = "build.lock";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50), Silence = TimeSpan.FromSeconds(10),
        LongestCompilation = TimeSpan.FromMinutes(2);

    /// <summary>Waits until no other process has the folder.</summary>
    /// <returns>Ends the lock.</returns>
    public static IDisposable Enter(string folder, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, FileName);
        return Wait(() => new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0), waited =>
        {
            if (waited == Silence) terminal.Error.WriteLine($"espalier: waiting for another build that writes to {folder}");
            if (cancellationToken.WaitHandle.WaitOne(Step)) cancellationToken.ThrowIfCancellationRequested();
            return true;
        });
    }

    /// <summary>Opens a file that the compiler of another build may be writing, once it is whole.</summary>
    /// <exception cref="IOException">It is not for minutes, or it is not there.</exception>
    public static FileStream OpenRead(string path) => Wait(() => File.OpenRead(path), waited =>
    {
        Thread.Sleep(Step);
        return waited < LongestCompilation;
    });

    private static FileStream Wait(Func<FileStream> open, Func<TimeSpan, bool> goOn)
    {
        for (var waited = TimeSpan.Zero; ; waited += Step)
        {
            try
            {
                return open();
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (!goOn(waited)) throw;
            }
        }
    }

    // A sharing or lock violation on Windows; EWOULDBLOCK of Linux and of macOS.
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;
}
