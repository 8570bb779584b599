using System.IO.MemoryMappedFiles;

namespace Espalier.Fuzz;

/// <summary>What is worked on now, where it outlives the process that works on it.</summary>
internal sealed class InWork : IDisposable
{
    private const int Most = 4 << 20;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    /// <param name="folder">Where the file lies, which is made where it is not there.</param>
    public InWork(string folder)
    {
        Directory.CreateDirectory(folder);
        _file = MemoryMappedFile.CreateFromFile(Path.Combine(folder, "work"), FileMode.OpenOrCreate, null, Most);
        _view = _file.CreateViewAccessor();
    }

    /// <summary>Number of the file that is worked on.</summary>
    public int Index { get => _view.ReadInt32(0); set => _view.Write(0, value); }

    /// <summary>The file itself, where its number does not say what it is.</summary>
    public byte[] Bytes
    {
        get
        {
            var bytes = new byte[_view.ReadInt32(8)];
            _view.ReadArray(12, bytes, 0, bytes.Length);
            return bytes;
        }

        set
        {
            _view.Write(8, value.Length);
            _view.WriteArray(12, value, 0, value.Length);
        }
    }

    /// <summary>Ends the process where one file is worked on for longer than any could be.</summary>
    public void Watch(TimeSpan most)
    {
        var thread = new Thread(() =>
        {
            var (last, since) = (-1, Environment.TickCount64);
            for (; ; Thread.Sleep(500))
            {
                if (Index != last) (last, since) = (Index, Environment.TickCount64);
                else if (Environment.TickCount64 - since > most.TotalMilliseconds) Environment.Exit(Child.Hung);
            }
        })
        { IsBackground = true };
        thread.Start();
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
