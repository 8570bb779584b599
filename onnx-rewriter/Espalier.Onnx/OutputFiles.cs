namespace Espalier.Onnx;

/// <summary>
/// Files that appear together or not at all. They are written under other names in the same directory and renamed at the end; what was there
/// before stays until then, and comes back when a rename fails.
/// </summary>
/// <remarks>
/// A process that is killed between the renames of two files leaves no main file (never one that goes with other weights).
/// The disk is not flushed: a power cut right after is for the build to repeat.
/// </remarks>
internal sealed class OutputFiles : IDisposable
{
    private readonly List<(string Temporary, string Target)> _files = [];

    /// <summary>A new file that is to have the name <paramref name="target"/>. The main file comes last.</summary>
    public FileStream Create(string target)
    {
        var temporary = Temporary(target);
        var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 64 * 1024);
        _files.Add((temporary, target));
        return stream;
    }

    private static string Temporary(string target)
        => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(target))!, $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}");

    /// <summary>Gives the files their names. All streams are closed.</summary>
    /// <exception cref="IOException">A file cannot be replaced; everything is as it was.</exception>
    public void Commit()
    {
        if (_files.Count == 1)
        {
            Rename(_files[0].Temporary, _files[0].Target);
            _files.Clear();
            return;
        }
        var (kept, placed) = (new List<(string Temporary, string Target)>(), new List<string>());
        try
        {
            // The main file goes first and comes last, so that it is never there with the wrong weights.
            foreach (var (_, target) in _files.AsEnumerable().Reverse().Where(f => File.Exists(f.Target)))
            {
                var backup = Temporary(target);
                Rename(target, backup);
                kept.Add((backup, target));
            }
            foreach (var (temporary, target) in _files)
            {
                Rename(temporary, target);
                placed.Add(target);
            }
            _files.Clear();
        }
        catch
        {
            placed.ForEach(DeleteQuietly);
            foreach (var (backup, target) in kept.AsEnumerable().Reverse())
            {
                File.Move(backup, target, overwrite: true);
            }
            throw;
        }
        foreach (var (backup, _) in kept)
        {
            DeleteQuietly(backup);
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

    private static void DeleteQuietly(string path)
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

    public void Dispose()
    {
        foreach (var (temporary, _) in _files)
        {
            DeleteQuietly(temporary);
        }
    }
}
