using Espalier.Axes;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Algebra;

/// <summary>Moments and fits against sums over the rows that they stand for.</summary>
public sealed class FitTests
{
    private const int Features = 4;
    private static readonly int[] Kept = [0, 2];

    /// <summary>Rows whose features go along with each other and have means of their own.</summary>
    private static double[][] Rows(Random random, int count, double shift = 1)
    {
        double[] means = [.. Seeded.Normals(random, Features).Select(v => v * shift)];
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double[] v = Seeded.Normals(random, Features);
            return Enumerable.Range(0, Features).Select(f => means[f] + v[f] + (0.8 * v[(f + 1) % Features])).ToArray();
        })];
    }

    private static double[] Mean(double[][] rows) => [.. Enumerable.Range(0, Features).Select(f => rows.Average(r => r[f]))];

    /// <summary>Of one output: what the inputs that are gone added to it is the error.</summary>
    private static FitMoments Moments(double[] weight, double[][] rows, double[][]? heldOut = null)
    {
        double Error(double[] row) => Product(weight, row) - Product(Edited(weight, null), row);
        double[] mean = Mean(rows);
        double error = rows.Average(Error);
        return new(rows.Length, [.. Kept.Select(k => mean[k])], [error],
            [.. Kept.Select(k => rows.Average(r => (Error(r) - error) * (r[k] - mean[k])))])
        {
            Covariance = () => [.. from i in Kept from j in Kept select rows.Average(r => (r[i] - mean[i]) * (r[j] - mean[j]))],
            ErrorVariance = () => [rows.Average(r => (Error(r) - error) * (Error(r) - error))],
            HeldOut = heldOut is null ? null : () => new(heldOut.Length,
                [.. heldOut.SelectMany(r => Kept.Select(k => (float)r[k]))], [.. heldOut.Select(r => (float)Error(r))]),
        };
    }

    private static double[] Left(double[] weight) => [.. Kept.Select(k => weight[k])];

    private static double Product(double[] weight, double[] row) => weight.Zip(row, (w, v) => w * v).Sum();

    private static double[] Edited(double[] weight, double[]? change)
        => [.. weight.Select((w, f) => Array.IndexOf(Kept, f) is >= 0 and int at ? w + (change?[at] ?? 0) : 0)];

    /// <summary>
    /// The error that is left goes along with no kept input but by the ridge: about the means where there is
    /// a bias, about zero where there is none.
    /// </summary>
    [Theory]
    [InlineData(Compensation.LeastSquares, true)]
    [InlineData(Compensation.LeastSquares, false)]
    [InlineData(Compensation.Rescale, true)]
    [InlineData(Compensation.Rescale, false)]
    public void What_a_fit_leaves_goes_along_with_no_input(Compensation method, bool centred)
    {
        var random = new Random(8);
        double[][] rows = Rows(random, 40);
        double[] weight = Seeded.Normals(random, Features);
        double[] change = new MatrixFit(method, [0, 1], centred, false).Change(Left(weight), Moments(weight, rows), out _)!;
        double[] about = centred ? Mean(rows) : new double[Features];
        double[] Centred(double[] row) => [.. row.Select((v, f) => v - about[f])];
        double[] off = [.. rows.Select(Centred).Select(r => Product(weight, r) - Product(Edited(weight, change), r))];
        // What each unknown moves: an input, or for a scale its weight times the input.
        double[] factor = [.. Kept.Select(k => method == Compensation.Rescale ? weight[k] : 1)];
        double[][] moved = [.. Kept.Select((k, i) => rows.Select(r => factor[i] * (r[k] - about[k])).ToArray())];
        double lambda = LeastSquares.Damping * (2.0 / rows.Length) * moved.Average(m => m.Average(v => v * v));
        for (int i = 0; i < Kept.Length; i++)
            Assert.Equal(lambda * change[i] / factor[i], off.Zip(moved[i], (e, v) => e * v).Average(), 1e-9);
        Assert.True(change.All(c => Math.Abs(c) > 1e-3));
    }

    /// <summary>
    /// A fit stays where on rows that it has not seen its squared error is at most that of the bias alone,
    /// both with the bias that keeps the mean of the rows it has seen.
    /// </summary>
    [Theory]
    [InlineData(Compensation.LeastSquares, true)]
    [InlineData(Compensation.LeastSquares, false)]
    [InlineData(Compensation.Rescale, true)]
    [InlineData(Compensation.Rescale, false)]
    public void A_fit_is_judged_by_its_error_on_held_out_rows(Compensation method, bool centred)
    {
        int stays = 0, goes = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            double[][] seen = Rows(random, 5), heldOut = Rows(random, 3, shift: 2);
            double[] weight = Seeded.Normals(random, Features);
            if (new MatrixFit(method, [0, 1], centred, false).Change(Left(weight), Moments(weight, seen), out _) is not { } ofSeen)
                continue;
            double Loss(double[]? change)
            {
                double Off(double[] row) => Product(weight, row) - Product(Edited(weight, change), row);
                double bias = centred ? seen.Average(Off) : 0;
                return heldOut.Average(r => (Off(r) - bias) * (Off(r) - bias));
            }
            bool better = Loss(ofSeen) <= Loss(null);
            (stays, goes) = better ? (stays + 1, goes) : (stays, goes + 1);
            double[]? change = new MatrixFit(method, [0, 1], centred, false)
                .Change(Left(weight), Moments(weight, seen, heldOut), out string? why);
            Assert.Equal(better, change is not null);
            if (!better) Assert.Equal("on held-out samples a refit has a larger error than the bias", why);
            for (int i = 0; i < Kept.Length && better; i++) Assert.Equal(ofSeen[i], change![i], 1e-9);
        }
        Assert.True(stays > 20 && goes > 20, $"{stays} {goes}");
    }

    /// <summary>From the middle one the ridge goes up or down tenfold while the error on held-out rows falls.</summary>
    [Fact]
    public void A_ridge_is_chosen_on_held_out_rows()
    {
        var taken = new int[5];
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            double[][] seen = Rows(random, 4), heldOut = Rows(random, 6);
            double[] weight = Seeded.Normals(random, Features);
            var moments = Moments(weight, seen, heldOut);
            double Loss(double[]? change)
            {
                double Off(double[] row) => Product(weight, row) - Product(Edited(weight, change), row);
                return heldOut.Average(r => Math.Pow(Off(r) - seen.Average(Off), 2));
            }
            double[] ridges = [1, 10, 100, 1000, 10000];
            double[][] ridged = [.. ridges.Select(t => LeastSquares.Change(moments, moments.Covariance(), t)!)];
            double[] losses = [.. ridged.Select(Loss)];
            int best = 2;
            while (best < 4 && losses[best + 1] < losses[best]) best++;
            while (best is > 0 and < 3 && losses[best - 1] < losses[best]) best--;
            if (Loss(ridged[best]) > Loss(null)) continue;
            taken[best]++;
            double[] change = new MatrixFit(Compensation.LeastSquares, [0, 1], true, true).Change(Left(weight), moments, out _)!;
            Assert.All(change.Zip(ridged[best]), p => Assert.Equal(p.Second, p.First, 1e-9));
        }
        Assert.True(taken[0] > 10 && taken[1] + taken[2] > 10 && taken[3] + taken[4] > 10, string.Join(' ', taken));
    }

    /// <summary>Equal variance is not asked to be a smaller error.</summary>
    [Fact]
    public void Equal_variance_is_not_judged_on_held_out_rows()
    {
        int worse = 0;
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            double[][] seen = Rows(random, 5), heldOut = Rows(random, 3, shift: 2);
            double[] weight = Seeded.Normals(random, Features);
            var moments = Moments(weight, seen, heldOut);
            if (new MatrixFit(Compensation.Affine, [0, 1], true, false).Change(Left(weight), moments, out _) is var change)
            {
                Assert.NotNull(change);
                double Loss(double[]? change) => heldOut.Average(r => Math.Pow(Product(weight, r) - Product(Edited(weight, change), r), 2));
                if (Loss(change) > Loss(null)) worse++;
            }
        }
        Assert.True(worse > 5, $"{worse}");
    }

    /// <summary>
    /// Of w = (1, 2) on independent inputs the first is left: its output has a variance of 1 of 5. Of (1, 20)
    /// it has one of 401, and nothing that a scale could bring back.
    /// </summary>
    [Fact]
    public void A_channel_that_hardly_varies_any_more_is_not_scaled()
    {
        var moments = new FitMoments(1L << 40, [0], [0, 0], [0, 0]) { Covariance = () => [1], ErrorVariance = () => [4, 400] };
        double[] change = AffineFit.Change([1, 1], moments)!;
        Assert.Equal(Math.Sqrt(5) - 1, change[0], 1e-12);
        Assert.Equal(0, change[1]);
    }

    /// <summary>
    /// x₁ is a copy of x₀ and goes: the scale is 2, of which a ridge of one hundredth leaves 1 + 1/1.01 on a
    /// single row, and half of it 1 + 1/1.005 on two.
    /// </summary>
    [Theory]
    [InlineData(1, 1.01)]
    [InlineData(2, 1.005)]
    public void The_ridge_is_less_with_more_rows(int rows, double ridge)
    {
        var moments = new FitMoments(rows, [0], [0], [1]) { Covariance = () => [1], ErrorVariance = () => [1] };
        Assert.Equal(1 / ridge, Rescale.Change([1], moments, [0])![0], 1e-12);
        Assert.Equal(1 / ridge, LeastSquares.Change(moments)![0], 1e-12);
        Assert.Equal(1 / ridge, LeastSquares.Inverse([1], 1, rows)![0], 1e-12);
    }

    /// <summary>Two readers of one weight: their moments together are those of all of their rows.</summary>
    [Fact]
    public void Pooled_moments_are_those_of_all_rows()
    {
        var random = new Random(5);
        double[][] a = Rows(random, 7), b = Rows(random, 12, shift: 3), heldA = Rows(random, 2), heldB = Rows(random, 5);
        double[] weight = Seeded.Normals(random, Features);
        var (whole, found) = (Moments(weight, [.. a, .. b], [.. heldA, .. heldB]),
            FitMoments.Pool([Moments(weight, a, heldA), Moments(weight, b, heldB)]));
        Assert.Equal(whole.Count, found.Count);
        Func<FitMoments, double[]>[] parts = [m => m.InputMean, m => m.ErrorMean, m => m.Cross, m => m.Covariance(), m => m.ErrorVariance(),
            m => m.AboutZero().Cross, m => m.AboutZero().Covariance(), m => m.AboutZero().ErrorVariance()];
        foreach (var of in parts)
            Assert.All(of(whole).Zip(of(found)), p => Assert.Equal(p.First, p.Second, 1e-9));
        Assert.Equal(whole.HeldOut!().Inputs, found.HeldOut!().Inputs);
        Assert.Equal(whole.HeldOut!().Errors, found.HeldOut!().Errors);
    }

    /// <summary>
    /// Element by element, an offset of a weight lies at the index of the contracted axis that is stated for
    /// it.
    /// </summary>
    [Theory]
    [InlineData("Conv", 1)]
    [InlineData("Conv", 2)]
    [InlineData("ConvTranspose", 1)]
    [InlineData("ConvTranspose", 2)]
    public void A_feature_lies_at_its_contracted_index(string op, int groups)
    {
        var g = new GraphBuilder(3);
        string h = g.Relu(g.Node("Conv", [g.Input("x", "batch", 2, 8, 8), g.Weight("first", 8, 2, 3, 3)]));
        int[] shape = op == "Conv" ? [6, 8 / groups, 3, 3] : [8, 6 / groups, 3, 3];
        g.Output(g.Node(op, [h, g.Weight("second", [.. shape.Select(d => (long)d)])], ("group", (long)groups)), "batch", 6, "h", "w");
        using var model = g.Build();
        var consumer = AxisAnalysis.Run(model).Consumers.Single(c => c.Parameter == "second");
        var matrix = ConsumerMatrix.Create(consumer, shape)!;
        Assert.Equal(groups, matrix.Batches);
        int stride = shape.Skip(consumer.ParameterAxis + 1).Aggregate(1, (a, b) => a * b);
        var seen = new HashSet<int>();
        for (int b = 0; b < matrix.Batches; b++)
            for (int o = 0; o < matrix.Outputs; o++)
                for (int f = 0; f < matrix.Features; f++)
                {
                    int at = matrix.Offset(b, o, f);
                    Assert.True(seen.Add(at));
                    Assert.Equal(at / stride % shape[consumer.ParameterAxis], matrix.ContractedIndex(b, f));
                }
        Assert.Equal(shape.Aggregate(1, (a, b) => a * b), seen.Count);
    }
}
