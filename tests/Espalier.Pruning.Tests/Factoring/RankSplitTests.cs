using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Algebra;
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
    /// A third of the ranks of every second weight: what the form gives then, refitted by what calibration found, is what the model gives
    /// whose weights are reduced to these ranks.
    /// </summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void Ranks_that_are_chosen_in_the_form_are_those_of_the_model(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        if (Form(dense, analysis) is not var (resolved, split, samples)) return;
        var (kept, methods) = Choice(split, width: false);
        var form = split.Resolved;
        var edits = Compensator.Compute(form.Model, new(new(kept, []), g => methods[g]) { Statistics = split.Evidence.Statistics });
        using var there = Surgery.Apply(form.Analysis, new(kept, []), edits).Model;
        var (selection, _, ranks) = split.Settle(new(kept, []), methods);
        Assert.Empty(selection.Kept);
        // A weight of which more is kept than saves something stays whole; here that is none.
        Assert.Equal(kept.Count, ranks.Count);
        var own = Compensator.Compute(resolved.Model,
            new(selection, _ => Compensation.None) { Ranks = ranks, Statistics = Statistics(resolved, samples) });
        using var slim = Surgery.Apply(analysis, selection, own).Model;
        var found = OracleComparer.Compare(there, slim, inputs: samples);
        Assert.True(found.IsExact, $"{found.Error}");
        Assert.False(OracleComparer.Compare(dense, slim, inputs: samples).IsExact);
    }

    /// <summary>With half of the units of every group gone too, it is the masked dense model with the products.</summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void The_model_with_fewer_units_and_ranks_is_the_masked_one_with_products(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        if (Form(dense, analysis) is not var (resolved, split, samples)) return;
        var (kept, methods) = Choice(split, width: true);
        var (selection, fitting, ranks) = split.Settle(new(kept, []), methods);
        var edits = Compensator.Compute(resolved.Model,
            new(selection, g => fitting[g]) { Ranks = ranks, Statistics = Statistics(resolved, samples) });
        Assert.Equal(ranks.Keys.Order(StringComparer.Ordinal), edits.Factors.Select(f => f.Target.Weight));
        var plain = Surgery.Apply(analysis, selection, WeightEdits.Nothing with { Factors = edits.Factors });
        using var slim = plain.Model;
        using var masked = MaskedModel.Build(analysis.Model, new Removal
        {
            Slices = plain.Removed,
            Factored = [.. plain.Factored.Select(f => (f.Key, f.Value.Down, f.Value.Up))],
        }, slim);
        var oracle = OracleComparer.Compare(masked, slim, inputs: samples);
        Assert.True(oracle.IsExact, $"{oracle.Error}");
        // And its cost is what the choice was made by.
        var cost = split.Resolved.Analysis.Cost;
        double Size(int g) => kept.TryGetValue(g, out var units) ? units.Length : cost.GroupSizes[g];
        Assert.Equal(AxisAnalysis.Run(slim, analysis.Options).Macs, cost.Evaluate(CostUnit.Macs, Size), 1e-6 * analysis.Macs);
    }

    private static (Dictionary<int, ImmutableArray<int>> Kept, Dictionary<int, Compensation> Methods) Choice(RankSplit split, bool width)
    {
        var ranks = split.Resolved.Rules[^1].Groups;
        var kept = new Dictionary<int, ImmutableArray<int>>();
        foreach (var group in split.Resolved.Rules.SkipLast(1).SelectMany(r => r.Groups).Where(_ => width))
            kept[group.Id] = [.. Enumerable.Range(0, Math.Max(group.MinKeep, group.Size / 2)).Select(u => u + (group.Size / 4))];
        for (int k = 0; k < ranks.Count; k += 2) kept[ranks[k].Id] = [.. Enumerable.Range(0, ranks[k].Size / 3)];
        return (kept, kept.Keys.ToDictionary(g => g, _ => Compensation.LeastSquares));
    }

    private static CalibrationStatistics Statistics(ResolvedPlan resolved, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
        => Calibrator.Run(resolved.Analysis, samples, Slimmer.Needs(resolved)!);

    /// <summary>No other matrix of its rank is nearer to what was to be fitted than the reduction of the least-squares fit.</summary>
    [Fact]
    public void A_reduced_fit_is_the_best_of_its_rank()
    {
        const int inputs = 9, outputs = 6, rank = 2;
        var random = new Random(5);
        double[] Numbers(int count) => [.. Planted.Floats(random, count).Select(v => (double)v)];
        // y = M·x + noise, over 200 rows.
        double[] x = Numbers(200 * inputs), m = Numbers(outputs * inputs), noise = Numbers(200 * outputs);
        double[] y = new double[200 * outputs], c = new double[inputs * inputs], cross = new double[outputs * inputs];
        for (int t = 0; t < 200; t++)
        {
            for (int o = 0; o < outputs; o++)
            {
                y[(t * outputs) + o] = noise[(t * outputs) + o] / 2;
                for (int i = 0; i < inputs; i++) y[(t * outputs) + o] += m[(o * inputs) + i] * x[(t * inputs) + i] * (i + 1);
                for (int i = 0; i < inputs; i++) cross[(o * inputs) + i] += y[(t * outputs) + o] * x[(t * inputs) + i] / 200;
            }
            for (int i = 0; i < inputs; i++)
                for (int j = 0; j < inputs; j++) c[(i * inputs) + j] += x[(t * inputs) + i] * x[(t * inputs) + j] / 200;
        }
        var fitted = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfRowMajor(outputs, inputs, cross)
            * MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfRowMajor(inputs, inputs, c).Inverse();
        double[] w = fitted.ToRowMajorArray();
        var basis = OutputBasis.Find(w, c, outputs, inputs);
        double[] down = basis.Project(w, rank), up = basis.Vectors[..(rank * outputs)];
        double least = Loss(down, up);
        for (int trial = 0; trial < 300; trial++)
        {
            double step = Math.Pow(10, -(trial % 4) - 1);
            Assert.True(Loss([.. down.Zip(Numbers(down.Length), (v, d) => v + (step * d))],
                [.. up.Zip(Numbers(up.Length), (v, d) => v + (step * d))]) >= least * (1 - 1e-9));
        }
        Assert.True(least < Loss([.. basis.Project(w, rank + 1).Skip(inputs)],
            [.. basis.Vectors.Skip(outputs).Take(rank * outputs)]));

        double Loss(double[] down, double[] up)
        {
            double sum = 0;
            for (int t = 0; t < 200; t++)
                for (int o = 0; o < outputs; o++)
                {
                    double left = y[(t * outputs) + o];
                    for (int r = 0; r < rank; r++)
                        for (int i = 0; i < inputs; i++)
                            left -= up[(r * outputs) + o] * down[(r * inputs) + i] * x[(t * inputs) + i];
                    sum += left * left;
                }
            return sum;
        }
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
