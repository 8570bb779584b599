using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Pruning.Tests.Budgets;

/// <summary>A budget that is refused says what stands in the way.</summary>
public class ObstaclesTests
{
    private static string Refusal(OnnxModel model, double macs, params PruneRule[] rules)
        => Refusal(model, new PruningPlan { Budget = new Budget(Macs: macs), Prune = rules });

    private static string Refusal(OnnxModel model, PruningPlan plan)
        => Assert.Throws<EspalierException>(() => Slimmer.Run(plan, AxisAnalysis.Run(model))).Message;

    private static PruneRule Neurons(string pattern = "*", double? keep = null, bool inexact = false)
        => new()
        {
            Axis = Axis.Neurons,
            Pattern = pattern,
            Keep = keep,
            AllowInexact = inexact,
            Score = Criterion.L2,
            Compensate = Compensation.None
        };

    private static void Says(string message, params string[] parts)
    {
        foreach (string part in parts) Assert.Contains(part, message, StringComparison.Ordinal);
    }

    /// <summary>
    /// 8 → 40 → 40 → 4; a LayerNorm over the second layer's neurons makes them inexact. 320, 1600 and 160 multiply-accumulates of 2080.
    /// </summary>
    private static OnnxModel Normed()
    {
        var g = new GraphBuilder();
        string a = g.Relu(g.Linear(g.Input("x", "batch", 8), "a", 8, 40));
        string b = g.Node("LayerNormalization", [g.Linear(a, "b", 40, 40), g.Positive("norm", 40)]);
        return g.Output(g.Linear(b, "c", 40, 4)).Build();
    }

    [Fact]
    public void A_model_of_which_nothing_can_be_pruned_says_so_and_why()
    {
        var g = new GraphBuilder(3);
        var hidden = g.Relu(g.MatMul(g.Input("x", 2, 12), g.Weight("w0", 12, 32)));
        var parts = g.Node("SplitToSequence", hidden, ("axis", 1), ("keepdims", 1));
        using var model = g.Output(g.Rename(g.Node("ConcatFromSequence", parts, ("axis", 1)), "y"), 2, 32).Build();
        string message = Refusal(model, 0.6);
        Says(message, "There is nothing that these rules may prune.", "'w0' (32 neurons, in 100%): frozen, SplitToSequence",
            "a sequence has no axes", "AllowInexact would not help");
        Assert.DoesNotContain("Keep", message, StringComparison.Ordinal);
    }

    /// <summary>One neuron of the first layer is left at least: 8 + 40 + 160 of 2080. With the second's as well 8 + 1 + 4.</summary>
    [Fact]
    public void Leave_to_prune_inexactly_is_named_with_what_it_would_reach()
    {
        using var model = Normed();
        Says(Refusal(model, 0.09, Neurons()), "the least they can reach is 0.100",
            "Of the dense model's macs 7.7% are in nothing that these rules may prune: '", "(40 neurons, in 7.7%): inexact, ",
            "LayerNormalization",
            "With AllowInexact 1 more group could go, down to 0.006, which is enough.");
        Says(Refusal(model, 0.005, Neurons()), "down to 0.006, which is not enough either.");
        string all = Refusal(model, 0.005, Neurons(inexact: true));
        Says(all, "the least they can reach is 0.006", "All macs are in groups that these rules may prune. AllowInexact would not help");
    }

    [Fact]
    public void Groups_that_rules_leave_out_are_named()
    {
        var g = new GraphBuilder();
        string x = g.Relu(g.Linear(g.Input("x", "batch", 8), "a", 8, 40));
        using var model = g.Output(g.Linear(g.Relu(g.Linear(x, "b", 40, 40)), "c", 40, 4)).Build();
        string neurons = AxisAnalysis.Run(model).Groups.Single(o => o.Occurrences.Any(p => p.Tensor == "c.weight" && p.Axis == 0)).Name;
        Says(Refusal(model, 0.09, Neurons("a.*")), $"'{neurons}' (40 neurons, in 7.7%): no rule covers it");
        Says(Refusal(model, new PruningPlan { Budget = new Budget(Macs: 0.09), Prune = [Neurons()], Protect = ["c.weight"] }),
            $"'{neurons}' (40 neurons, in 7.7%): protected");
    }

    [Fact]
    public void Rules_that_all_keep_a_fraction_of_their_own_are_told_from_rules_that_prune_nothing()
    {
        using var model = Normed();
        Says(Refusal(model, 0.09, Neurons(keep: 0.5)), "every rule has a Keep of its own, so nothing is left for the budget to decide");
    }

    [Fact]
    public void Depth_that_is_not_enough_says_how_much_is_left()
    {
        var g = new GraphBuilder();
        string x = g.Linear(g.Input("x", "batch", 8), "in", 8, 8);
        for (int l = 0; l < 2; l++) x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"{l}.up", 8, 16)), $"{l}.down", 16, 8));
        using var model = g.Output(g.Linear(x, "head", 8, 4)).Build();
        Says(Refusal(model,
            new PruningPlan { Budget = new Budget(Macs: 0.1), Drop = [new DropRule { Axis = Axis.Sublayers, Score = Criterion.Random }] }),
            "without any of its sublayers the model still costs more than the budget allows, 0.158 of its macs where 0.1 are asked for");
    }
}
