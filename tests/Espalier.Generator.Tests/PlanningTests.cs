using Espalier.Generator.Collections;
using Espalier.Generator.Planning;
using Espalier.Planning;

namespace Espalier.Generator.Tests;

/// <summary>Patterns and the values that the pipeline compares.</summary>
public class PlanningTests
{
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
    public void Globs_match(string pattern, string name, bool expected) => Assert.Equal(expected, Glob.Matches(pattern, name));

    [Theory]
    [InlineData("encodr.*", "encoder.layer.0", 1, "encoder.*")]
    [InlineData("encoder.0", "encoder.0", 0, "encoder.0")]
    [InlineData("*", "abc", 0, "*")]
    [InlineData("a?x", "abc", 1, "a?c")]
    [InlineData("", "abc", 3, "abc")]
    [InlineData("abc", "", 3, "")]
    [InlineData("*.weigth", "conv.weight", 2, "*.weight")]
    public void The_nearest_pattern_is_the_one_with_the_fewest_edits(string pattern, string name, int distance, string corrected)
        => Assert.Equal((distance, corrected), NearestPattern.Find(pattern, name));

    [Fact]
    public void A_corrected_pattern_matches()
    {
        var random = new Random(20261125);
        string Text(string letters, int most)
            => new([.. Enumerable.Range(0, random.Next(most)).Select(_ => letters[random.Next(letters.Length)])]);
        for (var i = 0; i < 3000; i++)
        {
            var (pattern, name) = (Text("ab.*?", 8), Text("ab.", 10));
            var (distance, corrected) = NearestPattern.Find(pattern, name);
            Assert.True(Glob.Matches(corrected, name), $"{pattern} → {corrected} for {name}");
            Assert.Equal(Glob.Matches(pattern, name), distance == 0);
        }
    }

    [Fact]
    public void A_list_is_equal_by_its_elements()
    {
        EquatableArray<int> one = [1, 2], two = [1, 2], three = [1, 3], none = default, empty = [];
        Assert.Equal(one, two);
        Assert.Equal(one.GetHashCode(), two.GetHashCode());
        Assert.NotEqual(one, three);
        Assert.Equal(none, empty);
        Assert.Equal(none.GetHashCode(), empty.GetHashCode());
    }
}
