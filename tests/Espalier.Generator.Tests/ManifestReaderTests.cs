using Espalier.Generator.Manifests;

namespace Espalier.Generator.Tests;

/// <summary>The manifest is read exactly or not at all.</summary>
public class ManifestReaderTests
{
    [Fact]
    public void Everything_is_read()
    {
        var manifest = Read(Samples.Manifest).Manifest!;
        Assert.Equal(("models/tiny.onnx", 321000L), (manifest.Model, manifest.Bytes));
        Assert.Equal(["input_ids", "attention.mask", "pixels"], manifest.Inputs.Select(i => i.Name));
        Assert.Equal(["?batch", "?seq"], manifest.Inputs[0].Dims);
        Assert.Equal(10, manifest.Groups.Count);
        var stream = new ManifestGroup
        {
            Id = 5,
            Name = "stream",
            Kind = Vocabulary.Axis.Width,
            Size = 64,
            Exactness = "inexact",
            MinKeep = 1,
            Partner = -1,
            Reason = "LayerNormalization 'ln' normalises over it",
            Members = ["embedding:1", "ln.weight:0"],
            Weights = [new("embedding", ""), new("ln.weight", "")],
        };
        Assert.Equal(stream, manifest.Groups[5]);
        Assert.Equal(new ManifestBlock(5, false, "encoder.1", [2, 3]), manifest.Blocks[5]);
        Assert.Equal(new ManifestCost("macs", 1000, -1, [8, 9]), manifest.Costs[5]);
        Assert.Equal(new ManifestCost("bytes", 5000, -1, []), manifest.Costs[^1]);
    }

    [Fact]
    public void Names_may_hold_anything()
    {
        var manifest = Read(Samples.Manifest.Replace("input_ids", @"a\tb\\n\n\r:c", StringComparison.Ordinal)).Manifest!;
        Assert.Equal("a\tb\\n\n\r:c", manifest.Inputs[0].Name);
    }

    [Theory]
    [InlineData("espalier-manifest\t2", "espalier-manifest\t1", 1, "the format's version is 1")]
    [InlineData("espalier-manifest\t2", "something", 1, "'espalier-manifest' is expected, not 'something'")]
    [InlineData("sha256\ta", "sha256\tA", 3, "the checksum is not 64 hexadecimal digits")]
    [InlineData("bytes\t321000", "bytes\t-1", 4, "'-1' is no size")]
    [InlineData("?batch\t?seq\ninput\tattention", "batch\t?seq\ninput\tattention", 5, "'batch' is no size")]
    [InlineData("group\t0\tstem\tchannels", "group\t0\tstem\tchanels", 10, "'chanels' is no kind of group")]
    [InlineData("group\t1\tencoder", "group\t0\tencoder", 11, "group 0 occurs twice")]
    [InlineData("group\t1\tencoder.0.heads", "group\t1\tstem", 11, "two groups are called 'stem'")]
    [InlineData("64\texact\t1\t-1\t\tstem.weight:0", "64\texact\t1\t-1\t\tstem.weight", 10, "'stem.weight' is not tensor:axis")]
    [InlineData("64\texact\t1\t-1\t\tstem.weight:0", "64\texact\t1\t-1\t\tstem.weight:x", 10, "'x' is no integer")]
    [InlineData("LayerNormalization 'ln' normalises over it", "", 15, "group 5 is inexact without a reason")]
    [InlineData("64\texact\t1\t-1", "0\texact\t1\t-1", 10, "group 0 has no units")]
    [InlineData("2\texact\t1\t9", "2\texact\t1\t99", 19, "the partner 99 of group 8 does not exist")]
    [InlineData("block\t4\tblock\tencoder.0\t0,1", "block\t4\tblock\tencoder.0\t0,9", 25, "a block names a sublayer that does not exist")]
    [InlineData("block\t4\tblock", "block\t4\tbrick", 24, "'brick' is neither sublayer nor block")]
    [InlineData("cost\tmacs\t2000", "cost\twatts\t2000", 26, "'watts' is no unit of cost")]
    [InlineData("cost\tmacs\t2000", "cost\tmacs\t2,000", 26, "'2,000' is no number")]
    [InlineData("cost\tmacs\t2000", "cost\tmacs\tNaN", 26, "'NaN' is no number")]
    [InlineData("-1\t8,9\t", "-1\t8,10\t", 31, "the cost names a group that does not exist")]
    [InlineData("cost\tmacs\t524288\t0\t", "cost\tmacs\t524288\t5\t", 27, "the cost names a sublayer that does not exist")]
    [InlineData("\nend\n", "\n", 43, "the file ends where 'end' is expected")]
    [InlineData("\nend\n", "\nend\nmore\n", 44, "text follows 'end'")]
    [InlineData("input_ids", "input\\x", 5, "'\\x' is no escape")]
    public void Any_deviation_is_an_error(string from, string to, int line, string reason)
    {
        Assert.Contains(from, Samples.Manifest, StringComparison.Ordinal);
        var file = Read(Samples.Manifest.Replace(from, to, StringComparison.Ordinal));
        Assert.Null(file.Manifest);
        Assert.StartsWith(reason, file.Error, StringComparison.Ordinal);
        Assert.Equal(line, file.ErrorLine);
    }

    [Fact]
    public void Every_truncation_is_an_error_and_none_throws()
    {
        for (var length = 0; length < Samples.Manifest.Length; length++)
        {
            var file = Read(Samples.Manifest[..length]);
            Assert.Null(file.Manifest);
            Assert.NotEmpty(file.Error);
        }
    }

    [Fact]
    public void No_mutation_throws()
    {
        var random = new Random(20261125);
        for (var i = 0; i < 2000; i++)
        {
            var text = Samples.Manifest.ToCharArray();
            for (var n = random.Next(1, 4); n > 0; n--) text[random.Next(text.Length)] = "\t\n\\,:-?*09aZ\0"[random.Next(13)];
            var file = Read(new string(text));
            Assert.Equal(file.Manifest is null, file.Error.Length > 0);
        }
    }

    private static ManifestFile Read(string text) => ManifestReader.Read("tiny.espalier-manifest", text);
}
