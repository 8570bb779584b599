using Espalier.Adversaries;
using Espalier.EndToEnd.Tests.Build;

namespace Espalier.EndToEnd.Tests.Adversaries;

/// <summary>The adversaries of builds in short.</summary>
public sealed class BuildAdversaryTests(SharedFeed feed)
{
    [Fact]
    public void A_build_may_be_killed_at_any_moment()
    {
        var kills = new BuildKills(feed.Value, seed: 5, "0.5");
        kills.Run(1, TimeSpan.FromMinutes(1));
        Assert.Empty(kills.Found.Wrong);
        Assert.Equal(1, kills.Found.Killed + kills.Found.TooLate);
    }

    [Fact]
    public void Builds_of_one_folder_take_turns()
    {
        var (wrong, others) = new ParallelBuilds(feed.Value).Run(4, whole: false);
        Assert.Empty(wrong);
        Assert.Empty(others);
    }
}
