using System.Security.Cryptography;
using Espalier.Cli.Building;
using Espalier.Cli.Commands;
using Espalier.Cli.Host;
using Espalier.Cli.Steps;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Errors in the form that MSBuild reads, and what is read for them.</summary>
public sealed class BuildMessageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier messages ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A file outside the project's folder is known by its name alone.</summary>
    [Fact]
    public void Places_are_full_paths_where_the_file_is_known()
    {
        File.WriteAllText(At("Policy.cs"), "");
        Assert.Equal($"{At("Policy.cs")}(3,2) : error ESPB011: Slim: first; second", Said("Policy.cs(3,2)", "first;\nsecond"));
        Assert.Equal($"{At("Policy.cs")}(3,2) : error ESPB011: Slim: no", Said("Policy.cs(3,2)", "Policy.cs(3,2): no"));
        Assert.Equal("Shared.cs(3,2) : error ESPB011: Slim: no", Said("Shared.cs(3,2)", "no"));
        Assert.Equal($"{At("x.csproj")} : error ESPB011: Slim: no", Said("", "no"));
    }

    /// <summary>The targets say nothing more after these exit codes.</summary>
    [Fact]
    public void A_request_that_cannot_be_read_or_is_stopped_is_an_error_too()
    {
        using var text = new StringWriter();
        var terminal = new Terminal(text, text, interactive: false);
        File.WriteAllText(At("torn"), "torn");
        Assert.Equal(ExitCode.Malformed, BuildCommand.Run(At("torn"), terminal, default));
        Assert.StartsWith($"{At("torn")} : error ESPB010: ", text.ToString(), StringComparison.Ordinal);

        string assembly = typeof(BuildMessageTests).Assembly.Location;
        File.WriteAllText(At("stopped"), $"project={At("x.csproj")}\noutput={At("out")}\nassembly={assembly}\n");
        Directory.CreateDirectory(At("out"));
        using var other = FolderLock.Enter(At("out"), terminal, default);
        Assert.Equal(ExitCode.Refused, BuildCommand.Run(At("stopped"), terminal, new CancellationToken(canceled: true)));
        Assert.Contains($"{At("x.csproj")} : error ESPB011: stopped", text.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A pin, the stamp and kept results ask for the same model.</summary>
    [Fact]
    public void A_file_is_hashed_once()
    {
        File.WriteAllText(At("m.onnx"), "model");
        int opened = 0;
        var hashes = new FileHashes(path =>
        {
            opened++;
            return File.OpenRead(path);
        });
        byte[] expected = SHA256.HashData("model"u8);
        Assert.Equal(expected, hashes.Of(At("m.onnx")));
        Assert.Equal(expected, hashes.Of(Path.Combine(_folder, ".", "m.onnx")));
        Assert.Equal(1, opened);
    }

    private string Said(string location, string message)
        => BuildErrors.Of(new EspalierException(message), ExitCode.Refused, At("x.csproj"), At("x.csproj"),
            new() { Policy = "Slim", Location = location }).ToString();

    private string At(string name) => Path.Combine(_folder, name);
}
