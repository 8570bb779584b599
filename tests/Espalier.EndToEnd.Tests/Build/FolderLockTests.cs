using Espalier.Cli.Building;
using Espalier.Cli.Host;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Builds that run at once wait for each other.</summary>
public sealed class FolderLockTests : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300), Long = TimeSpan.FromMinutes(1);

    private readonly string _folder = Directory.CreateTempSubdirectory("espalier lock ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_second_waits_for_the_first_and_may_be_cancelled()
    {
        using var text = new StringWriter();
        var terminal = new Terminal(text, text, interactive: false);
        using var cancel = new CancellationTokenSource();
        Task<IDisposable> Enter(CancellationToken token) => Task.Run(() => FolderLock.Enter(_folder, terminal, token));
        var first = await Enter(default);
        var second = Enter(default);
        var third = Enter(cancel.Token);
        await Task.Delay(Moment);
        Assert.False(second.IsCompleted || third.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third.WaitAsync(Long));
        first.Dispose();
        (await second.WaitAsync(Long)).Dispose();
        // What is left of it says nothing.
        (await Enter(default).WaitAsync(Long)).Dispose();
    }

    [Fact]
    public async Task A_file_that_is_being_written_is_waited_for_and_one_that_is_not_there_is_not()
    {
        string path = Path.Combine(_folder, "app.dll");
        Task<FileStream> reading;
        using (var writer = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            reading = Task.Run(() => FolderLock.OpenRead(path));
            await Task.Delay(Moment);
            Assert.False(reading.IsCompleted);
            writer.WriteByte(7);
        }
        using var read = await reading.WaitAsync(Long);
        Assert.Equal(7, read.ReadByte());
        Assert.Throws<FileNotFoundException>(() => FolderLock.OpenRead(path + ".other"));
    }
}
