using System.Text;

namespace Espalier.Onnx.Files;

/// <summary>
/// Files that appear together or not at all. They are written under other names in the same directory and renamed at the
/// end; what was there before stays until then, and comes back when a rename fails.
/// </summary>
/// <remarks>
/// A rename puts the whole new file in the place of the whole old one, so that a process may be killed at any moment: no
/// file is ever missing or half. What such a process leaves has a name that begins with a dot and ends with <c>.tmp</c>; it
/// is in nobody's way, and the next one that writes the same file removes it after <see cref="Stale"/>.
/// The disk is not flushed: a power cut right after is for the build to repeat.
/// </remarks>
internal sealed class OutputFiles : IDisposable
{
    /// <summary>From this age on a file that was not given its name belongs to nobody: who wrote it has ended by then.</summary>
    public static readonly TimeSpan Stale = TimeSpan.FromHours(1);

    private const string Extension = ".tmp";

    // All random names are of one length.
    private static readonly int EndLength = $".{Path.GetRandomFileName()}{Extension}".Length;

    /// <summary>All that were not given their names yet, of all threads.</summary>
    private static readonly HashSet<string> Pending = new(StringComparer.Ordinal);

    private readonly List<Output> _files = [];

    /// <summary>Removes what was not given its name, before the process is ended in the midst of its work.</summary>
    public static void Abandon()
    {
        lock (Pending) foreach (string file in Pending) DeleteQuietly(file);
    }

    /// <summary>A file to be renamed.</summary>
    /// <param name="Temporary">What it is called until then.</param>
    /// <param name="Target">What it will be called.</param>
    /// <param name="NamedAfterContent">Whether what has this name already can only be equal.</param>
    private sealed record Output(string Temporary, string Target, bool NamedAfterContent = false);

    /// <summary>A new file that is to have the name <paramref name="target"/>. The main file comes last.</summary>
    public FileStream Create(string target)
    {
        string temporary = Temporary(target, Path.GetRandomFileName());
        lock (Pending) Pending.Add(temporary);
        var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 64 * 1024);
        _files.Add(new(temporary, target));
        return stream;
    }

    /// <summary>A new file with a text, in UTF-8 without a byte order mark.</summary>
    public void Add(string target, string text)
    {
        using var stream = Create(target);
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Gives the file that was created last another target, which says what is in it.</summary>
    internal void NameAfterContent(string target) => _files[^1] = _files[^1] with { Target = target, NamedAfterContent = true };

    private static string Temporary(string target, string random)
        => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(target))!, $".{Path.GetFileName(target)}.{random}{Extension}");

    /// <summary>Gives the files their names. All streams are closed.</summary>
    /// <exception cref="IOException">A file cannot be replaced; everything is as it was.</exception>
    public void Commit()
    {
        var (backups, placed) = (new List<(string Backup, string Target)>(), new List<string>());
        try
        {
            // Copies: the files themselves must not be missing for a moment. The last needs none, since nothing can fail after it.
            foreach (var (_, target, _) in _files.SkipLast(1).Where(f => !f.NamedAfterContent && File.Exists(f.Target)))
            {
                string backup = Temporary(target, Path.GetRandomFileName());
                backups.Add((backup, target));
                File.Copy(target, backup);
            }
            foreach (var (temporary, target, _) in _files)
            {
                bool there = File.Exists(target);
                Rename(temporary, target);
                if (!there) placed.Add(target);
            }
        }
        catch
        {
            placed.ForEach(DeleteQuietly);
            foreach (var (backup, target) in backups.Where(b => File.Exists(b.Backup))) File.Move(backup, target, overwrite: true);
            throw;
        }
        backups.ForEach(b => DeleteQuietly(b.Backup));
        lock (Pending) _files.ForEach(f => Pending.Remove(f.Temporary));
        _files.ForEach(f => RemoveStale(Path.GetDirectoryName(f.Temporary)!, Path.GetFileName(f.Temporary)));
        _files.Clear();
    }

    /// <summary>Removes what processes that were killed left of the same file: all but the random part of its name is equal.</summary>
    private static void RemoveStale(string folder, string temporary)
    {
        string start = temporary[..(temporary.Length - EndLength + 1)];
        foreach (string left in Beside(folder, f => f.Length == temporary.Length && f.StartsWith(start, StringComparison.Ordinal)
            && f.EndsWith(Extension, StringComparison.Ordinal)))
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(left) > Stale) DeleteQuietly(left);
    }

    /// <summary>Files of a folder by their names; none where it cannot be listed.</summary>
    internal static List<string> Beside(string folder, Func<string, bool> wanted)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder, "*", new EnumerationOptions { AttributesToSkip = 0 })
                .Where(f => wanted(Path.GetFileName(f)))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static void Rename(string from, string to)
    {
        try
        {
            File.Move(from, to, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var advice = OperatingSystem.IsWindows() ? " If a model has it open, dispose the model first, or write to another path." : "";
            throw new IOException($"{to} cannot be written: {e.Message}{advice}", e);
        }
    }

    internal static void DeleteQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover under a name that starts with a dot is all the harm.
        }
    }

    /// <summary>Removes what was not given its name.</summary>
    public void Dispose() => _files.ForEach(f =>
    {
        DeleteQuietly(f.Temporary);
        lock (Pending) Pending.Remove(f.Temporary);
    });
}
