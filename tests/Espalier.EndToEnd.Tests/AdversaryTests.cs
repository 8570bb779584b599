using Espalier.Adversaries;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>The adversary of slim in short; <c>tests/Espalier.Adversaries</c> runs it for long.</summary>
public sealed class SlimAdversaryTests
{
    [Theory]
    [InlineData(false, 4)]
    [InlineData(true, 6)]
    public void Slim_may_be_killed_at_any_moment(bool external, int times)
    {
        string folder = Directory.CreateTempSubdirectory("espalier kills ").FullName;
        try
        {
            var kills = new SlimKills(folder, external, seed: 3, width: 192, runs: 1);
            kills.Run(times);
            kills.Clean();
            Assert.Empty(kills.Found.Wrong);
            Assert.True(kills.Found.Killed > 0, "every run had ended before its moment");
            Assert.Equal(times, kills.Found.Old + kills.Found.New + kills.Found.Absent);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>The adversaries of builds in short.</summary>
[Collection(PackedCollection.Name)]
public sealed class BuildAdversaryTests(PackedFeed feed)
{
    [Fact]
    public void A_build_may_be_killed_at_any_moment()
    {
        var kills = new BuildKills(feed, seed: 5, "0.5");
        kills.Run(1, TimeSpan.FromMinutes(1));
        Assert.Empty(kills.Found.Wrong);
        Assert.Equal(1, kills.Found.Killed + kills.Found.TooLate);
    }

    [Fact]
    public void Builds_of_one_folder_take_turns()
    {
        var (wrong, others) = new ParallelBuilds(feed).Run(4, whole: false);
        Assert.Empty(wrong);
        Assert.Empty(others);
    }
}
