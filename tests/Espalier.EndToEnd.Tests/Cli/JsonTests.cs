using System.Text.Json;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary><c>--json</c>: what scripts read, command by command, as docs/command-line.md has it.</summary>
public sealed class JsonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier json ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_command_has_it()
    {
        string[] commands = [.. CommandLineTests.Run("[suggest]", "espalier ").Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        Assert.Contains("slim", commands);
        Assert.All(commands, c => Assert.Contains("--json ", CommandLineTests.Run(c, "--help").Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Slim_prints_the_report_that_it_writes_and_verify_its_verdict()
    {
        string model = Assets.Path("bert.onnx");
        var slim = CommandLineTests.Run("slim", model, "-o", At("slim.onnx"), "--neurons", "0.5", "--report", At("slim.json"), "--json");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Equal(File.ReadAllText(At("slim.json")), slim.Text);

        var verify = CommandLineTests.Run("verify", model, At("slim.onnx"), "--report", At("slim.json"), "--runs", "2", "--json");
        var verdict = Parse(verify.Text);
        Assert.Equal(0, verify.Code);
        Assert.Equal("equal", verdict.GetProperty("verdict").GetString());
        Assert.True(verdict.GetProperty("holds").GetBoolean());
        Assert.InRange(verdict.GetProperty("error").GetDouble(), 0, verdict.GetProperty("tolerance").GetDouble());
        Assert.Equal((2, "logits"), (verdict.GetProperty("runs").GetInt32(), verdict.GetProperty("output").GetString()));
        Assert.NotEqual(0, verdict.GetProperty("lines").GetArrayLength());

        var wrong = CommandLineTests.Run("verify", model, model, "--report", At("slim.json"), "--json");
        Assert.Equal(1, wrong.Code);
        Assert.Equal("different", Parse(wrong.Text).GetProperty("verdict").GetString());
    }

    [Fact]
    public void Why_gives_axes_groups_and_the_chain_of_what_is_frozen()
    {
        var all = Parse(CommandLineTests.Run("why", Assets.Path("bert.onnx"), "word.weight", "--json").Text);
        Assert.Equal("word.weight", all.GetProperty("tensor").GetString());
        Assert.Equal([0, 1], all.GetProperty("axes").EnumerateArray().Select(a => a.GetProperty("axis").GetInt32()));
        var frozen = all.GetProperty("axes")[0];
        var rows = frozen.GetProperty("groups")[0];
        Assert.Equal("frozen", rows.GetProperty("exactness").GetString());
        Assert.Contains("chosen by data", rows.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains(rows.GetProperty("chain").EnumerateArray(), s => s.GetString()!.StartsWith("Gather", StringComparison.Ordinal));
        Assert.Equal(0, CommandLineTests.Run("why", Assets.Path("bert.onnx"), "word.weight:0", "--json").Code);
    }

    [Fact]
    public void Presets_manifests_and_scripts_are_values_too()
    {
        var presets = Parse(CommandLineTests.Run("presets", "--json").Text).EnumerateArray().ToList();
        var flap = presets.Single(p => p.GetProperty("preset").GetString() == "flap");
        Assert.Equal("yes", flap.GetProperty("needsData").GetString());
        Assert.Contains("arXiv", flap.GetProperty("source").GetString(), StringComparison.Ordinal);
        var manifest = Parse(CommandLineTests.Run("manifest", Assets.Path("vgg.onnx"), "-o", At("m"), "--json").Text);
        Assert.Equal(new FileInfo(At("m")).Length, manifest.GetProperty("bytes").GetInt64());
        var script = Parse(CommandLineTests.Run("completion", "zsh", "--json").Text);
        Assert.Equal(CommandLineTests.Run("completion", "zsh").Text, script.GetProperty("script").GetString());
    }

    [Fact]
    public void The_build_lists_what_it_made()
    {
        File.WriteAllText(At("request"), $"project={At("x.csproj")}\nmodel=m.onnx|{Assets.Path("vgg.onnx")}\nmanifest={At("manifest")}\n");
        var done = CommandLineTests.Run("build", "--request", At("request"), "--json");
        Assert.True(done.Code == 0, done.Error);
        Assert.Equal(At("manifest"), Assert.Single(Parse(done.Text).GetProperty("files").EnumerateArray()).GetString());
        File.WriteAllText(At("request"), $"project={At("x.csproj")}\nmodel=m.onnx|{At("none.onnx")}\nmanifest={At("manifest")}\n");
        var failed = CommandLineTests.Run("build", "--request", At("request"), "--json");
        Assert.Equal(failed.Code, Parse(failed.Text).GetProperty("exitCode").GetInt32());
        Assert.NotEqual(0, failed.Code);
    }

    private static JsonElement Parse(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private string At(string name) => Path.Combine(_folder, name);
}
