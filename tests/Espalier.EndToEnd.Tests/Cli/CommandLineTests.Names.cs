using System.Text.Json;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>Names that a person can write, where the exporter has numbers.</summary>
public sealed partial class CommandLineTests
{
    private static readonly string Bert = Assets.Path("bert.onnx");

    [Theory]
    [InlineData("encoder.0.up.weight:1")]
    [InlineData("onnx::MatMul_654:1")]
    [InlineData("encoder.0.up")]
    public void Why_knows_a_weight_by_both_of_its_names_and_a_group_by_its_own(string what)
    {
        var why = Run("why", Bert, what);
        Assert.True(why.Code == 0, why.Error);
        Assert.StartsWith("encoder.0.up.weight:1 (onnx::MatMul_654) = ", why.Text, StringComparison.Ordinal);
        Assert.Contains("  encoder.0.up: neurons, 512 units, exact", why.Text, StringComparison.Ordinal);
        Assert.Contains("weight encoder.0.down.weight (onnx::MatMul_655)", why.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("encoder.0.norm2", why.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("encoder.0.upp.weight:1", "'encoder.0.upp.weight'. Did you mean 'encoder.0.up.weight'")]
    [InlineData("encoder.0.attn.head", "'encoder.0.attn.head'. Did you mean 'encoder.0.attn.heads'")]
    public void Why_suggests_the_nearest_name(string what, string said)
    {
        var why = Run("why", Bert, what);
        Assert.Equal(2, why.Code);
        Assert.Contains($"the model has no tensor or group {said}", Flat(why.Error), StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_says_what_weights_are_called_that_the_exporter_numbered()
    {
        Assert.Contains("encoder.0.attn.q.weight (onnx::MatMul_643)", Flat(Run("inspect", Bert).Text), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Run("inspect", Bert, "--json").Text);
        var aliases = json.RootElement.GetProperty("weights").EnumerateArray()
            .ToDictionary(w => w.GetProperty("name").GetString()!, w => w.GetProperty("alias").GetString());
        Assert.Equal("encoder.0.up.weight", aliases["onnx::MatMul_654"]);
        Assert.Null(aliases["encoder.0.up.bias"]);
    }

    [Fact]
    public void Patterns_match_names_that_a_person_can_write()
    {
        var slim = Run("slim", Bert, "-o", Out, "--neurons", "0.5", "--protect", "encoder.0.up.weight", "--low-rank",
            "encoder.1.attn.o.weight=16", "--report", At("names.json"));
        Assert.True(slim.Code == 0, slim.Error);
        var report = ReportJson.Parse(File.ReadAllText(At("names.json")));
        Assert.Equal(["encoder.0.up"], report.Groups.Where(g => g.Name.EndsWith(".up", StringComparison.Ordinal) && g.Kept == g.Size)
            .Select(g => g.Name));
        Assert.Equal("encoder.1.attn.o.weight", report.Aliases[Assert.Single(report.Factored).Weight]);
        Assert.Contains("\nencoder.1.attn.o.weight (onnx::MatMul_666)  128x128 → rank 16", report.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, Run("verify", Bert, Out, "--report", At("names.json")).Code);
    }

    /// <summary>The nodes of a layer are named by their names, by their modules, and as a block: the same part of the model.</summary>
    [Fact]
    public void A_part_of_the_model_is_named_by_nodes_by_modules_and_by_its_block()
    {
        byte[] Slim(string part)
        {
            var slim = Run("slim", Bert, "-o", Out, "--component-budget", part + ": macs=0.7");
            Assert.True(slim.Code == 0, slim.Error);
            return File.ReadAllBytes(Out);
        }
        byte[] bytes = Slim("/encoder.5/*");
        Assert.Equal(bytes, Slim("encoder.5.*"));
        Assert.Equal(bytes, Slim("encoder.5"));
        Assert.Contains("Its nodes are in 'word', 'pos', 'norm0', 'encoder', 'norm', 'pooler', 'fc'.",
            Flat(Run("slim", Bert, "-o", Out, "--component-budget", "encoderr.*: macs=0.7").Error), StringComparison.Ordinal);
    }
}
