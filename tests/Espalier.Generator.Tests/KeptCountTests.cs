using Espalier.Generator.Planning;
using Theirs = Espalier.Pruning.KeptCount;

namespace Espalier.Generator.Tests;

/// <summary>The arithmetic that the generator repeats because it cannot load the rewriter is the rewriter's.</summary>
public class KeptCountTests
{
    [Fact]
    public void CountsAreTheRewriters()
    {
        foreach (var size in (int[])[1, 2, 3, 7, 8, 16, 17, 48, 64, 96, 100, 768])
        foreach (var multiple in (int[])[1, 4, 8, 16])
        foreach (var floor in (int[])[1, 2, 5, 64])
        for (var percent = 0; percent <= 100; percent++)
            Assert.Equal(Theirs.Round(percent / 100.0 * size, size, multiple, floor), KeptCount.Round(percent / 100.0 * size, size, multiple, floor));
    }

    [Fact]
    public void PairsAreTheRewriters()
    {
        foreach (var kv in (int[])[1, 2, 4, 8])
        foreach (var queries in (int[])[1, 2, 3, 7])
        foreach (var floor in (int[])[1, 2])
        for (var percent = 0; percent <= 100; percent += 5)
            Assert.Equal(Theirs.Pair(percent / 100.0 * kv * queries, (kv, 1, floor), (queries, 1, 1)), KeptCount.Pair(percent / 100.0 * kv * queries, (kv, 1, floor), (queries, 1, 1)));
    }

    [Fact]
    public void MultiplesAreTheRewriters()
    {
        foreach (var kind in Enum.GetValues<Espalier.Axes.GroupKind>())
        foreach (var roundTo in (int[])[0, 1, 8])
        {
            var name = kind.ToString();
            Assert.Equal(Theirs.Multiple(new PruneRule { RoundTo = roundTo }, kind), KeptCount.Multiple(roundTo, char.ToLowerInvariant(name[0]) + name[1..]));
        }
    }
}
