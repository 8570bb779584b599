using System.Globalization;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>The promise on whole networks: the trained ones of the repository, and real ones where they are to be had.</summary>
public sealed class NetworkTests(ITestOutputHelper output)
{
    private static readonly Axis[] Kinds = [Axis.Channels, Axis.Neurons, Axis.Heads, Axis.KeyValueGroups,
        Axis.Experts, Axis.HiddenState];

    /// <summary>Sizes that a model's inputs must agree on, where the defaults do not.</summary>
    private static Dictionary<string, long> Sizes(string name) => name switch
    {
        "silero_vad" or "silero_vad_op18_ifless"
            => new() { ["input:0"] = 1, ["input:1"] = 576, ["state:1"] = 1, ["batch"] = 1, ["sequence"] = 576 },
        "tiny-random-gpt2-fp32_past" => new() { ["past_seq_len"] = 4, ["seq_len"] = 6, ["total_seq_len"] = 10 },
        "ch_ppocr_mobile_v2.0_cls_infer" => new() { ["p2o.DynamicDimension.1"] = 48, ["p2o.DynamicDimension.2"] = 192 },
        _ => [],
    };

    /// <summary>Networks of the repository.</summary>
    public static TheoryData<string> Networks() => [.. Assets.Networks()];

    /// <summary>Real models.</summary>
    public static TheoryData<string> RealModels() => [.. Models.Names()];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Half_of_every_unit_of_a_trained_network(string file) => Half(Assets.Path(file), mustPrune: true);

    [Theory]
    [MemberData(nameof(RealModels))]
    public void Half_of_every_unit_of_a_real_model(string file) => Half(Models.Path(file), mustPrune: false);

    private void Half(string path, bool mustPrune)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        using var dense = OnnxModel.Open(path);
        var analysis = AxisAnalysis.Run(dense);
        var exact = analysis.Groups.Where(g => g.Exactness == Exactness.Exact && Kinds.Contains(g.Kind)).ToList();
        if (exact.Count == 0)
        {
            var reasons = analysis.Groups.Where(g => g.Exactness != Exactness.Exact).Select(g => $"{g.Name}: {g.Reason}").ToList();
            output.WriteLine($"| {name} | nothing | {string.Join("; ", reasons.Take(5))}");
            Assert.False(mustPrune, "nothing can be pruned\n" + SlimOracle.Describe(analysis));
            Assert.NotEmpty(reasons);
            Assert.All(analysis.Groups.Where(g => g.Exactness == Exactness.Frozen), g => Assert.False(string.IsNullOrEmpty(g.Reason)));
            return;
        }
        var result = SlimOracle.Measure(analysis, SlimOracle.Pick(analysis, 0.5, 1, exact.Contains), 1, Sizes(name),
            mayMagnify: !mustPrune);
        Row(name, exact, result);
        Assert.True(result.IsExact, SlimOracle.Describe(result));
        Figures.Check(analysis, result.Selection, result.Slim, Sizes(name));

        // With every weight the same number, any selection looks right: such a model is tried with random weights too.
        if (RandomWeights.In(dense, 1) is { } random)
        {
            using (random)
            {
                var other = AxisAnalysis.Run(random);
                Assert.Equal(Sizes(exact), Sizes([.. other.Groups.Where(g => g.Exactness == Exactness.Exact && Kinds.Contains(g.Kind))]));
                var half = SlimOracle.Pick(other, 0.5, 1, g => g.Exactness == Exactness.Exact && Kinds.Contains(g.Kind));
                result = SlimOracle.Measure(other, half, 1, Sizes(name), mayMagnify: !mustPrune);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} with random weights | | | | {result.Error:g2} (without the removed units: {result.Effect:g2}) |"));
                Assert.True(result.IsExact, SlimOracle.Describe(result));
            }
        }
        bool constant = dense.Proto.Graph.Node.Any(n => n.OpType == "ConstantOfShape" && n.Input.Count > 0) && result.Effect == 0;
        Assert.True(result.Effect > 0 || constant, "removing half of everything changes nothing");
        if (analysis.Cost.Evaluate(CostUnit.Macs) > 5e9) return;

        // Head dimensions and everything else that is called exact must be, too.
        var everything = SlimOracle.Measure(analysis, SlimOracle.Pick(analysis, 0.75, 2), 1, Sizes(name), mayMagnify: !mustPrune);
        Assert.True(everything.IsExact, "every exact group, of any kind: " + SlimOracle.Describe(everything));
    }

    private static string Sizes(IReadOnlyList<Group> groups)
        => string.Join(", ", groups.Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Kind} {g.Size}"))
            .Order(StringComparer.Ordinal));

    private void Row(string name, IReadOnlyList<Group> pruned, SlimComparison result)
    {
        var cost = result.Analysis.Cost;
        double Size(int id) => result.Selection.Kept.TryGetValue(id, out var kept) ? kept.Length : cost.GroupSizes[id];
        string Pair(CostUnit unit)
            => string.Create(CultureInfo.InvariantCulture, $"{cost.Evaluate(unit):0} → {cost.Evaluate(unit, Size):0}");
        var kinds = string.Join(", ", pruned.GroupBy(g => g.Kind).OrderBy(k => k.Key).Select(k => $"{k.Key} {k.Count()}"));
        string noise = result.Noise > 0 ? FormattableString.Invariant($" (from itself by rounding {result.Noise:g2})") : "";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {kinds} | {Pair(CostUnit.Parameters)} | {Pair(CostUnit.Macs)} | {result.Error:g2}{noise} |"));
    }
}
