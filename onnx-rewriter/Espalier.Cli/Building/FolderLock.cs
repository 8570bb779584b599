namespace Espalier.Cli.Building;

/// <summary>
/// One build at a time writes to a folder: editors, test runners and solutions build a project several times at once. The system gives
/// the lock back when the process ends, however it ends; the file stays and means nothing.
/// </summary>
internal static class FolderLock
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "build.lock";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50), Silence = TimeSpan.FromSeconds(10);

    /// <summary>Waits until no other process has the folder.</summary>
    /// <returns>Ends the lock.</returns>
    public static IDisposable Enter(string folder, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, FileName);
        for (var waited = TimeSpan.Zero; ; waited += Step)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (waited == Silence) terminal.Error.WriteLine($"espalier: waiting for another build that writes to {folder}");
                if (cancellationToken.WaitHandle.WaitOne(Step)) cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    // A sharing or lock violation on Windows; EWOULDBLOCK of Linux and of macOS.
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;
}
