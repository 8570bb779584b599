using Espalier.Adversaries;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>The adversaries in short; <c>tests/Espalier.Adversaries</c> runs them for long.</summary>
[Collection(PackedCollection.Name)]
public sealed class AdversaryTests(PackedFeed feed)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Slim_may_be_killed_at_any_moment(bool external)
    {
        string folder = Directory.CreateTempSubdirectory("espalier kills ").FullName;
        try
        {
            var kills = new SlimKills(folder, external, seed: 3, width: 192, runs: 1);
            kills.Run(5);
            Assert.Empty(kills.Found.Wrong);
            Assert.True(kills.Found.Killed > 0, "every run had ended before its moment");
            Assert.Equal(5, kills.Found.Old + kills.Found.New + kills.Found.Absent);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_build_may_be_killed_at_any_moment()
    {
        var kills = new BuildKills(feed, seed: 5);
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
