using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Axes.Groups;
using Espalier.Axes.Tests.BruteForce;
using Espalier.Axes.Tests.Naming;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>
/// Architectures as exporters write them: which groups are exact, that they are, and the reason of everything else. Each test writes
/// a row of a table: name, groups by kind, share of parameters in exact groups, the same with inexact ones, greatest error.
/// </summary>
public sealed partial class ZooTests(ITestOutputHelper output)
{
    internal static readonly IReadOnlyList<ZooModel> Models = [.. Convolutional.Models, .. Vision.Models, .. Dense.Models,
        .. Language.Models, .. Decoders.Models, .. Sequences.Models, .. Modern.Models, .. Hybrids.Models];

    /// <summary>Names of all models.</summary>
    public static TheoryData<string> Architectures() => [.. Models.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Architecture(string name)
    {
        var model = Models.Single(m => m.Name == name);
        var sizes = model.Sizes.ToDictionary(s => s.Name, s => s.Size);
        var check = RuleCheck.On(model.Build(), model.Sizes);
        var analysis = check.Analysis;
        double error = 0, effect = 0;
        int claims = 0;
        foreach (var (keep, seed) in ((double, int)[])[(0.5, 1), (0.75, 2), (0, 3)])
        {
            var result = SlimOracle.Check(analysis, SlimOracle.Pick(analysis, keep, seed), seed, sizes);
            (error, effect) = (Math.Max(error, result.Error), Math.Max(effect, result.Effect));
            if (seed < 3) claims += Claims.Check(analysis, result.Selection, seed, sizes);
        }
        Assert.True(Perturbation.Check(analysis, 7, 6, sizes) > 0 || model.Claims == 0, "no change of a weight could be followed");
        double exact = Share(analysis, Exactness.Exact), all = Share(analysis, Exactness.Exact, Exactness.Inexact);
        string kinds = Kinds(analysis);
        var reasons = Reasons(analysis).Select(General).Distinct().Order(StringComparer.Ordinal).ToList();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {kinds} | {exact:p0} | {all:p0} | {error:g2} |"));

        output.WriteLine("stays: " + string.Join(" | ", reasons));
        Assert.True(kinds == model.Exact, $"exact are {kinds}\nnot {model.Exact}\n{SlimOracle.Describe(analysis)}");
        Assert.True(exact >= model.Share,
            string.Create(CultureInfo.InvariantCulture,
                $"only {exact:p1} of the parameters are in exact groups\n{SlimOracle.Describe(analysis)}"));
        Assert.Equal(model.Stays.Order(StringComparer.Ordinal), reasons);
        Assert.True(effect > 1e-6, "removing half of everything changes nothing");
        Assert.True(claims >= model.Claims, "hardly a claim of zero was compared");
        model.Groups(check);
        NameList.AreUnique(analysis);
        using var other = NameList.Renumbered(analysis.File);
        Assert.Equal(NameList.Of(analysis, files: false), NameList.Of(AxisAnalysis.Run(other), files: false));
        check.IsExact();
    }

    private static IEnumerable<string> Reasons(AxisAnalysis analysis)
        => analysis.Frozen.Select(f => f.Reason)
            .Concat(analysis.Groups.Where(g => g.Exactness != Exactness.Exact).Select(g => g.Reason ?? "no reason"));

    /// <summary>A reason without the names of nodes and tensors.</summary>
    private static string General(string reason) => Numbered().Replace(Quoted().Replace(reason, ""), "f$1").Trim();

    [GeneratedRegex(@"\s?'[^']*'(?=:| is shared)")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\bf\d+(\[[^]]*\])")]
    private static partial Regex Numbered();

    private static string Kinds(AxisAnalysis analysis) => string.Join(", ", analysis.Groups.Where(g => g.Exactness == Exactness.Exact)
        .GroupBy(g => g.Kind).OrderBy(k => k.Key).Select(k => string.Create(CultureInfo.InvariantCulture, $"{k.Key} {k.Count()}")));

    /// <summary>Share of the elements of all weights that some unit of a group takes along when it goes.</summary>
    private static double Share(AxisAnalysis analysis, params Exactness[] which)
    {
        var factors = analysis.Groups.Where(g => which.Contains(g.Exactness)).Select(g => g.Factor).ToHashSet();
        double all = 0, covered = 0;
        foreach (var tensor in analysis.Parameters.Where(p => p.Value is null && p.IsFloating))
        {
            double elements = tensor.Terms!.Aggregate(1.0, (a, t) => a * t.Size!.Value);
            double whole = tensor.Terms!.Aggregate(1.0, (a, t) => a * t.KeptIndices(f => factors.Contains(f) ? [] : null).Length);
            all += elements;
            covered += elements - whole;
        }
        return covered / all;
    }
}
