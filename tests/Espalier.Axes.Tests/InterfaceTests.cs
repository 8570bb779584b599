using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Pruning.Edits;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Caches and states among the inputs and outputs of a graph.</summary>
public sealed class InterfaceTests
{
    private const int Width = 12, Heads = 4, Dim = 3;

    private static readonly (string, long)[] Sizes = [("batch", 2), ("sequence", 3), ("past", 4), ("total", 7)];

    /// <summary>A decoder with a cache per layer; positions start behind what layer 0 has in its cache.</summary>
    private static GraphBuilder Decoder(int layers, int first = 0)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "sequence", Width);
        var caches = new List<string>();
        for (int n = first; n < first + layers; n++)
            foreach (string part in (string[])["key", "value"])
                caches.Add(g.Input($"past_key_values.{n}.{part}", "batch", Heads, "past", Dim));
        var past = g.Node("Gather", [g.Node("Shape", caches[0]), g.Longs("two", [2], [])]);
        var length = g.Node("Gather", [g.Node("Shape", x), g.Longs("one", [1], [])]);
        var positions = g.Node("Range", [past, g.Add(past, length), g.Longs("step", [1], [])]);
        x = g.Add(x, g.Node("Gather", [g.Weight("positions", 32, Width), positions]));
        for (int n = first; n < first + layers; n++)
        {
            string Project(string name) => g.SplitHeads(g.Linear(x, $"h.{n}.{name}", Width, Heads * Dim), Heads, Dim);
            string Append(string part, string now)
            {
                var all = g.Rename(g.Concat(2, $"past_key_values.{n}.{part}", now), $"present.{n}.{part}");
                g.Output(all, "batch", Heads, "total", Dim);
                return all;
            }
            var (k, v) = (Append("key", Project("k")), Append("value", Project("v")));
            x = g.Add(x, g.Linear(g.MergeHeads(g.Attend(Project("q"), k, v, 0.5f), Heads * Dim), $"h.{n}.o", Heads * Dim, Width));
            x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"h.{n}.up", Width, 16)), $"h.{n}.down", 16, Width));
        }
        return g.Output(g.Linear(x, "head", Width, 5));
    }

    [Fact]
    public void Caches_keep_their_shape_unless_that_is_allowed()
        => RuleCheck.On(Decoder(2), Sizes).Frozen("h.0.o.weight", 0, "interface")
            .Group("h.0.up.weight", 1, 16, Axis.Neurons).IsExact();

    [Fact]
    public void Caches_shrink_with_their_heads()
    {
        var check = RuleCheck.OnOpen(Decoder(2), Sizes)
            .Group("h.0.q.weight", 1, Heads, Axis.Heads, ("h.0.k.weight", 1), ("h.0.v.weight", 1), ("h.0.o.weight", 0))
            .Group("h.1.q.weight", 1, Heads, Axis.Heads, ("h.1.o.weight", 0))
            .Group("h.0.v.weight", 1, Dim, Axis.ValueDims, ("h.0.o.weight", 0));
        check.IsExact();
        var slim = Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1, g => g.Kind == Axis.Heads));
        Assert.Contains("input 'past_key_values.1.key' has 2 of 4 on axis 1", slim.Interface);
        Assert.Contains("output 'present.0.value' has 2 of 4 on axis 1", slim.Interface);
        Assert.Equal(2,
            slim.Model.Proto.Graph.Input.Single(i => i.Name == "past_key_values.1.value").Type.TensorType.Shape.Dim[1].DimValue);
    }

    [Fact]
    public void Other_inputs_and_outputs_keep_their_shape()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 8, 6, 6);
        g.Output(g.Add(x, g.Conv(g.Relu(g.Conv(x, "a", 8, 16)), "b", 16, 8)), "n", 8, 6, 6);
        RuleCheck.OnOpen(g, ("n", 2)).Frozen("b.weight", 0, "interface").Group("a.weight", 0, 16, Axis.Channels).IsExact();
    }

    [Fact]
    public void States_of_a_recurrence_shrink_with_it()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", 5, "batch", 6);
        var y = g.Nodes("LSTM", 3,
            [x, g.Weight("W", 1, 32, 6), g.Weight("R", 1, 32, 8), g.Weight("B", 1, 64), "", g.Input("h", 1, "batch", 8),
                g.Input("c", 1, "batch", 8)], ("hidden_size", 8));
        g.Output(g.Linear(g.Squeeze(y[0], 1), "out", 8, 4)).Output(g.Rename(y[1], "hn"), 1, "batch", 8)
            .Output(g.Rename(y[2], "cn"), 1, "batch", 8);
        RuleCheck.OnOpen(g, ("batch", 2)).Group("W", 1, 8, Axis.HiddenState, ("R", 1), ("R", 2), ("out.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 0)]
    [InlineData(1, 2)]
    public void Layers_that_go_take_their_caches_along_and_the_others_close_up(int first, int layer)
    {
        var analysis = AxisAnalysis.Run(Decoder(3, first).Build(), new AxisOptions { AllowInterface = true });
        var block = analysis.Blocks.Where(b => b.IsSublayer).ToList()[2 * layer];
        var selection = SlimOracle.Pick(analysis, 0.5, 3, g => g.Kind == Axis.Neurons
            && g.Exactness == Exactness.Exact) with
        { RemovedBlocks = [block.Id] };
        var result = SlimOracle.Check(analysis, selection, 3, Sizes.ToDictionary(s => s.Item1, s => s.Item2));
        Assert.True(result.Effect > 1e-6);
        var graph = result.Slim.Model.Proto.Graph;
        string[] Names(string stem, params int[] layers) => [.. layers.SelectMany(l => (string[])[$"{stem}.{l}.key", $"{stem}.{l}.value"])];
        Assert.Equal(["x", .. Names("past_key_values", first, first + 1)], graph.Input.Select(i => i.Name));
        Assert.Equal(Names("present", first, first + 1), graph.Output.Select(o => o.Name)
            .Where(n => n.StartsWith("present", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Contains($"output 'present.{first + layer}.key' is gone with its block", result.Slim.Interface);
        Assert.Equal(layer < 2,
            result.Slim.Interface.Contains($"'past_key_values.{first + 2}.key' is now 'past_key_values.{first + 1}.key'"));
    }

    [Fact]
    public void Without_leave_no_layer_with_a_cache_can_go()
        => Assert.DoesNotContain(AxisAnalysis.Run(Decoder(2).Build()).Blocks, b => b.Nodes.Any(n => n >= 0)
            && b.Name.Contains("attention", StringComparison.Ordinal));
}
