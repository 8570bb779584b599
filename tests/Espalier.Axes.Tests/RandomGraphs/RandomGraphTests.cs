using CsCheck;
using Espalier.Axes.Groups;
using Espalier.Axes.Tests.Naming;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Random compositions of operators, seeded; a failing recipe shrinks. ESPALIER_ITERATIONS runs more of them.</summary>
public sealed class RandomGraphTests
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("ESPALIER_ITERATIONS"), out int n) ? n : 80;

    [Fact]
    public void Every_variant_of_every_image_step_is_exact_alone() => All(RandomGraphs.ImageSteps, image: true);

    [Fact]
    public void Every_variant_of_every_sequence_step_is_exact_alone() => All(RandomGraphs.SequenceSteps, image: false);

    [Fact]
    public void Image_networks()
    {
        Gen.Int[0, RandomGraphs.ImageSteps * RandomGraphs.Variants - 1].Array[2, 7]
            .Sample(recipe => Holds(recipe, image: true), iter: Iterations, seed: "0000KOIPe036", threads: 1);
        MostGroupsCouldBePruned();
        EveryTwinWasCompared();
    }

    [Fact]
    public void Sequence_networks()
    {
        Gen.Int[0, RandomGraphs.SequenceSteps * RandomGraphs.Variants - 1].Array[2, 6]
            .Sample(recipe => Holds(recipe, image: false), iter: Iterations, seed: "0000KOIPe036", threads: 1);
        MostGroupsCouldBePruned();
        EveryTwinWasCompared();
    }

    /// <summary>In a normal run two variants of each, which change with the step; in a long one all.</summary>
    private void All(int steps, bool image) => Assert.All(Enumerable.Range(0, steps * RandomGraphs.Variants), recipe =>
    {
        if (Iterations > 100 || recipe / steps % 6 == recipe % steps % 6) Holds([recipe], image);
    });

    /// <summary>A property that holds because everything is frozen says nothing.</summary>
    private void MostGroupsCouldBePruned() => Assert.True(_exact > 2 * _frozen, $"{_exact} groups were exact, {_frozen} frozen");

    /// <summary>Every exact group of these networks has a gate; what a twin refuses is not compared.</summary>
    private void EveryTwinWasCompared() => Assert.Equal(_oracles, _twins);

    private static readonly Dictionary<string, long> Sizes = new(StringComparer.Ordinal) { ["sequence"] = RandomGraphs.Length };

    private int _exact, _frozen, _twins, _oracles;

    private void Holds(IReadOnlyList<int> recipe, bool image)
    {
        int seed = recipe.Aggregate(17, (h, s) => unchecked(h * 31 + s)) & 0xffff;
        var model = (image ? RandomGraphs.Image(recipe, seed) : RandomGraphs.Sequence(recipe, seed)).Build();
        string what = RandomGraphs.Describe(recipe, image);
        try
        {
            var analysis = AxisAnalysis.Run(model);
            NameList.AreUnique(analysis);
            // Whatever the steps did, the tail can be pruned: a conflict must not hurt other factors.
            var tail = analysis.Groups.FirstOrDefault(g => g.Size == 10 && g.Exactness == Exactness.Exact
                && g.Occurrences.Any(o => o.Tensor == "tail1.weight"));
            Assert.True(tail is not null, "the tail is not an exact group\n" + SlimOracle.Describe(analysis));
            _exact += analysis.Groups.Count(g => g.Exactness == Exactness.Exact);
            _frozen += analysis.Groups.Count(g => g.Exactness == Exactness.Frozen && !g.Occurrences.Any(o => o.Tensor == "tail2.weight"));
            var half = SlimOracle.Pick(analysis, 0.5, seed);
            _oracles++;
            if (SlimOracle.Check(analysis, half, seed, Sizes).Twin is not null) _twins++;
            BruteForce.Claims.Check(analysis, half, seed, Sizes);
            BruteForce.Perturbation.Check(analysis, seed, 2, Sizes);
            SlimOracle.Check(analysis, SlimOracle.Pick(analysis, 0, seed + 1), seed, Sizes);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{what}: {e.Message}", e);
        }
    }
}
