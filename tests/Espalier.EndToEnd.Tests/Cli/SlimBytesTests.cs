using System.Security.Cryptography;
using VerifyXunit;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>
/// What the tool writes stays byte for byte what it was while code moves. The hashes of a few plans are committed: plans that
/// read weights alone, so that no processor's arithmetic is in them. With ESPALIER_BYTES=file the whole list, with calibration,
/// all fixtures and real models, is written to that file, or compared with it where it is there: run it before a change and
/// after.
/// </summary>
public sealed class SlimBytesTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string[] Few =
    [
        "resnet --keep 0.5 --round-to 1", "mobilenet --macs 0.5", "densenet --channels 0.6 --score lamp",
        "vit --heads 0.5 --neurons 0.5 --drop-sublayers 2 --depth-score random", "bert --keep 0.75 --protect-ends",
        "gpt --macs 0.7 --allocate pq-index", "moe --experts 0.5 --neurons 0.5", "seresnet --parameters 0.4 --preset global-magnitude",
    ];

    private static readonly string[] Many =
    [
        "--keep 0.5 --round-to 1", "--macs 0.6", "--keep 0.5 --allow-inexact --round-to 1", "--width 0.75 --allow-inexact",
        "--drop-sublayers 1", "--macs 0.6 --preset flap", "--macs 0.6 --preset obspa", "--macs 0.6 --preset fasp",
        "--macs 0.6 --preset best", "--macs 0.6 --preset adapt-pruner", "--macs 0.6 --schedule iterative", "--macs 0.6 --preset cfsp",
        "--low-rank *=0.5", "--keep 0.5 --compensate bias --score wanda", "--keep 0.5 --compensate affine --score variance",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("espalier bytes ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Plans_give_the_bytes_that_they_gave()
    {
        if (Environment.GetEnvironmentVariable("ESPALIER_BYTES") is { Length: > 0 } list) All(list);
        await Verifier.Verify(
            string.Concat(Few.Select(plan => Line(Assets.Path(plan.Split(' ')[0] + ".onnx"), plan[plan.IndexOf(' ')..].Trim()) + "\n")));
    }

    private void All(string list)
    {
        var lines = Assets.Networks().SelectMany(name => Many.Select(plan => Line(Assets.Path(name), plan))).ToList();
        lines.AddRange(Models.Names().Where(n => n.Length > 0).Select(name => Line(Models.Path(name), Many[0])));
        if (!File.Exists(list)) File.WriteAllLines(list, lines);
        output.WriteLine($"{lines.Count} plans, {lines.Count(l => l.EndsWith("exit 0", StringComparison.Ordinal))} models");
        Assert.Equal(File.ReadAllLines(list), lines);
    }

    private string Line(string model, string plan) => $"{Path.GetFileName(model)} {plan}: {Written(model, plan.Split(' '))}";

    /// <summary>Hashes of the model and of the report, and the exit code; without a model, the last that the tool said.</summary>
    private string Written(string model, string[] plan)
    {
        string slim = Path.Combine(_folder, "slim.onnx"), report = Path.Combine(_folder, "report.json");
        var run = CommandLineTests.Run(["slim", model, "-o", slim, "--report", report, "--samples", "16", .. plan]);
        return run.Code == 0
            ? $"{Hash(File.ReadAllBytes(slim))} {HashOfReport(report)} exit 0"
            : $"{run.Error.Trim().ReplaceLineEndings("\n").Split('\n')[^1]} exit {run.Code}";
    }

    // How near the answers are is the processor's arithmetic.
    private static string HashOfReport(string path) => Hash(System.Text.Encoding.UTF8.GetBytes(
        ReportJson.Serialize(ReportJson.Parse(File.ReadAllText(path)) with { Agreement = null })));

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content))[..32];
}
