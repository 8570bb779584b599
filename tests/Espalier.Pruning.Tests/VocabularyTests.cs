using System.Text.RegularExpressions;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests;

/// <summary>The tables of the vocabulary: what is known of every member stands in one row.</summary>
public sealed partial class VocabularyTests
{
    [Fact]
    public void Every_member_has_one_row()
    {
        Complete(AxisRow.All.Select(row => row.Axis));
        Complete(CriterionRow.All.Select(row => row.Criterion));
        Complete(AllocationRow.All.Select(row => row.Allocation));
        Complete(CompensationRow.All.Select(row => row.Compensation));
        Complete(ScheduleRow.All.Select(row => row.Schedule));
        foreach (var preset in Enum.GetValues<Preset>()) Assert.NotNull(Presets.Get(preset));

        static void Complete<T>(IEnumerable<T> rows) where T : struct, Enum
            => Assert.Equal(Enum.GetValues<T>().Order(), rows.Order());
    }

    [Fact]
    public void Words_are_unique_and_in_kebab_case()
    {
        Check(AxisRow.All.Where(row => row.CanPrune || row.CanDrop).Select(row => row.Word));
        Check(CriterionRow.All.Select(row => row.Word));
        Check(CriterionRow.All.Where(row => row.RanksDepth).Select(row => row.DepthWord));
        Check(AllocationRow.All.Select(row => row.Word));
        Check(CompensationRow.All.Select(row => row.Word));
        Check(ScheduleRow.All.Select(row => row.Word));
        Check(Enum.GetValues<Preset>().Select(Words.Kebab));

        static void Check(IEnumerable<string> words)
        {
            string[] all = [.. words];
            Assert.Equal(all.Distinct(StringComparer.Ordinal), all);
            Assert.All(all, word => Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", word));
        }
    }

    [Fact]
    public void Whatever_is_measured_needs_data()
    {
        // Magnitudes are of weights.
        Assert.All(CriterionRow.All.Select(row => row.Needs).Concat(AllocationRow.All.Select(row => row.Needs))
            .Concat(CompensationRow.All.Select(row => row.Needs)).Concat(ScheduleRow.All.Select(row => row.Needs)),
            needs => Assert.Equal((needs & ~Needs.Magnitudes) != Needs.None, needs.Any(Needs.Data)));
        Assert.All(CriterionRow.All, row => Assert.Equal(row.RunsPerUnit > 0, row.Needs.Any(Needs.Runs)));
    }

    /// <summary>The README has the formula of each and says where it is from.</summary>
    [Fact]
    public void The_readme_has_every_criterion_and_allocation_and_names_its_source()
    {
        string readme = File.ReadAllText(Path.Combine(Assets.Root, "onnx-rewriter", "README.md"));
        var rows = CriterionRow.All.Select(row => (Name: row.Criterion.ToString(), row.Source))
            .Concat(AllocationRow.All.Select(row => (Name: row.Allocation.ToString(), row.Source)));
        foreach (var (name, source) in rows)
        {
            Assert.Matches($@"(?m)^\| {name}( \(.*?\))? \|", readme);
            foreach (Match paper in Paper().Matches(source)) Assert.Contains(paper.Value, readme, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex(@"arXiv:\d{4}\.\d{5}", RegexOptions.CultureInvariant)]
    private static partial Regex Paper();
}
