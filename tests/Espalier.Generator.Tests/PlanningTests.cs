using Espalier.Generator.Planning;
using Theirs = Espalier.Pruning.KeptCount;

namespace Espalier.Generator.Tests;

/// <summary>The arithmetic that the generator repeats because it cannot load the rewriter is the rewriter's.</summary>
public class PlanningTests
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

    [Theory]
    [InlineData("*", "", true)]
    [InlineData("*", "a.b", true)]
    [InlineData("a*c", "abbbc", true)]
    [InlineData("a*c", "abbb", false)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "ac", false)]
    [InlineData("*a*b", "xxaxxaxb", true)]
    [InlineData("A", "a", false)]
    [InlineData("a.c", "abc", false)]
    [InlineData("", "a", false)]
    public void GlobsMatch(string pattern, string name, bool expected) => Assert.Equal(expected, Glob.Matches(pattern, name));

    [Theory]
    [InlineData("encodr.*", "encoder.layer.0", 1, "encoder.*")]
    [InlineData("encoder.0", "encoder.0", 0, "encoder.0")]
    [InlineData("*", "abc", 0, "*")]
    [InlineData("a?x", "abc", 1, "a?c")]
    [InlineData("", "abc", 3, "abc")]
    [InlineData("abc", "", 3, "")]
    [InlineData("*.weigth", "conv.weight", 2, "*.weight")]
    public void TheNearestPatternIsTheOneWithTheFewestEdits(string pattern, string name, int distance, string corrected)
        => Assert.Equal((distance, corrected), Glob.Nearest(pattern, name));

    [Fact]
    public void ACorrectedPatternMatches()
    {
        var random = new Random(20261125);
        string Text(string letters, int most) => new([.. Enumerable.Range(0, random.Next(most)).Select(_ => letters[random.Next(letters.Length)])]);
        for (var i = 0; i < 3000; i++)
        {
            var (pattern, name) = (Text("ab.*?", 8), Text("ab.", 10));
            var (distance, corrected) = Glob.Nearest(pattern, name);
            Assert.True(Glob.Matches(corrected, name), $"{pattern} → {corrected} for {name}");
            Assert.Equal(Glob.Matches(pattern, name), distance == 0);
        }
    }

    [Fact]
    public void AListIsEqualByItsElements()
    {
        EquatableArray<int> one = [1, 2], two = [1, 2], three = [1, 3], none = default, empty = [];
        Assert.Equal(one, two);
        Assert.Equal(one.GetHashCode(), two.GetHashCode());
        Assert.NotEqual(one, three);
        Assert.Equal(none, empty);
        Assert.Equal(none.GetHashCode(), empty.GetHashCode());
    }
}
