using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Bases;
using Espalier.Pruning.Plans;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests.Bases;

/// <summary>Vectors of heads in bases of their own.</summary>
public sealed class BasisChangeTests
{
    private const int Width = 12, Heads = 3, Dim = 4, All = Heads * Dim;

    /// <summary>Attention; with a rank, queries of every head lie in a subspace of so many dimensions, another one for each.</summary>
    private static OnnxModel Attention(int rank = Dim)
    {
        var random = new Random(5);
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", 6, Width);
        float[] Deficient()
        {
            double[] left = Seeded.Normals(random, Width * Heads * rank), right = Seeded.Normals(random, Heads * rank * Dim);
            return [.. from i in Enumerable.Range(0, Width) from h in Enumerable.Range(0, Heads) from d in Enumerable.Range(0, Dim)
                select (float)Enumerable.Range(0, rank)
                    .Sum(r => left[(((i * Heads) + h) * rank) + r] * right[(((h * rank) + r) * Dim) + d])];
        }
        string wq = rank < Dim ? g.Floats("q.weight", Deficient(), Width, All) : g.Weight("q.weight", Width, All);
        string Split(string y, string bias) => g.SplitHeads(bias.Length == 0 ? y : g.Add(y, g.Weight(bias, All)), Heads, Dim);
        string q = Split(g.MatMul(x, wq), rank < Dim ? "" : "q.bias"), k = Split(g.MatMul(x, g.Weight("k.weight", Width, All)), "k.bias");
        string v = Split(g.MatMul(x, g.Weight("v.weight", Width, All)), "v.bias");
        string map = g.Softmax(g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar("root", 0.2f)));
        g.Output(g.Rename(g.Linear(g.MergeHeads(g.MatMul(map, v), All), "o", All, Width), "y"), "batch", 6, Width);
        return g.Build();
    }

    private static (ResolvedPlan Plan, Evidence Evidence) Resolve(OnnxModel dense, Axis axis, double keep)
    {
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan { Preset = Preset.Best, Prune = [new() { Axis = axis, Keep = keep }] }, hasData: true);
        var samples = Enumerable.Range(0, 40).Select(i => Planted.Rows(900 + i, 4, 6, Width)).ToList();
        return (ResolvedPlan.Resolve(plan, analysis),
            new(Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples), null));
    }

    /// <summary>Whatever the basis, the whole model computes what it did; and what products read has the moments that it says.</summary>
    [Theory]
    [InlineData(Axis.HeadDims)]
    [InlineData(Axis.ValueDims)]
    public void Another_basis_changes_no_answer(Axis axis)
    {
        using var dense = Attention();
        var (plan, evidence) = Resolve(dense, axis, 0.5);
        var (changed, moved) = BasisChange.Apply(plan, evidence, []);
        Assert.NotSame(plan, changed);
        string weight = axis == Axis.HeadDims ? "k.weight" : "o.weight";
        Assert.NotEqual(plan.Model.Weights.Floats(weight), changed.Model.Weights.Floats(weight));
        var sample = Planted.Rows(7, 16, 6, Width);
        Assert.InRange(OutputComparison.RelativeError(Planted.Fetch(dense, "y", sample),
            Planted.Fetch(changed.Analysis.Model, "y", sample)), 0, 1e-5);
        double[] scores = Assert.Single(changed.BasisScores).Value;
        Assert.Equal(scores.OrderDescending(), scores);
        if (axis != Axis.ValueDims) return;
        var reader = changed.Analysis.Consumers.Single(c => c.Parameter == "o.weight");
        var measured = Calibrator.Run(changed.Analysis, [.. Enumerable.Range(0, 40).Select(i => Planted.Rows(900 + i, 4, 6, Width))],
            new() { Covariance = new HashSet<int> { reader.Id }, HeldOut = true }).Consumers[reader.Id];
        var said = moved.Statistics!.Consumers[reader.Id];
        double scale = measured.Variance.Max();
        Assert.All(measured.Mean.Zip(said.Mean), p => Assert.Equal(p.First, p.Second, 1e-4 * Math.Sqrt(scale)));
        Assert.All(measured.Covariance!.ToArray().Zip(said.Covariance!.ToArray()), p => Assert.Equal(p.First, p.Second, 1e-4 * scale));
        Assert.Equal(measured.HeldOut!.Count, said.HeldOut!.Count);
        for (int f = 0; f < All; f++) Assert.Equal(measured.HeldOut[3][f], said.HeldOut[3][f], 1e-3 * Math.Sqrt(scale));
    }

    /// <summary>
    /// Queries of rank 2, in another plane in each head: half of the dimensions lose nothing, and no choice of dimensions does.
    /// </summary>
    [Theory]
    [InlineData(Compensation.LeastSquares, true)]
    [InlineData(Compensation.None, false)]
    public void Planes_of_heads_that_differ_lose_nothing(Compensation compensate, bool lossless)
    {
        using var dense = Attention(rank: 2);
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan
        {
            Preset = Preset.Best,
            Prune = [new() { Axis = Axis.HeadDims, Keep = 0.5, Compensate = compensate }],
        }, hasData: true);
        var samples = Enumerable.Range(0, 20).Select(i => Planted.Rows(900 + i, 4, 6, Width)).ToList();
        var (slim, report) = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples));
        Assert.Equal(2, report.Groups.Single(g => g.Kept < g.Size).Kept);
        var sample = Planted.Rows(7, 16, 6, Width);
        double error = OutputComparison.RelativeError(Planted.Fetch(dense, "y", sample), Planted.Fetch(slim, "y", sample));
        Assert.True(lossless ? error < 1e-3 : error > 1e-2, $"{error}");
    }

    /// <summary>
    /// q·k stays, both moments become the same falling diagonal, and the error of leaving out the last is what it says.
    /// </summary>
    [Fact]
    public void The_basis_is_balanced()
    {
        const int n = 5;
        var random = new Random(2);
        double[] left = Seeded.PositiveDefinite(random, n), right = Seeded.PositiveDefinite(random, n);
        var basis = HeadBasis.Balanced(left, right, n)!;
        double[] Product(double[] a, double[] b, bool transposed)
            => [.. from i in Enumerable.Range(0, n) from j in Enumerable.Range(0, n)
                select Enumerable.Range(0, n).Sum(k => a[transposed ? (k * n) + i : (i * n) + k] * b[(k * n) + j])];
        double[] Turned(double[] t, double[] moment)
            => [.. from i in Enumerable.Range(0, n) from j in Enumerable.Range(0, n)
                select Enumerable.Range(0, n).Sum(k => Product(t, moment, false)[(i * n) + k] * t[(j * n) + k])];
        double[] identity = Product(basis.Left, basis.Right, true), q = Turned(basis.Left, left), k = Turned(basis.Right, right);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                Assert.Equal(i == j ? 1 : 0, identity[(i * n) + j], 1e-5);
                Assert.Equal(i == j ? basis.Values[i] : 0, q[(i * n) + j], 1e-4 * basis.Values[0]);
                Assert.Equal(i == j ? basis.Values[i] : 0, k[(i * n) + j], 1e-4 * basis.Values[0]);
            }
        }
        Assert.Equal(basis.Values.OrderDescending(), basis.Values);
    }
}
