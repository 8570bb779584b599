using System.Globalization;
using Espalier.Onnx;
using Espalier.TestKit;
using Google.Protobuf;

namespace Espalier.Axes.Tests;

/// <summary>
/// Changed models from opening to the slim file, in bounded time and memory: each ends well, or in one typed
/// refusal. ESPALIER_ITERATIONS tries more; tests/Espalier.Fuzz goes on for hours.
/// </summary>
[Collection(Alone.Name)]
public sealed class AdversaryTests(ITestOutputHelper output)
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("ESPALIER_ITERATIONS"),
        CultureInfo.InvariantCulture, out int n) ? n : 1500;

    [Fact]
    public void Changed_models_end_well_or_in_one_typed_refusal()
    {
        var small = SmallModels.All.Select(m => MutationSeed.From(m.Key, m.Value().ToByteArray()))
            .Concat(MutationSeed.In(Path.Combine(Assets.Root, "tests/assets/cases"), 30_000)).ToList();
        var cases = new Dictionary<int, MutationSeed>();
        var counts = new int[5];
        var findings = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int seed = 0; seed < Iterations; seed++)
        {
            var random = new Random(seed);
            var mutation = Mutator.Apply(random, Draw(random), Draw(random));
            if (mutation.Bytes.Length == 0) continue;
            var passed = Passage.Check(mutation.Bytes);
            counts[(int)passed.Ending]++;
            if (passed.Ending == Ending.Finding) findings.TryAdd(passed.Key,
                $"seed {seed}, {mutation.What}: {passed.Bound} {passed.Exception}");
        }
        output.WriteLine(string.Join(", ", counts.Select((c, k) => $"{(Ending)k} {c}")));
        Assert.True(findings.Count == 0, string.Join("\n\n", findings.Values));
        // Of every kind there are enough that the run shows something.
        Assert.True(counts[(int)Ending.Slimmed] > Iterations / 10 && counts[(int)Ending.NothingExact] > Iterations / 50
            && counts[(int)Ending.RefusedAtOpening] > Iterations / 5, string.Join(", ", counts));

        MutationSeed Draw(Random random)
        {
            int k = random.Next(2 * small.Count);
            if (k < small.Count) return small[k];
            k = random.Next(OperatorCases.All.Count);
            if (cases.TryGetValue(k, out var known)) return known;
            using var model = OperatorCases.All[k].Build();
            return cases[k] = MutationSeed.From(OperatorCases.All[k].Name, model.ToBytes());
        }
    }

    [Fact]
    public void Half_of_every_case_of_an_operator_can_be_removed_by_its_weights_alone()
    {
        var endings = OperatorCases.All.Select(c =>
        {
            using var model = c.Build();
            return (c.Name, Passed: Passage.Check(model.ToBytes()));
        }).ToList();
        Assert.Empty(endings.Where(e => e.Passed.Ending is not (Ending.Slimmed or Ending.NothingExact))
            .Select(e => $"{e.Name}: {e.Passed.Key}\n{e.Passed.Exception}"));
        Assert.True(endings.Count(e => e.Passed.Ending == Ending.Slimmed) > endings.Count / 2);
    }

    /// <summary>
    /// Attributes and operands that no runtime would take: the node is a barrier, and the reason says what
    /// does not fit.
    /// </summary>
    [Theory]
    [InlineData("perm of two", "has 2 elements and not 3")]
    [InlineData("perm twice", "no order of the axes")]
    [InlineData("concat", "axis 3 of an operand of 3 axes")]
    [InlineData("softmax", "axis -4 of an operand of 3 axes")]
    [InlineData("reduce", "axis 9223372036854775807")]
    [InlineData("topk", "axis -9223372036854775808")]
    [InlineData("unsqueeze", "names the axis 0 twice")]
    [InlineData("squeeze", "more than one position")]
    [InlineData("slice", "not of one length")]
    [InlineData("slice by 0", "steps by 0")]
    [InlineData("einsum", "label that no operand has")]
    public void What_does_not_fit_is_a_barrier_with_that_reason(string form, string reason)
    {
        var g = new GraphBuilder(3);
        var x = g.Linear(g.Input("x", 2, 3, 6), "a", 6, 12);
        var y = form switch
        {
            "perm of two" => g.Node("Transpose", x, ("perm", new long[] { 1, 0 })),
            "perm twice" => g.Node("Transpose", x, ("perm", new long[] { 0, 2, 2 })),
            "concat" => g.Concat(3, x, x),
            "softmax" => g.Node("Softmax", x, ("axis", -4)),
            "reduce" => g.Node("ReduceSum", [x, g.Longs("axes", long.MaxValue)]),
            "topk" => g.Node("TopK", [x, g.Longs("k", 2)], ("axis", long.MinValue)),
            "unsqueeze" => g.Node("Unsqueeze", [x, g.Longs("axes", 0, 0)]),
            "squeeze" => g.Node("Squeeze", [x, g.Longs("axes", 2)]),
            "einsum" => g.Node("Einsum", [x], ("equation", "abc->abd")),
            "slice" => g.Node("Slice", [x, g.Longs("from", 0, 0), g.Longs("to", 3), g.Longs("axes", 2, 1)]),
            _ => g.Node("Slice", [x, g.Longs("from", 0), g.Longs("to", 3), g.Longs("axes", 2), g.Longs("by", 0)]),
        };
        g.Output(y);
        RuleCheck.On(g).Frozen("a.weight", 1, reason);
    }

    [Theory]
    [InlineData("strides", 1)]
    [InlineData("dilations", 3)]
    [InlineData("pads", 2)]
    [InlineData("kernel_shape", 1)]
    public void Windows_whose_lists_have_another_rank_are_barriers(string attribute, int length)
    {
        var g = new GraphBuilder(3);
        var x = g.Conv(g.Input("x", 2, 3, 6, 6), "a", 3, 8, k: 1);
        g.Output(g.Node("MaxPool", x, [.. attribute == "kernel_shape" ? [] : ((string, object)[])[("kernel_shape", new long[] { 2, 2 })],
            (attribute, Enumerable.Repeat(1L, length).ToArray())]));
        RuleCheck.On(g).Frozen("a.weight", 0, $"its attribute {attribute} has {length} elements");
    }

    /// <summary>What a graph gives out of Shape or Size is a size that no later node restates.</summary>
    [Theory]
    [InlineData("Shape")]
    [InlineData("Size")]
    [InlineData("branch")]
    public void A_size_that_is_a_result_stays(string form)
    {
        var g = new GraphBuilder(3);
        var x = g.Linear(g.Input("x", 2, 6), "a", 6, 12);
        g.Output(g.Linear(x, "b", 12, 4));
        if (form == "branch")
        {
            GraphProto Body(string name) => SmallModels.Body("", name, SmallModels.Node("Shape", x, name));
            g.Output(g.Node("If", [g.Initializer(GraphBuilder.Tensor("c", TensorProto.Types.DataType.Bool, [], [1]))],
                ("then_branch", Body("t")), ("else_branch", Body("e"))));
        }
        else g.Output(g.Node(form, x));
        RuleCheck.On(g).Frozen("a.weight", 1, "its size is in what is given");
    }
}
