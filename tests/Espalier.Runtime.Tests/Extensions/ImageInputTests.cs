using System.IO.Compression;
using Espalier.Extensions.Images;

namespace Espalier.Runtime.Tests.Extensions;

public class ImageInputTests
{
    /// <summary>Four pixels, each of one colour: red, green, blue, white.</summary>
    private static readonly byte[] Four = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];

    [Fact]
    public void Channels_first_normalised_by_channel()
    {
        var input = new ImageInput(2, 2, 3) { Mean = [0.5, 0.25, 0], Deviation = [0.5, 1, 2] };
        var tensor = input.FromPixels<float>(Four, 2, 2);
        Assert.Equal([1, 3, 2, 2], tensor.Shape);
        Assert.Equal([1, -1, -1, 1, -0.25f, 0.75f, -0.25f, 0.75f, 0, 0, 0.5f, 0.5f], tensor.Values.ToArray());
    }

    [Fact]
    public void Channels_last_and_bytes_as_they_are()
    {
        var input = new ImageInput(2, 2, 3) { ChannelsLast = true, IsRaw = true };
        var tensor = input.FromPixels<byte>(Four, 2, 2);
        Assert.Equal([1, 2, 2, 3], tensor.Shape);
        Assert.Equal(Four, tensor.Values.ToArray());
    }

    /// <summary>4 × 2 to 2 × 2 is the middle square; to 1 × 1 the triangle reaches a pixel beyond it.</summary>
    [Fact]
    public void The_centre_is_cut_out_and_resized()
    {
        byte[] pixels = [255, 0, 100, 255, 255, 60, 40, 255];
        // Columns 255, 30, 70, 255 with weights 1, 3, 3, 1 of 8.
        Assert.Equal([101 / 255f], new ImageInput(1, 1, 1).FromPixels<float>(pixels, 4, 2).Values.ToArray());
        Assert.Equal([0 / 255f, 100 / 255f, 60 / 255f, 40 / 255f],
            new ImageInput(2, 2, 1).FromPixels<float>(pixels, 4, 2).Values.ToArray());
    }

    [Fact]
    public void A_stream_that_cannot_be_rewound_is_read()
    {
        byte[] bmp = [(byte)'B', (byte)'M', 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0,
            .. new byte[4], 4, .. new byte[19], 30, 20, 10, 0];
        using var forward = new DeflateStream(Deflated(bmp), CompressionMode.Decompress);
        Assert.Equal(new byte[] { 10, 20, 30 }, new ImageInput(1, 1, 3) { IsRaw = true }.FromStream<byte>(forward).Values.ToArray());
    }

    private static MemoryStream Deflated(byte[] bytes)
    {
        var stream = new MemoryStream();
        using (var deflate = new DeflateStream(stream, CompressionLevel.Fastest, leaveOpen: true))
            deflate.Write(bytes);
        stream.Position = 0;
        return stream;
    }

    [Fact]
    public void Mistakes_are_named()
    {
        string Refused(Action action) => Assert.Throws<EspalierException>(action).Message;
        var input = new ImageInput(2, 2, 3);
        Assert.Equal("An image of 2 × 3 pixels with 3 channels has not 12 bytes.", Refused(() => input.FromPixels<float>(Four, 2, 3)));
        Assert.Equal("There is no image at 'gone.png'.", Refused(() => input.FromFile<float>("gone.png")));
        Assert.Contains("The image of the stream cannot be read: it is no PNG, JPEG or BMP",
            Refused(() => input.FromStream<float>(new MemoryStream([1, 2, 3]))), StringComparison.Ordinal);
        Assert.Equal("The mean of images has 2 numbers; the model takes 3 channels. Give one number, or one per channel.",
            Refused(() => _ = new ImageInput(2, 2, 3) { Mean = [1, 2] }));
        Assert.Equal("Deviations of images are numbers above 0.", Refused(() => _ = new ImageInput(2, 2, 3) { Deviation = [0] }));
        Assert.Equal("Images have 1 channel or 3, not 4.", Refused(() => _ = new ImageInput(2, 2, 4)));
    }
}
