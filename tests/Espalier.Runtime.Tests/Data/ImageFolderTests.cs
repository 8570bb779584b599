using System.Buffers.Binary;
using System.IO.Compression;
using Espalier.Calibration.Data;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Runtime.Tests.Data;

public sealed class ImageFolderTests : IDisposable
{
    /// <summary>16 × 8 pixels: the left half (200, 40, 80), the right (20, 160, 240); quality 95, colour not subsampled.</summary>
    private const string Jpeg =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/"
        + "2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAAIABADAREAAhEBAxEB"
        + "/8QAFAABAAAAAAAAAAAAAAAAAAAACP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAWAQEBAQAAAAAAAAAAAAAAAAAJBQr/xAAUEQEAAAAAAAAAAAAAAAAAAAAA"
        + "/9oADAMBAAIRAxEAPwA3oZNCMI4zLv/Z";

    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-images-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    private static OnnxModel Model(DataType type, params object[] dims)
    {
        var g = new GraphBuilder();
        return g.Output(g.Node("Identity", g.Input("image", type, dims))).Build();
    }

    private static OnnxModel Model(params object[] dims) => Model(DataType.Float, dims);

    private void Write(string name, byte[] content)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }

    /// <summary>A PNG of 8 bits; colour type 0 is grey, 2 red, green, blue.</summary>
    private static byte[] Png(int width, int height, byte colour, byte[] pixels)
    {
        var file = new MemoryStream();
        file.Write([0x89, .. "PNG\r\n"u8, 0x1a, 0x0a]);
        byte[] header = [.. BigEndian(width), .. BigEndian(height), 8, colour, 0, 0, 0];
        var packed = new MemoryStream();
        int row = pixels.Length / height;
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            for (int y = 0; y < height; y++) zlib.Write([0, .. pixels.AsSpan(y * row, row)]);
        Chunk("IHDR"u8, header);
        Chunk("IDAT"u8, packed.ToArray());
        Chunk("IEND"u8, []);
        return file.ToArray();

        void Chunk(ReadOnlySpan<byte> type, byte[] data)
        {
            byte[] body = [.. type, .. data];
            uint crc = uint.MaxValue;
            foreach (byte b in body)
            {
                crc ^= b;
                for (int k = 0; k < 8; k++) crc = (crc & 1) == 1 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
            }
            file.Write([.. BigEndian(data.Length), .. body, .. BigEndian(unchecked((int)~crc))]);
        }
    }

    private static byte[] BigEndian(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private float[] Read(OnnxModel model, DataOptions? options = null)
        => (float[])CalibrationData.Read(_folder, model, options).Single()["image"].Values;

    [Fact]
    public void Pixels_of_the_right_size_are_taken_as_they_are_channels_first_or_last()
    {
        byte[] pixels = [.. Enumerable.Range(0, 18).Select(i => (byte)(i * 14))];
        Write("a.png", Png(3, 2, 2, pixels));
        var first = CalibrationData.Read(_folder, Model("batch", 3, 2, 3)).Single()["image"];
        Assert.Equal([1, 3, 2, 3], first.Shape);
        Assert.Equal(Enumerable.Range(0, 18).Select(i => pixels[(i % 6 * 3) + (i / 6)] / 255f), (float[])first.Values);
        var last = CalibrationData.Read(_folder, Model(1, 2, 3, 3)).Single()["image"];
        Assert.Equal([1, 2, 3, 3], last.Shape);
        Assert.Equal(pixels.Select(p => p / 255f), (float[])last.Values);
        Assert.Equal(pixels, (byte[])CalibrationData.Read(_folder, Model(DataType.Uint8, 1, 2, 3, 3)).Single()["image"].Values);
    }

    [Fact]
    public void Mean_and_deviation_are_one_number_or_one_per_channel()
    {
        Write("a.png", Png(1, 1, 2, [51, 102, 255]));
        Assert.Equal([(0.2f - 0.1f) / 0.5f, (0.4f - 0.2f) / 0.25f, (1f - 0.3f) / 2f],
            Read(Model("b", 3, 1, 1), new DataOptions { Mean = [0.1, 0.2, 0.3], Deviation = [0.5, 0.25, 2] }), new Within(1e-6f));
        Assert.Equal([-0.6f, -0.2f, 1f], Read(Model("b", 3, 1, 1), new DataOptions { Mean = [0.5], Deviation = [0.5] }), new Within(1e-6f));
    }

    /// <summary>
    /// Six by two to two by two: the middle two by two, which needs no resizing; eight by four to two by one: the mean weighed
    /// by a triangle.
    /// </summary>
    [Fact]
    public void The_centred_part_is_taken_and_shrunk_by_a_triangle()
    {
        Write("a.png", Png(6, 2, 0, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]));
        Assert.Equal([30 / 255f, 40 / 255f, 90 / 255f, 100 / 255f], Read(Model("b", 1, 2, 2)));
        File.Delete(Path.Combine(_folder, "a.png"));
        byte[] row = [0, 40, 80, 120, 160, 200, 240, 200];
        Write("b.png", Png(8, 4, 0, [.. row, .. row, .. row, .. row]));
        // A result pixel is 4 wide: its triangle has weights (1, 3, 5, 7, 7, 5, 3, 1)/8, those outside of the image left out.
        double left = ((5 * 0) + (7 * 40) + (7 * 80) + (5 * 120) + (3 * 160) + (1 * 200)) / 28.0,
            right = ((1 * 80) + (3 * 120) + (5 * 160) + (7 * 200) + (7 * 240) + (5 * 200)) / 28.0;
        Assert.Equal([(float)Math.Round(left) / 255f, (float)Math.Round(right) / 255f], Read(Model("b", 1, 1, 2)));
    }

    [Fact]
    public void A_jpeg_has_the_colours_that_it_was_written_with_and_grey_is_their_luminance()
    {
        Write("a.JPG", Convert.FromBase64String(Jpeg));
        var colours = Read(Model("b", 3, 8, 16));
        int[][] expected = [[200, 20], [40, 160], [80, 240]];
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < 16; x++) Assert.InRange(colours[(c * 128) + 32 + x] * 255, expected[c][x / 8] - 3, expected[c][x / 8] + 3);
        Assert.InRange(Read(Model("b", 1, 8, 16))[0] * 255, (0.299 * 200) + (0.587 * 40) + (0.114 * 80) - 3, (0.299 * 200) + (0.587 * 40)
            + (0.114 * 80) + 3);
    }

    [Fact]
    public void Open_sides_are_224_or_as_asked_and_subfolders_are_read_at_a_spacing()
    {
        for (int i = 0; i < 8; i++) Write(FormattableString.Invariant($"class{i / 4}/{i}.png"), Png(1, 1, 0, [(byte)i]));
        Assert.Equal([1, 1, 224, 224], CalibrationData.Read(_folder, Model("b", 1, "h", "w"), new DataOptions { Samples = 1 })
            .Single()["image"].Shape);
        var sized = CalibrationData.Read(_folder, Model("b", 1, "h", "w"),
            new DataOptions { Samples = 4, Dimensions = new Dictionary<string, long> { ["h"] = 1, ["image:3"] = 1 } });
        Assert.Equal([0f, 2 / 255f, 4 / 255f, 6 / 255f], sized.Select(s => ((float[])s["image"].Values).Single()));
    }

    [Theory]
    [InlineData("cut.png", "cannot be read")]
    [InlineData("text.jpg", "cannot be read")]
    [InlineData("huge.png", "are too many")]
    public void Damaged_images_are_named(string name, string reason)
    {
        byte[] png = Png(8, 8, 2, new byte[192]);
        byte[] huge = [.. png];
        BigEndian(20_000).CopyTo(huge, 16);
        BigEndian(8_000).CopyTo(huge, 20);
        Write(name, name switch { "cut.png" => png[..50], "huge.png" => huge, _ => "no image"u8.ToArray() });
        var e = Assert.Throws<EspalierException>(() => CalibrationData.Read(_folder, Model("b", 3, 8, 8)));
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// A model that takes two images at once gets pairs, and every pair the labels of both; the fifth image has no partner.
    /// </summary>
    [Fact]
    public void A_fixed_batch_takes_several_images_as_one_sample()
    {
        for (byte k = 0; k < 5; k++) Write($"{k}.png", Png(1, 1, 0, [(byte)(k * 51)]));
        using var model = Model(2, 1, 1, 1);
        var samples = CalibrationData.Read(_folder, model);
        Assert.Equal([2, 1, 1, 1], samples[0]["image"].Shape);
        Assert.Equal([0, 0.2f, 0.4f, 0.6f], samples.SelectMany(s => (float[])s["image"].Values), new Within(1e-6f));
        string labels = Path.Combine(Directory.CreateTempSubdirectory("espalier-labels-").FullName, "labels.txt");
        File.WriteAllText(labels, "10\n11\n12\n13\n14\n");
        Assert.Equal([[10, 11], [12, 13]], CalibrationLabels.Read(_folder, model, samples.Count, new DataOptions { Labels = labels })!);
        Directory.Delete(Path.GetDirectoryName(labels)!, recursive: true);
    }

    [Fact]
    public void Models_and_numbers_that_images_do_not_fit_are_refused()
    {
        Write("a.png", Png(1, 1, 0, [1]));
        string Refusal(OnnxModel model, DataOptions? options = null)
            => Assert.Throws<EspalierException>(() => CalibrationData.Read(_folder, model, options)).Message;
        Assert.Contains("has not the form", Refusal(Model("b", 8)), StringComparison.Ordinal);
        Assert.Contains("has not the form", Refusal(Model("b", 4, 8, 8)), StringComparison.Ordinal);
        Assert.Contains("has 1 image; the input 'image' takes 4 at once", Refusal(Model(4, 3, 8, 8)), StringComparison.Ordinal);
        Assert.Contains("The mean of images has 2 numbers; the model takes 3 channels",
            Refusal(Model("b", 3, 8, 8), new DataOptions { Mean = [1, 2] }), StringComparison.Ordinal);
        Assert.Contains("numbers above 0", Refusal(Model("b", 3, 8, 8), new DataOptions { Deviation = [0] }), StringComparison.Ordinal);
        Assert.Contains("takes bytes", Refusal(Model(DataType.Uint8, 1, 3, 8, 8), new DataOptions { Mean = [0.5] }),
            StringComparison.Ordinal);
        File.Move(Path.Combine(_folder, "a.png"), Path.Combine(_folder, "a.gif"));
        Assert.Contains("no images (.png, .jpg, .bmp)", Refusal(Model("b", 3, 8, 8)), StringComparison.Ordinal);
    }

    private sealed class Within(float tolerance) : IEqualityComparer<float>
    {
        public bool Equals(float x, float y) => Math.Abs(x - y) <= tolerance;

        public int GetHashCode(float obj) => 0;
    }
}
