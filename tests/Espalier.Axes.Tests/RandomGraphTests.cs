using CsCheck;
using Espalier.Axes;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Random compositions of operators, seeded; a failing recipe shrinks. ESPALIER_ITERATIONS runs more of them.</summary>
public sealed class RandomGraphTests
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("ESPALIER_ITERATIONS"), out int n) ? n : 80;

    [Fact]
    public void Every_image_step_is_exact_alone() => Assert.All(Enumerable.Range(0, RandomGraphs.ImageSteps), step => Holds([step], image: true));

    [Fact]
    public void Every_sequence_step_is_exact_alone() => Assert.All(Enumerable.Range(0, RandomGraphs.SequenceSteps), step => Holds([step], image: false));

    [Fact]
    public void Image_networks()
    {
        Gen.Int[0, RandomGraphs.ImageSteps - 1].Array[2, 7].Sample(recipe => Holds(recipe, image: true), iter: Iterations, seed: "0000KOIPe036", threads: 1);
        MostGroupsCouldBePruned();
    }

    [Fact]
    public void Sequence_networks()
    {
        Gen.Int[0, RandomGraphs.SequenceSteps - 1].Array[2, 6].Sample(recipe => Holds(recipe, image: false), iter: Iterations, seed: "0000KOIPe036", threads: 1);
        MostGroupsCouldBePruned();
    }

    /// <summary>A property that holds because everything is frozen says nothing.</summary>
    private void MostGroupsCouldBePruned() => Assert.True(_exact > 2 * _frozen, $"{_exact} groups were exact, {_frozen} frozen");

    private int _exact, _frozen;

    private void Holds(IReadOnlyList<int> recipe, bool image)
    {
        int seed = recipe.Aggregate(17, (h, s) => unchecked(h * 31 + s)) & 0xffff;
        var model = (image ? RandomGraphs.Image(recipe, seed) : RandomGraphs.Sequence(recipe, seed)).Build();
        string what = RandomGraphs.Describe(recipe, image);
        try
        {
            var analysis = AxisAnalysis.Of(model);
            // Whatever the steps did, the tail can be pruned: a conflict must not hurt other factors.
            var tail = analysis.Groups.FirstOrDefault(g => g.Size == 10 && g.Exactness == Exactness.Exact && g.Occurrences.Any(o => o.Tensor == "tail1.weight"));
            Assert.True(tail is not null, "the tail is not an exact group\n" + Oracle.Describe(analysis));
            _exact += analysis.Groups.Count(g => g.Exactness == Exactness.Exact);
            _frozen += analysis.Groups.Count(g => g.Exactness == Exactness.Frozen && !g.Occurrences.Any(o => o.Tensor == "tail2.weight"));
            var half = Oracle.Pick(analysis, 0.5, seed);
            Oracle.Check(analysis, half, seed);
            BruteForce.Claims.Check(analysis, half, seed);
            BruteForce.Perturbation.Check(analysis, seed);
            Oracle.Check(analysis, Oracle.Pick(analysis, 0, seed + 1), seed);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{what}: {e.Message}", e);
        }
    }
}
