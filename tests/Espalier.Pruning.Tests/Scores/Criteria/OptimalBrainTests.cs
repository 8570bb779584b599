using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Onnx;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Weights;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Scores of the optimal brain surgeon against refits of every choice that it makes.</summary>
public sealed class OptimalBrainTests
{
    /// <summary>
    /// Units go one by one, the cheapest first, each at what the best refit without it and those before it
    /// loses more than without those alone. Every reader counts by the share of its own output; of a unit
    /// that costs less than one before it the score is that one's.
    /// </summary>
    [Theory]
    [InlineData("product")]
    [InlineData("two readers")]
    [InlineData("convolution")]
    [InlineData("groups")]
    public void Every_score_is_what_the_best_refit_loses(string form)
    {
        int sinking = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            using var dense = Build(form, seed);
            var analysis = AxisAnalysis.Run(dense);
            var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
            var rows = form is "product" or "two readers" ? Planted.Rows(seed, 300, Planted.Inputs) : Planted.Rows(seed, 8, 2, 8, 8);
            var statistics = Planted.Calibrate(analysis, rows);
            var weights = new WeightTable(analysis);
            var readers = group.Consumers.SelectMany(c => Readers(group, c, statistics, weights)).ToList();
            Assert.Equal(form is "two readers" or "groups" ? 2 : 1, readers.Count);
            var scores = Planted.Raw(new OptimalBrain(), analysis, group, statistics);
            // At most 16 units: one goes in each round.
            var gone = new List<int>();
            double reached = 0;
            while (gone.Count < group.Size)
            {
                double Cost(int unit) => readers.Sum(r => r.Lost([.. gone, unit]) - r.Lost(gone));
                double[] costs = [.. Enumerable.Range(0, group.Size).Select(u => gone.Contains(u) ? double.MaxValue : Cost(u))];
                int least = Array.IndexOf(costs, costs.Min());
                if (costs[least] < reached * 0.999) sinking++;
                reached = Math.Max(reached, costs[least]);
                Assert.Equal(reached, scores[least], 1e-6 + (1e-4 * reached));
                gone.Add(least);
            }
        }
        if (form is "product" or "two readers") Assert.True(sinking > 0);
    }

    private static OnnxModel Build(string form, int seed)
    {
        if (form is "convolution" or "groups") return Planted.Cnn(seed, 4, group: form == "groups" ? 2 : 1);
        if (form == "product") return Planted.Mlp(seed, 8);
        var g = new GraphBuilder(seed);
        string h = g.Relu(g.Linear(g.Input("x", "batch", Planted.Inputs), "up", Planted.Inputs, 8));
        g.Output(g.Rename(g.Linear(h, "one", 8, 3), "y"), "batch", 3);
        float[] loud = [.. Planted.Floats(new Random(seed), 8 * 2).Select(v => 30 * v)];
        return g.Output(g.Rename(g.MatMul(h, g.Floats("other", loud, 8, 2)), "z"), "batch", 2).Build();
    }

    private static IEnumerable<Refitted> Readers(Group group, Consumer consumer, CalibrationStatistics statistics, WeightTable weights)
    {
        var matrix = ConsumerMatrix.Create(consumer, weights.Shape(consumer.Parameter)!)!;
        int[] unitOf = consumer.Contracted.UnitMap(group.Factor);
        for (int b = 0; b < matrix.Batches; b++)
        {
            var (covariance, count) = FitMoments.Covariances(statistics.Consumers[consumer.Id], matrix, b)!.Value;
            int batch = b;
            int UnitAt(int f) => unitOf[unitOf.Length == matrix.Inputs ? f / matrix.Window : matrix.ContractedIndex(batch, f)];
            yield return new(Matrix<double>.Build.Dense(matrix.Features, matrix.Features, covariance), count,
                Matrix<double>.Build.DenseOfRowMajor(matrix.Outputs, matrix.Features, matrix.Matrix(weights.Floats(consumer.Parameter), b)),
                [.. Enumerable.Range(0, matrix.Features).Select(UnitAt)], matrix.Batches);
        }
    }

    /// <summary>One matrix W with the covariance C of what it reads.</summary>
    private sealed record Refitted(Matrix<double> C, long Count, Matrix<double> W, int[] UnitOf, int Batches)
    {
        /// <summary>
        /// tr((W − W')H(W − W')ᵀ) for the best W' on what is left, over tr(WCWᵀ), with the ridge in H.
        /// </summary>
        public double Lost(IReadOnlyCollection<int> gone)
        {
            int n = C.RowCount;
            double ridge = LeastSquares.Damping * Math.Min(1, (double)n / Count) * C.Trace() / n;
            var h = C + (ridge * Matrix<double>.Build.DenseIdentity(n));
            int[] left = [.. Enumerable.Range(0, n).Where(f => !gone.Contains(UnitOf[f]))];
            double all = (W * h * W.Transpose()).Trace();
            double total = (W * C * W.Transpose()).Trace() * Batches;
            if (left.Length == 0) return all / total;
            var inner = Matrix<double>.Build.Dense(left.Length, left.Length, (i, j) => h[left[i], left[j]]);
            var cross = Matrix<double>.Build.Dense(n, left.Length, (i, j) => h[i, left[j]]);
            var reached = W * cross * inner.Inverse() * cross.Transpose() * W.Transpose();
            return (all - reached.Trace()) / total;
        }
    }

    /// <summary>Of twenty units two go in a round, both at what each costs alone.</summary>
    [Fact]
    public void Units_of_one_round_cost_what_each_does_alone()
    {
        using var dense = Planted.Mlp(3, 20);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(3, 300, Planted.Inputs));
        var weights = new WeightTable(analysis);
        var reader = Assert.Single(Readers(group, group.Consumers[0], statistics, weights));
        double[] scores = Planted.Raw(new OptimalBrain(), analysis, group, statistics);
        var first = Enumerable.Range(0, 20).Select(u => (Unit: u, Cost: reader.Lost([u]))).OrderBy(u => u.Cost).Take(2).ToList();
        Assert.All(first, u => Assert.Equal(u.Cost, scores[u.Unit], 1e-4 * u.Cost));
    }

    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    /// <summary>What goes without loss if the others make up for it, and with loss if not: the norm of a copy is as large as any.</summary>
    [Fact]
    public void Optimal_brain_finds_units_that_depend_on_others()
    {
        using var dense = Planted.Mlp(1, 8, (w, b) =>
        {
            foreach (var (copy, of) in new[] { (5, 2), (6, 3) })
            {
                for (int i = 0; i < Planted.Inputs; i++) w[(i * 8) + copy] = 4 * w[(i * 8) + of];
                b[copy] = 4 * b[of];
            }
        });
        var plan = new PruningPlan { Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares) with { Keep = 0.75 }] };
        Assert.True(Planted.Error(dense, Planted.Slim(dense, plan, Planted.Inputs, out _, 2000).Model) < 1e-4);
        plan = plan with { Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Keep = 0.75 }] };
        Assert.True(Planted.Error(dense, Planted.Slim(dense, plan, Planted.Inputs, out _, 2000).Model) > 1e-2);
    }

    /// <summary>
    /// Neurons 0 and 1 are equal and read with weights ±1, so that together they give nothing; neuron 2 is read with a tenth.
    /// What reads one of the two makes up for it by its weight of the other, which is 0 then: both go without loss. By the
    /// weights as they were the second would cost more than neuron 2 does.
    /// </summary>
    [Fact]
    public void Optimal_brain_scores_by_the_weights_that_are_left()
    {
        using var dense = Planted.Mlp(1, 8, (w, b) =>
        {
            for (int i = 0; i < Planted.Inputs; i++) w[(i * 8) + 1] = w[i * 8];
            b[1] = b[0];
        });
        var tensor = dense.Proto.Graph.Initializer.Single(t => t.Name == "fc2.weight");
        float[] read = dense.Content(tensor).ToFloats();
        for (int o = 0; o < 3; o++) (read[o], read[3 + o], read[6 + o]) = (1, -1, 0.1f);
        tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(read));
        var plan = new PruningPlan { Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares) with { Keep = 0.75 }] };
        var slim = Planted.Slim(dense, plan, Planted.Inputs, out _, 2000);
        Assert.Equal([0, 1], slim.Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
        Assert.True(Planted.Error(dense, slim.Model) < 1e-4);
    }

    /// <summary>
    /// The score of a unit alone is half of the squared error that its removal costs after a refit, over the output's variance.
    /// </summary>
    [Fact]
    public void Optimal_brain_scores_equal_the_error_of_a_refit()
    {
        using var dense = Planted.Mlp(5, 6);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 4096, Planted.Inputs));
        var own = statistics.Consumers[group.Consumers[0].Id];
        var weights = new WeightTable(analysis);
        double[] w = ConsumerMatrix.Create(group.Consumers[0], weights.Shape("fc2.weight")!)!.Matrix(weights.Floats("fc2.weight"), 0);
        double[] errors = [.. Enumerable.Range(0, 6).Select(u =>
        {
            int[] kept = [.. Enumerable.Range(0, 6).Except([u])];
            var moments = FitMoments.Create(own, ConsumerMatrix.Create(group.Consumers[0], [6, 3])!, 0, w, kept)!;
            double[] change = LeastSquares.Change(moments)!, difference = new double[18];
            for (int o = 0; o < 3; o++)
            {
                difference[(o * 6) + u] = -w[(o * 6) + u];
                for (int k = 0; k < 5; k++) difference[(o * 6) + kept[k]] = change[(o * 5) + k];
            }
            return LeastSquares.Error(difference, 3, own.Covariance!.ToArray());
        })];
        double[] scores = Planted.Raw(new OptimalBrain(), analysis, group, statistics);
        int least = Array.IndexOf(errors, errors.Min());
        // The lowest goes first, so its score is its own; the others are conditional on those before them.
        Assert.Equal(least, Array.IndexOf(scores, scores.Min()));
        Assert.Equal(errors[least] / LeastSquares.Error(w, 3, own.Covariance!.ToArray()), scores[least], 1e-3 * scores[least]);
    }
}
