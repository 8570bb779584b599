using Espalier.Adversaries;

namespace Espalier.EndToEnd.Tests.Adversaries;

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
