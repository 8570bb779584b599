namespace Espalier.Evaluation.Real;

/// <summary>The sets of images, made once and kept as bytes: decoding a hundred wallpapers takes a minute.</summary>
internal sealed class Pictures(Places places)
{
    /// <summary>Parts of photographs of a draw of calibration data, and draws that there are.</summary>
    public const int Draw = 1000, Draws = 3;

    private const int Held = 300, Trained = 960;

    /// <summary>Parts of photographs for calibration; a smaller draw is the first of a larger one.</summary>
    public Images Calibration(int draw) => Set($"calibration-{draw}", Purpose.Calibration, Draw, draw);

    /// <summary>Parts of photographs on which features are compared.</summary>
    public Images Of(Split split) => Set($"{split}", Meant(split), Held, 0);

    /// <summary>The number of the photograph of each of these parts.</summary>
    public int[] Sources(Split split)
    {
        _ = Of(split);
        return [.. System.IO.File.ReadAllBytes(File($"{split}-files")).Select(b => (int)b)];
    }

    /// <summary>Images with labels on which the head is fitted.</summary>
    public (Images Images, int[] Labels) Training() => Labelled("training", Purpose.Calibration, Calibration(0), Trained);

    /// <summary>Images with labels on which it is judged.</summary>
    public (Images Images, int[] Labels) Labelled(Split split) => Labelled($"{split}-labelled", Meant(split), Of(split), Held);

    private static Purpose Meant(Split split) => split == Split.Test ? Purpose.Test : Purpose.Validation;

    private Images Set(string name, Purpose purpose, int count, int draw)
    {
        var (path, sources) = (File(name), File(name + "-files"));
        if (!System.IO.File.Exists(path) || !System.IO.File.Exists(sources))
        {
            var files = new List<byte>();
            Whole.Write(path, s =>
            {
                foreach (var (pixels, file) in Photographs.Parts(places, purpose, count, draw))
                {
                    s.Write(pixels);
                    files.Add((byte)file);
                }
            });
            Whole.Write(sources, files.ToArray());
        }
        return new(path);
    }

    private (Images, int[]) Labelled(string name, Purpose purpose, Images photographs, int most)
    {
        var (path, labels) = (File(name), File(name + "-kinds"));
        if (!System.IO.File.Exists(path) || !System.IO.File.Exists(labels))
        {
            var kinds = new List<byte>();
            Whole.Write(path, s =>
            {
                foreach (var (pixels, kind) in Stamps.Pasted(places, purpose, [.. photographs.All()], most))
                {
                    s.Write(pixels);
                    kinds.Add((byte)kind);
                }
            });
            Whole.Write(labels, kinds.ToArray());
        }
        return (new(path), [.. System.IO.File.ReadAllBytes(labels).Select(b => (int)b)]);
    }

    private string File(string name) => places.Made("pictures", name.ToLowerInvariant() + ".bin");
}

/// <summary>Images of <see cref="Photographs.Side"/> in a file, read as they are needed.</summary>
internal sealed class Images(string path)
{
    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>Images in it.</summary>
    public int Count => (int)(new FileInfo(path).Length / Photographs.Bytes);

    /// <summary>The images in order.</summary>
    public IEnumerable<byte[]> All()
    {
        using var stream = File.OpenRead(path);
        for (int i = 0; i < Count; i++)
        {
            var pixels = new byte[Photographs.Bytes];
            stream.ReadExactly(pixels);
            yield return pixels;
        }
    }
}
