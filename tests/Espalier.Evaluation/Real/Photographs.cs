using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Extensions.Images;

namespace Espalier.Evaluation.Real;

/// <summary>What a set of photographs is for. No photograph is in two of them.</summary>
internal enum Purpose
{
    Calibration,
    Validation,
    Test,
}

/// <summary>Photographs of the unpacked packages and square parts of them.</summary>
internal static partial class Photographs
{
    /// <summary>Height and width of a part.</summary>
    public const int Side = 224;

    /// <summary>Bytes of a part: rows of red, green, blue.</summary>
    public const int Bytes = Side * Side * 3;

    private const int Seed = 30, Tries = 20;

    /// <summary>
    /// A part has at least so much contrast (deviation of brightness), and at most so many equal neighbours: drawings have more.
    /// </summary>
    private const double LeastContrast = 18, MostEqual = 0.3;

    /// <summary>Files of a purpose: half of what hangs together is for calibration, a quarter each for the others.</summary>
    public static IReadOnlyList<string> Files(Places places, Purpose purpose)
    {
        var groups = Listed(places).GroupBy(Group).OrderBy(g => g.Key, StringComparer.Ordinal).ToArray();
        new Random(Seed).Shuffle(groups);
        return [.. groups.Where((_, i) => Of(i) == purpose).SelectMany(g => g)];
    }

    /// <summary>The purpose of the n-th in a random order.</summary>
    public static Purpose Of(int n) => (n % 4) switch { 2 => Purpose.Validation, 3 => Purpose.Test, _ => Purpose.Calibration };

    /// <summary>Parts of random places and sizes, taken from the files in turn.</summary>
    /// <param name="draw">Another draw has other parts of the same photographs.</param>
    /// <returns>Each with the number of its file.</returns>
    public static IReadOnlyList<(byte[] Pixels, int File)> Parts(Places places, Purpose purpose, int count, int draw)
    {
        var files = Files(places, purpose);
        // Most parts will do: a few more than are wanted, and where these are not enough, many more.
        for (int each = (count * 5 / 4 / files.Count) + 1; ; each *= 2)
        {
            var parts = InTurn(files, each, draw);
            if (parts.Count >= count) return [.. parts.Take(count)];
            if (each > count)
                throw new EspalierException($"The photographs for {purpose} have {parts.Count} parts that will do, of {count}.");
        }
    }

    private static List<(byte[] Pixels, int File)> InTurn(IReadOnlyList<string> files, int each, int draw)
    {
        var parts = new List<(int Turn, int File, byte[] Pixels)>();
        for (int f = 0; f < files.Count; f++)
        {
            var random = new Random((Seed * 1000) + (f * 10) + draw);
            if (Decoded(files[f]) is not { } image) continue;
            // Where no part of many will do, the picture is a drawing.
            for (int turn = 0; turn < each && Part(image, random) is { } pixels; turn++) parts.Add((turn, f, pixels));
        }
        return [.. parts.OrderBy(p => p.Turn).ThenBy(p => p.File).Select(p => (p.Pixels, p.File))];
    }

    private sealed record Image(byte[] Pixels, int Width, int Height);

    private static Image? Decoded(string file)
    {
        try
        {
            byte[] pixels = ImageDecoder.Decode(file, 3, out int width, out int height);
            return Math.Min(width, height) >= Side ? new(pixels, width, height) : null;
        }
        catch (EspalierException)
        {
            // The packages hold damaged files on purpose, and forms that the decoder does not know.
            return null;
        }
    }

    /// <summary>A random square, shrunk to <see cref="Side"/>; null where none was found that looks like a photograph.</summary>
    private static byte[]? Part(Image image, Random random)
    {
        int most = Math.Min(image.Width, image.Height), least = Math.Min(most, Math.Max(Side * 3 / 4, most / 4));
        for (int t = 0; t < Tries; t++)
        {
            int side = (int)Math.Round(least * Math.Pow((double)most / least, random.NextDouble()));
            int left = random.Next(image.Width - side + 1), top = random.Next(image.Height - side + 1);
            var square = new byte[side * side * 3];
            for (int y = 0; y < side; y++)
                Array.Copy(image.Pixels, (((long)(top + y) * image.Width) + left) * 3, square, (long)y * side * 3, side * 3);
            if (IsPhotograph(square)) return Resampling.Cover(square, side, side, 3, Side, Side);
        }
        return null;
    }

    private static bool IsPhotograph(byte[] pixels)
    {
        double sum = 0, squares = 0;
        int count = pixels.Length / 3, equal = 0;
        for (int i = 0; i < count; i++)
        {
            double light = (pixels[3 * i] + pixels[(3 * i) + 1] + pixels[(3 * i) + 2]) / 3.0;
            sum += light;
            squares += light * light;
            if (i > 0 && pixels.AsSpan(3 * i, 3).SequenceEqual(pixels.AsSpan(3 * (i - 1), 3))) equal++;
        }
        double mean = sum / count;
        return Math.Sqrt(Math.Max(0, (squares / count) - (mean * mean))) >= LeastContrast && equal <= MostEqual * count;
    }

    private static IEnumerable<string> Listed(Places places)
    {
        foreach (string package in Debian.Pictures)
        {
            string folder = Debian.Folder(places, package).Replace('\\', '/') + "/";
            var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(f => f.Replace('\\', '/'))
                .Where(f => Path.GetExtension(f) is ".png" or ".jpg")
                .Where(f => Shown().IsMatch(f[folder.Length..]) && !NoPhotograph().IsMatch(f)).Order(StringComparer.Ordinal);
            // Wallpapers come in a dozen sizes.
            foreach (var sizes in files.GroupBy(f => Sized().IsMatch(f) ? Path.GetDirectoryName(f)! : f)
                .OrderBy(g => g.Key, StringComparer.Ordinal))
                yield return sizes.OrderBy(f => Math.Abs(Width(f) - 1920)).ThenBy(f => f, StringComparer.Ordinal).First();
        }
    }

    private static int Width(string file)
        => Sized().Match(file) is { Success: true } m ? int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    /// <summary>What may show the same: wallpapers of one name, pictures numbered or of two sides.</summary>
    private static string Group(string file)
    {
        if (Wallpaper().Match(file) is { Success: true } wallpaper) return wallpaper.Groups[1].Value.ToUpperInvariant();
        return Stem().Match(Path.GetFileName(file)).Groups[1].Value.ToUpperInvariant();
    }

    /// <summary>Folders of pictures.</summary>
    [GeneratedRegex(@"^usr/share/backgrounds/|/contents/images|/examples/data/|/examples/text/scenetext0|/skimage/data/")]
    private static partial Regex Shown();

    /// <summary>Not among them: what calibrates cameras (one chessboard in 26 positions), patterns, noise, text and logos.</summary>
    [GeneratedRegex("/(left|right|chess|check|gradient|ela_|pic[0-9]|te?mpl|blox|detect|digits|notes|cards|mask|aloeGT|ellipses|imageText"
        + "|color|phantom|block|page|text|bw_|palette|green_|logo|horse|cell|clock|pca|ihc|microaneurysms|truncated|[^/]*[Ll]ogo)[^/]*$")]
    private static partial Regex NoPhotograph();

    [GeneratedRegex(@"/(\d+)x\d+\.(?:png|jpg)$")]
    private static partial Regex Sized();

    [GeneratedRegex("/wallpapers/([^/]+)/")]
    private static partial Regex Wallpaper();

    [GeneratedRegex(@"^([A-Z]?[a-z]+|.[^.\d_]*)")]
    private static partial Regex Stem();
}
