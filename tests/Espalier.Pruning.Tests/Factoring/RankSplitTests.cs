using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Factoring;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests.Factoring;

/// <summary>Models in which weights are products of two, so that ranks are units.</summary>
public sealed class RankSplitTests
{
    public static TheoryData<string> Networks => [.. Assets.Networks().Select(n => Path.GetFileNameWithoutExtension(n))];

    private static readonly Axis[] Kinds = [Axis.Channels, Axis.Neurons, Axis.Heads];

    private static PruningPlan Plan(AxisAnalysis analysis, double macs = 0.6) => Presets.Complete(new PruningPlan
    {
        Preset = Preset.Best,
        Prune = [.. Kinds.Where(k => analysis.Groups.Any(g => g.Kind == k && g.Exactness == Exactness.Exact))
            .Select(k => new PruneRule { Name = k.ToString(), Axis = k })],
        Budget = new Budget(Macs: macs),
    }, hasData: true);

    /// <summary>A network in the form; null where it has no weights that can share a budget.</summary>
    private static (ResolvedPlan Resolved, RankSplit Split, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Samples)? Form(
        OnnxModel dense, AxisAnalysis analysis)
    {
        var plan = Plan(analysis);
        plan = plan with { LowRank = RankSplit.Usual(plan, analysis) };
        if (plan.LowRank.Count == 0) return null;
        var samples = RandomInputs.Many(dense, 24, 3, RandomInputs.Fit(dense));
        var resolved = ResolvedPlan.Resolve(plan, analysis);
        var statistics = Calibrator.Run(analysis, samples, Slimmer.Needs(resolved)!);
        return (resolved, RankSplit.Create(resolved, new(statistics, new ModelProbe(analysis, samples), null), []), samples);
    }

    [Fact]
    public void Most_networks_have_weights_whose_ranks_can_share_a_budget()
    {
        var without = Assets.Networks().Where(n =>
        {
            using var dense = OnnxModel.Open(Assets.Path(n));
            var analysis = AxisAnalysis.Run(dense);
            return RankSplit.Usual(Plan(analysis), analysis).Count == 0;
        });
        Assert.Equal("", string.Join(' ', without));
    }

    /// <summary>The form computes what the model computes, costs what it costs, and knows of ranks what calibration would find.</summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void The_form_is_the_model(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        if (Form(dense, analysis) is not var (_, split, samples)) return;
        var form = split.Resolved.Analysis;
        var found = OracleComparer.Compare(analysis.Model, form.Model, inputs: samples);
        Assert.True(found.IsExact, $"{found.Error}");
        foreach (var unit in new[] { CostUnit.Macs, CostUnit.Parameters })
            Assert.Equal(analysis.Cost.Evaluate(unit), form.Cost.Evaluate(unit), 1e-9 * analysis.Cost.Evaluate(unit));
        var ranks = split.Resolved.Rules[^1].Groups;
        var consumers = ranks.SelectMany(g => g.Consumers).ToList();
        var measured = Calibrator.Run(form, samples, new() { Covariance = consumers.Select(c => c.Id).ToHashSet(), HeldOut = true });
        foreach (var consumer in consumers)
        {
            var (own, seen) = (split.Evidence.Statistics!.Consumers[consumer.Id], measured.Consumers[consumer.Id]);
            double scale = seen.Variance.Max();
            for (int r = 0; r < own.Mean.Length; r++)
            {
                Assert.Equal(seen.Variance[r], own.Variance[r], 1e-2 * scale);
                Assert.Equal(seen.Mean[r], own.Mean[r], 1e-2 * Math.Sqrt(scale));
                for (int k = 0; k < r; k++) Assert.Equal(seen.Covariance![r, k], own.Covariance![r, k], 1e-2 * scale);
            }
        }
    }

    /// <summary>
    /// Half of the units of every group and a third of the ranks of every second weight, refitted with hidden biases: what the form
    /// gives then is what the model gives that the choice is carried over to, and that one is the masked dense model with products.
    /// </summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void What_is_chosen_in_the_form_is_carried_over(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        if (Form(dense, analysis) is not var (_, split, samples)) return;
        var ranks = split.Resolved.Rules[^1].Groups;
        var kept = new Dictionary<int, ImmutableArray<int>>();
        foreach (var group in split.Resolved.Rules.SkipLast(1).SelectMany(r => r.Groups))
            kept[group.Id] = [.. Enumerable.Range(0, Math.Max(group.MinKeep, group.Size / 2)).Select(u => u + (group.Size / 4))];
        for (int k = 0; k < ranks.Count; k += 2) kept[ranks[k].Id] = [.. Enumerable.Range(0, ranks[k].Size / 3)];
        var methods = kept.Keys.ToDictionary(g => g, _ => Compensation.LeastSquares);
        var (settled, selection, fitting) = split.Settle(new(kept, []), methods);
        var form = settled.Resolved;
        Assert.True(form.Targets.Count == 0 && form.Rules.Count > 0);
        var edits = Compensator.Compute(form.Model, new(selection, g => fitting[g]) { Statistics = settled.Evidence.Statistics });
        var (own, merged) = settled.Merge(selection, edits);
        Assert.InRange(merged.Factors.Count, 1, (ranks.Count + 1) / 2);
        using var split1 = Surgery.Apply(form.Analysis, selection, edits).Model;
        using var slim = Surgery.Apply(analysis, own, merged).Model;
        var found = OracleComparer.Compare(split1, slim, inputs: samples);
        Assert.True(found.IsExact, $"{found.Error}");
        Assert.False(OracleComparer.Compare(dense, slim, inputs: samples).IsExact);
        var plain = Surgery.Apply(analysis, own, WeightEdits.Nothing with { Factors = merged.Factors });
        using var plainModel = plain.Model;
        using var masked = MaskedModel.Build(analysis.Model, new Removal
        {
            Slices = plain.Removed,
            Factored = [.. plain.Factored.Select(f => (f.Key, f.Value.Down, f.Value.Up))],
        }, plainModel);
        var oracle = OracleComparer.Compare(masked, plainModel, inputs: samples);
        Assert.True(oracle.IsExact, $"{oracle.Error}");
        // And its cost is what the choice was made by.
        double Size(int g) => selection.Kept.TryGetValue(g, out var units) ? units.Length : form.Analysis.Cost.GroupSizes[g];
        Assert.Equal(AxisAnalysis.Run(plainModel, analysis.Options).Macs, form.Analysis.Cost.Evaluate(CostUnit.Macs, Size),
            1e-6 * analysis.Macs);
    }

    /// <summary>The whole of it: a budget on units and ranks, met by the file, with both in the report.</summary>
    [Theory]
    [InlineData("resnet.onnx")]
    [InlineData("bert.onnx")]
    public void A_budget_is_shared_by_units_and_ranks(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name));
        var analysis = AxisAnalysis.Run(dense);
        var plan = Plan(analysis, 0.5);
        plan = plan with { LowRank = RankSplit.Usual(plan, analysis) };
        var samples = RandomInputs.Many(dense, 24, 3, RandomInputs.Fit(dense));
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples));
        using var model = slim.Model;
        Assert.InRange((double)slim.Report.After.Macs / slim.Report.Before.Macs, 0.45, 0.5);
        Assert.Contains(slim.Report.Groups, g => g.Kept < g.Size);
        Assert.All(slim.Report.Factored, f => Assert.True(f.MacsAfter < f.MacsBefore && f.Error is > 0 and < 1));
        Assert.NotEmpty(slim.Report.Factored);
        var distances = MaskedModel.Distances(analysis.Model, Removal.From(slim.Report, analysis.File), model);
        Assert.All(slim.Report.Factored, f => Assert.Equal(f.Distance!.Value, distances[f.Weight], 1e-5));
    }

    /// <summary>A layer that reads the input itself contracts nothing that may go, and yet its ranks may, and it gets a bias.</summary>
    [Fact]
    public void The_ranks_of_the_first_layer_share_the_budget()
    {
        var g = new GraphBuilder(7);
        string h = g.Relu(g.MatMul(g.Input("x", "batch", 48), g.Weight("first", 48, 12)));
        using var dense = g.Output(g.Rename(g.Linear(g.Relu(g.Linear(h, "up", 12, 40)), "down", 40, 5), "y"), "batch", 5).Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan
        {
            Prune = [new() { Axis = Axis.Neurons, Groups = [analysis.Groups.Single(u => u.Size == 40).Name] }],
            LowRank = [new()],
            Budget = new Budget(Macs: 0.4),
        }, hasData: true);
        var samples = Enumerable.Range(1, 30).Select(k => Planted.Rows(k, 20, 48)).ToList();
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples));
        using var model = slim.Model;
        Assert.Contains(slim.Report.Factored, f => f.Weight == "first");
        var distances = MaskedModel.Distances(analysis.Model, Removal.From(slim.Report, analysis.File), model);
        Assert.All(slim.Report.Factored, f => Assert.Equal(f.Distance!.Value, distances[f.Weight], 1e-5));
    }

    [Fact]
    public void A_budget_is_shared_with_what_is_refitted_alone()
    {
        using var dense = OnnxModel.Open(Assets.Path("bert.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var plan = Plan(analysis) with { LowRank = [new()] };
        Assert.Contains("compensate otherwise than by least squares", Assert.Throws<EspalierException>(() => ResolvedPlan.Resolve(
            plan with { Prune = [.. plan.Prune.Select(r => r with { Compensate = Compensation.Bias })] }, analysis)).Message,
            StringComparison.Ordinal);
        Assert.Empty(RankSplit.Usual(Plan(analysis) with { Budget = new(Latency: 0.5) }, analysis));
        Assert.Empty(RankSplit.Usual(Plan(analysis) with { Allocate = Allocation.Uniform }, analysis));
    }
}
