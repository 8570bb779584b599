using Espalier.Extensions.Images;
using StbImageSharp;

namespace Espalier.Evaluation.Real;

/// <summary>Cut-outs of things of eight kinds, pasted on photographs: images with labels that no network here was trained on.</summary>
internal static class Stamps
{
    private const int Seed = 40;

    /// <summary>The kinds, and the folders that hold them.</summary>
    private static readonly (string Kind, string[] Folders)[] Kinds =
    [
        ("bird", ["animals/birds"]), ("mammal", ["animals/mammals", "animals/marsupials"]), ("fruit", ["food/fruit"]),
        ("vegetable", ["food/vegetables"]), ("flower", ["plants/flowers"]), ("vehicle", ["vehicles", "military/vehicles"]),
        ("clothing", ["clothes"]), ("household", ["household"]),
    ];

    public static int Count => Kinds.Length;

    /// <summary>Images with the number of their kind: of each stamp of the purpose as many, on other photographs of that purpose.</summary>
    /// <param name="most">Most images.</param>
    public static IEnumerable<(byte[] Pixels, int Kind)> Pasted(Places places, Purpose purpose, IReadOnlyList<byte[]> photographs, int most)
    {
        var stamps = Files(places, purpose);
        var random = new Random(Seed + (int)purpose);
        for (int n = 0; n < most / stamps.Count * stamps.Count; n++)
        {
            var (file, kind) = stamps[n % stamps.Count];
            yield return (Paste((byte[])photographs[n % photographs.Count].Clone(), file, random), kind);
        }
    }

    private static List<(string File, int Kind)> Files(Places places, Purpose purpose)
    {
        string root = Path.Combine(Debian.Folder(places, Debian.Stamps), "usr", "share", "tuxpaint", "stamps");
        var chosen = new List<(string, int)>();
        foreach (var ((_, folders), kind) in Kinds.Select((k, i) => (k, i)))
        {
            // Drawings look like no photograph; a mirrored file shows what its original does.
            string[] files = [.. folders.Select(f => Path.Combine(root, f))
                .SelectMany(f => Directory.EnumerateFiles(f, "*.png", SearchOption.AllDirectories))
                .Where(f => !f.Contains("cartoon", StringComparison.Ordinal) && !f.Contains("mirror", StringComparison.Ordinal)
                    && !f.Contains("flip", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
            new Random(Seed).Shuffle(files);
            chosen.AddRange(files.Where((_, i) => Photographs.Of(i) == purpose).Select(f => (f, kind)));
        }
        return chosen;
    }

    /// <summary>Lays a stamp on an image at a random place, between 0.6 and 0.9 of its size, half of them mirrored.</summary>
    private static byte[] Paste(byte[] image, string file, Random random)
    {
        using var stream = File.OpenRead(file);
        var stamp = ImageResult.FromStream(stream, ColorComponents.RedGreenBlueAlpha);
        double scale = Photographs.Side * (0.6 + (0.3 * random.NextDouble())) / Math.Max(stamp.Width, stamp.Height);
        int width = Math.Max(1, (int)(stamp.Width * scale)), height = Math.Max(1, (int)(stamp.Height * scale));
        // What is transparent has any colour: it must not bleed into the edge.
        for (int i = 0; i < stamp.Data.Length; i += 4)
            for (int c = 0; c < 3; c++) stamp.Data[i + c] = (byte)(stamp.Data[i + c] * stamp.Data[i + 3] / 255);
        byte[] small = Resampling.Cover(stamp.Data, stamp.Width, stamp.Height, 4, width, height);
        int left = random.Next(Photographs.Side - width + 1), top = random.Next(Photographs.Side - height + 1);
        bool mirrored = random.Next(2) == 1;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                int from = ((y * width) + (mirrored ? width - 1 - x : x)) * 4, to = (((top + y) * Photographs.Side) + left + x) * 3;
                for (int c = 0; c < 3; c++)
                    image[to + c] = (byte)Math.Min(255, small[from + c] + (image[to + c] * (255 - small[from + 3]) / 255));
            }
        return image;
    }
}
