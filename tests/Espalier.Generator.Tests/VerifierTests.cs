using Xunit.Sdk;
using static VerifyXunit.Verifier;

namespace Espalier.Generator.Tests;

/// <summary>The helper that stands in for Verify fails when it must.</summary>
public class VerifierTests : IDisposable
{
    private static readonly string Folder = Path.Combine(Path.GetTempPath(), "espalier-verify-" + Environment.ProcessId);
    private static readonly string Source = Path.Combine(Folder, "SomeTests.cs");
    private static readonly string Verified = Path.Combine(Folder, "SomeTests.It.verified.txt");
    private static readonly string Received = Path.Combine(Folder, "SomeTests.It.received.txt");

    public VerifierTests()
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Source, "");
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    [Fact]
    public async Task A_new_snapshot_fails_and_is_left_to_look_at()
    {
        if (Accepting) return;
        var error = await Assert.ThrowsAsync<XunitException>(() => Compare("a\nb"));
        Assert.Contains("New snapshot", error.Message, StringComparison.Ordinal);
        Assert.Equal("a\nb", File.ReadAllText(Received));
        Assert.False(File.Exists(Verified));
    }

    [Fact]
    public async Task An_equal_snapshot_passes_whatever_its_line_ends_are()
    {
        File.WriteAllText(Verified, "a\r\nb");
        File.WriteAllText(Received, "left over");
        await Compare("a\nb");
        Assert.False(File.Exists(Received));
    }

    [Fact]
    public async Task A_different_snapshot_fails_with_the_first_line_that_differs()
    {
        if (Accepting) return;
        File.WriteAllText(Verified, "a\nb\nc");
        var error = await Assert.ThrowsAsync<XunitException>(() => Compare("a\nx\ny"));
        Assert.Contains("in line 2:\n  verified: b\n  received: x", error.Message, StringComparison.Ordinal);
        Assert.Equal("a\nb\nc", File.ReadAllText(Verified));
    }

    // With VERIFY_ACCEPT=1 every snapshot is accepted, these too.
    private static bool Accepting => Environment.GetEnvironmentVariable("VERIFY_ACCEPT") == "1";

    private static Task Compare(string text) => Verify(text, null, Source, "It").ToTask();
}
