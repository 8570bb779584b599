using System.Security.Cryptography;
using System.Text;

namespace Espalier.Fuzz;

/// <summary>
/// What was found: for each kind a file, made smaller, and how it ends. Equal types at equal places are one
/// finding.
/// </summary>
internal sealed class Findings
{
    private static readonly TimeSpan MostShrinking = TimeSpan.FromSeconds(10);

    private readonly string _folder;

    public Findings(string folder) => Directory.CreateDirectory(_folder = folder);

    /// <summary>How many kinds there are.</summary>
    public int Count => Directory.EnumerateFiles(_folder, "*.txt").Count();

    /// <summary>Notes a file whose way ended badly.</summary>
    public void Add(Passed passed, string what, byte[] bytes)
    {
        if (IsKnown(passed.Key)) return;
        string figures = $"{passed.Time.TotalMilliseconds:0} ms, {passed.Allocated >> 20} MB allocated, {passed.Held >> 20} MB held";
        Write(passed.Key, $"{what}\n\n{passed.Stage}, {figures}\n{passed.Exception}", bytes);
        // What takes long or much would take it again and again.
        if (passed.Bound is not null) return;
        var smaller = Shrinking.Shrink(bytes, passed.Key, MostShrinking);
        if (smaller.Length < bytes.Length) File.WriteAllBytes(Name(passed.Key) + ".onnx", smaller);
    }

    /// <summary>Notes a file that ended the process, or of which a comparison failed.</summary>
    public void Add(string key, string what, byte[] bytes)
    {
        if (!IsKnown(key)) Write(key, what, bytes);
    }

    private bool IsKnown(string key) => File.Exists(Name(key) + ".txt");

    private void Write(string key, string text, byte[] bytes)
    {
        File.WriteAllBytes(Name(key) + ".onnx", bytes);
        File.WriteAllText(Name(key) + ".txt", $"{key}\n{text}\n");
        Console.WriteLine($"found: {key} ({Name(key)}.onnx)");
    }

    private string Name(string key)
    {
        var first = new string([.. key.TakeWhile(char.IsLetterOrDigit)]);
        return Path.Combine(_folder, $"{first}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..10]}");
    }
}
