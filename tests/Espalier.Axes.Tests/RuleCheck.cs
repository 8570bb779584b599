using System.Globalization;
using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Expectations on the axes of one small graph. Each test names the groups that must have been found, with their size, before
/// the oracle runs: so it cannot pass by freezing everything.
/// </summary>
internal sealed class RuleCheck
{
    private readonly AxisAnalysis _analysis;
    private readonly List<(Group Group, string Tensor, int Axis)> _expected = [];
    private readonly IReadOnlyDictionary<string, long>? _sizes;

    private RuleCheck(AxisAnalysis analysis, IReadOnlyDictionary<string, long>? sizes) => (_analysis, _sizes) = (analysis, sizes);

    /// <summary>Analyses the graph.</summary>
    public static RuleCheck On(GraphBuilder graph, params (string Name, long Size)[] sizes) => On(graph.Build(), sizes);

    /// <summary>Analyses the model.</summary>
    public static RuleCheck On(OnnxModel model, params (string Name, long Size)[] sizes)
        => new(AxisAnalysis.Run(model), sizes.Length == 0 ? null : sizes.ToDictionary(s => s.Name, s => s.Size));

    /// <summary>Caches and states among inputs and outputs may shrink.</summary>
    public static RuleCheck OnOpen(GraphBuilder graph, params (string Name, long Size)[] sizes)
        => new(AxisAnalysis.Run(graph.Build(), new AxisOptions { AllowInterface = true }), sizes.ToDictionary(s => s.Name, s => s.Size));

    /// <summary>The axes that were found.</summary>
    public AxisAnalysis Analysis => _analysis;

    /// <summary>An exact group of this size on the axis, coupled with the other weight axes.</summary>
    public RuleCheck Group(string tensor, int axis, int size, Axis? kind = null, params (string Tensor, int Axis)[] with)
    {
        var group = Find(tensor, axis, size, Exactness.Exact, kind, with);
        if (kind is not null) Assert.True(kind == group.Kind, $"group {group.Name} is {group.Kind}, not {kind}\n{Describe()}");
        _expected.Add((group, tensor, axis));
        return this;
    }

    /// <summary>A group of this size on the axis that is marked inexact, for a reason that contains the text.</summary>
    public RuleCheck Inexact(string tensor, int axis, int size, string reason)
    {
        var group = Find(tensor, axis, size, Exactness.Inexact, null);
        Assert.True(group.Reason?.Contains(reason, StringComparison.OrdinalIgnoreCase) == true,
            $"group {group.Name} is inexact because of '{group.Reason}', not {reason}\n{Describe()}");
        return this;
    }

    /// <summary>No unit of the axis can be removed, for a reason that contains the text.</summary>
    public RuleCheck Frozen(string tensor, int axis, string reason)
    {
        Assert.DoesNotContain(_analysis.Groups, g => g.Exactness != Exactness.Frozen
            && g.Occurrences.Any(o => o.Tensor == tensor && o.Axis == axis));
        var reasons = _analysis.Frozen.Where(f => f.Tensor == tensor && f.Axis == axis).Select(f => f.Reason).ToList();
        Assert.True(reasons.Count > 0, $"{tensor}:{axis} is not listed as frozen\n{Describe()}");
        Assert.True(reasons.Any(r => r.Contains(reason, StringComparison.OrdinalIgnoreCase)),
            $"{tensor}:{axis} is frozen because of '{string.Join("', '", reasons)}', not {reason}\n{Describe()}");
        return this;
    }

    /// <summary>
    /// Every expected group alone, then all exact groups together at several ratios, agree with the masked model, every claim
    /// of zero is seen in it, and a change of one index goes where the terms say.
    /// </summary>
    public void IsExact()
    {
        foreach (var (group, tensor, axis) in _expected)
        {
            var alone = SlimOracle.Check(_analysis, SlimOracle.Pick(_analysis, 0.5, 5, g => g == group), 5, _sizes);
            Assert.True(alone.Effect > 1e-6, $"removing half of {group.Name} changes nothing\n{Describe()}");
            AssertLost(alone, group, tensor, axis);
        }
        foreach (var (keep, seed) in ((double, int)[])[(0.5, 1), (0.75, 2), (0, 3)])
        {
            var all = SlimOracle.Check(_analysis, SlimOracle.Pick(_analysis, keep, seed), seed, _sizes);
            foreach (var (group, tensor, axis) in _expected) AssertLost(all, group, tensor, axis);
            if (seed == 1) BruteForce.Claims.Check(_analysis, all.Selection, seed, _sizes);
            if (seed == 2) BruteForce.Perturbation.Check(_analysis, seed, 2, _sizes);
        }
    }

    private void AssertLost(SlimComparison result, Group group, string tensor, int axis)
    {
        int gone = group.Size - result.Selection.Kept[group.Id].Length;
        if (gone == 0) return;
        Assert.True(result.Slim.Removed.TryGetValue(tensor, out var axes) && axes.TryGetValue(axis, out var indices)
            && indices.Length >= gone,
            string.Create(CultureInfo.InvariantCulture,
                $"{gone} units of {group.Name} were removed, but {tensor}:{axis} lost nothing\n{SlimOracle.Describe(result)}"));
    }

    private Group Find(string tensor, int axis, int size, Exactness exactness, Axis? kind, params (string Tensor, int Axis)[] with)
    {
        var there = _analysis.Groups.Where(g => g.Occurrences.Any(o => o.Tensor == tensor && o.Axis == axis)).ToList();
        var fits = there.Where(g => g.Size == size && g.Exactness == exactness).ToList();
        var fit = fits.OrderBy(g => g.Kind == kind ? 0 : 1)
            .FirstOrDefault(g => with.All(w => g.Occurrences.Any(o => o.Tensor == w.Tensor && o.Axis == w.Axis)));
        if (fit is null && fits.Count > 0)
            Assert.Fail($"group {fits[0].Name} of {tensor}:{axis} does not reach all of "
                + $"{string.Join(", ", with.Select(w => $"{w.Tensor}:{w.Axis}"))}\n{Describe()}");
        Assert.True(fit is not null,
            $"no {exactness} group of {size} on {tensor}:{axis}, only "
                + $"{string.Join(", ", there.Select(g => $"{g.Name} {g.Size} {g.Exactness} ({g.Reason})"))}\n{Describe()}");
        return fit!;
    }

    private string Describe() => SlimOracle.Describe(_analysis);
}
