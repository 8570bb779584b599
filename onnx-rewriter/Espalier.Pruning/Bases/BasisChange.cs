using System.Numerics.Tensors;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Bases;

/// <summary>
/// Writes the vectors of linear groups in another basis of each head before they are pruned: the model computes the same, and what
/// matters lies in the first coordinates of every head. So one choice of coordinates is another subspace for each head, and what is
/// left needs no compensation where nothing contracts it with a weight.
/// </summary>
internal sealed class BasisChange
{
    private readonly DenseModel _model;
    private readonly CalibrationStatistics _statistics;
    private readonly SortedDictionary<string, float[]> _edited = new(StringComparer.Ordinal);
    private readonly Dictionary<int, ActivationStatistics> _consumers;
    private readonly Dictionary<int, double[]> _scores = [];

    private BasisChange(DenseModel model, CalibrationStatistics statistics)
        => (_model, _statistics, _consumers) = (model, statistics, new(statistics.Consumers));

    /// <summary>Asks for the moments that bases are made from.</summary>
    public static void Require(ResolvedPlan resolved, Requirements needs)
    {
        foreach (var (linear, _) in Wanted(resolved, []))
        {
            var makers = (linear.LeftReads ? linear.Right.Products : [.. linear.Left.Products, .. linear.Right.Products]).ToList();
            needs.Consumers(makers);
            needs.Covariance(makers);
        }
    }

    /// <summary>The plan on a model with other bases, and evidence about that one.</summary>
    /// <param name="notes">Gets the groups whose heads all lose the same dimensions where each was to lose its own.</param>
    /// <returns>What was given where no basis is changed.</returns>
    public static (ResolvedPlan Resolved, Evidence Evidence) Apply(ResolvedPlan resolved, Evidence evidence, ICollection<string> notes)
    {
        if (evidence.Statistics is not { } statistics || Wanted(resolved, notes) is not { Count: > 0 } wanted)
            return (resolved, evidence);
        var change = new BasisChange(resolved.Model, statistics);
        foreach (var (linear, sorted) in wanted)
        {
            if (!change.Add(linear, sorted) && sorted)
                notes.Add(Shared(linear.Group, "its weights have another form, are read elsewhere, or calibration has no moments of them"));
        }
        if (change._edited.Count == 0) return (resolved, evidence);
        var edits = new WeightEdits(change._edited, new Dictionary<int, float[]>());
        var model = Surgery.Apply(resolved.Analysis, Selection.Everything, edits).Model;
        var analysis = AxisAnalysis.Run(model, resolved.Analysis.Options);
        return (ResolvedPlan.Resolve(resolved.Plan, analysis) with { BasisScores = change._scores },
            evidence with { Statistics = statistics with { Consumers = change._consumers }, Probe = evidence.Probe?.On(analysis) });
    }

    /// <summary>Groups that get a basis: the best one where what is left is refitted, a sorted one for scores of dimensions.</summary>
    private static List<(LinearGroup Group, bool Sorted)> Wanted(ResolvedPlan resolved, ICollection<string> notes)
    {
        var wanted = new List<(LinearGroup, bool)>();
        foreach (var rule in resolved.Rules.Where(r => r.Rule.Keep != 1))
        {
            bool sorted = IsSorted(rule.Rule);
            if (!sorted && rule.Rule.Compensate != Compensation.LeastSquares) continue;
            foreach (var group in rule.Groups.Where(g => g.Kind == Axis.HeadDims || (g.Kind == Axis.ValueDims && !sorted)))
            {
                if (LinearGroup.Find(resolved.Analysis, group) is { } linear) wanted.Add((linear, sorted));
                else if (sorted) notes.Add(Shared(group, "a rotation, a norm or a cache lies between its weights and the product"));
            }
        }
        return wanted;
    }

    /// <summary>Whether the dimensions of every head are sorted by themselves before the first are kept.</summary>
    public static bool IsSorted(PruneRule rule) => rule.Score == Criterion.QueryKey && rule.Compensate != Compensation.LeastSquares;

    private static string Shared(Group group, string why) => $"All heads of '{group.Name}' lose the same dimensions: {why}.";

    private bool Add(LinearGroup linear, bool sorted)
    {
        var keys = new Dictionary<string, int>(StringComparer.Ordinal);
        int size = linear.Group.Size;
        if (VectorWeight.Find(linear, linear.Right, true, _model, keys) is not { } right
            || VectorWeight.Find(linear, linear.Left, !linear.LeftReads, _model, keys) is not { } left
            || BiasesOf(linear.Left, left) is not { } leftBiases || BiasesOf(linear.Right, right) is not { } rightBiases
            || (linear.LeftReads ? Read(left, keys.Count, size) : Made(left, leftBiases, keys.Count, size, centred: false)) is not { } q
            || (linear.LeftReads ? Seen(left, keys.Count, size)
                : Made(right, rightBiases, keys.Count, size, centred: !sorted)) is not { } k)
            return false;
        HeadBasis?[] bases = [.. q.Zip(k, (a, b)
            => sorted ? HeadBasis.Sorted(a, b, size) : HeadBasis.Balanced(a, b, size))];
        if (Array.Exists(bases, b => b is null)) return false;
        foreach (var weight in left) Rewrite(weight, bases!, b => b.Left, size);
        foreach (var weight in right) Rewrite(weight, bases!, b => b.Right, size);
        foreach (var (name, vectors) in leftBiases) Rewrite(name, vectors, bases!, b => b.Left);
        foreach (var (name, vectors) in rightBiases) Rewrite(name, vectors, bases!, b => b.Right);
        if (linear.LeftReads)
            foreach (var weight in left) Rewrite(_consumers, weight, bases!);
        _scores[linear.Group.Id] = [.. Enumerable.Range(0, size).Select(u => bases.Sum(b => b!.Values[u] * b.Values[u]))];
        return true;
    }

    /// <summary>Biases with the vectors of the weight that they are added to; null where they do not fit each other.</summary>
    private IReadOnlyList<(string Name, IReadOnlyList<HeadVector> Vectors)>? BiasesOf(LinearSide side, IReadOnlyList<VectorWeight> weights)
    {
        if (side.Biases.Count == 0) return [];
        if (weights.Count != 1 || side.Biases.Any(b => _model.Weights.Uses(b.Weight) != 1 || _model.Weights.Shape(b.Weight) is not { } shape
            || shape.Aggregate(1, (x, y) => x * y) != weights[0].Matrix.Outputs)) return null;
        return [.. side.Biases.Select(b => (b.Weight, weights[0].Vectors))];
    }

    /// <summary>Second moments of vectors that products make, by basis.</summary>
    private double[][]? Made(IReadOnlyList<VectorWeight> weights, IReadOnlyList<(string Name, IReadOnlyList<HeadVector> Vectors)> biases,
        int count, int size, bool centred)
    {
        var moments = Zeros(count, size);
        foreach (var weight in weights)
        {
            if (!_statistics.Consumers.TryGetValue(weight.Product.Id, out var seen) || seen.Covariance is not { } covariance
                || covariance.Size != weight.Matrix.Features) return null;
            double[] w = weight.Matrix.Matrix(_model.Weights.Floats(weight.Product.Parameter), 0), c = covariance.ToArray();
            int n = weight.Matrix.Features;
            foreach (var vector in weight.Vectors)
            {
                var moment = moments[vector.Key];
                Parallel.For(0, size, i =>
                {
                    var row = w.AsSpan(vector.Indices[i] * n, n);
                    var product = new double[n];
                    for (int f = 0; f < n; f++) TensorPrimitives.MultiplyAdd(c.AsSpan(f * n, n), row[f], product, product);
                    for (int j = 0; j < size; j++)
                        moment[(i * size) + j] += TensorPrimitives.Dot<double>(product, w.AsSpan(vector.Indices[j] * n, n));
                });
                if (centred) continue;
                double[] mean = [.. vector.Indices.Select(i => TensorPrimitives.Dot<double>(w.AsSpan(i * n, n), seen.Mean)
                    + biases.Sum(b => (double)_model.Weights.Floats(b.Name)[i]))];
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++) moment[(i * size) + j] += mean[i] * mean[j];
            }
        }
        return moments;
    }

    /// <summary>Second moments of the weights that read vectors, over what they make of them.</summary>
    private double[][] Read(IReadOnlyList<VectorWeight> weights, int count, int size)
    {
        var moments = Zeros(count, size);
        foreach (var weight in weights)
        {
            double[] w = weight.Matrix.Matrix(_model.Weights.Floats(weight.Product.Parameter), 0);
            int n = weight.Matrix.Features;
            foreach (var vector in weight.Vectors)
                for (int o = 0; o < weight.Matrix.Outputs; o++)
                    for (int i = 0; i < size; i++)
                        for (int j = 0; j < size; j++)
                            moments[vector.Key][(i * size) + j] += w[(o * n) + vector.Indices[i]] * w[(o * n) + vector.Indices[j]];
        }
        return moments;
    }

    /// <summary>Covariances of vectors where they are read.</summary>
    private double[][]? Seen(IReadOnlyList<VectorWeight> weights, int count, int size)
    {
        var moments = Zeros(count, size);
        foreach (var weight in weights)
        {
            if (!_statistics.Consumers.TryGetValue(weight.Product.Id, out var seen) || seen.Covariance is not { } covariance
                || covariance.Size != weight.Matrix.Features) return null;
            foreach (var vector in weight.Vectors)
                TensorPrimitives.Add(moments[vector.Key], covariance.Part(vector.Indices, vector.Indices), moments[vector.Key]);
        }
        return moments;
    }

    private static double[][] Zeros(int count, int size) => [.. Enumerable.Range(0, count).Select(_ => new double[size * size])];

    private void Rewrite(VectorWeight weight, HeadBasis[] bases, Func<HeadBasis, double[]> of, int size)
    {
        string name = weight.Product.Parameter;
        float[] values = _edited.GetValueOrDefault(name) ?? _model.Weights.Floats(name);
        var matrix = weight.Matrix;
        var old = new double[size];
        foreach (var vector in weight.Vectors)
        {
            double[] t = of(bases[vector.Key]);
            for (int other = 0; other < (weight.IsOutput ? matrix.Features : matrix.Outputs); other++)
            {
                int At(int i) => weight.IsOutput ? matrix.Offset(0, vector.Indices[i], other) : matrix.Offset(0, other, vector.Indices[i]);
                for (int i = 0; i < size; i++) old[i] = values[At(i)];
                for (int i = 0; i < size; i++) values[At(i)] = (float)TensorPrimitives.Dot<double>(t.AsSpan(i * size, size), old);
            }
        }
        _edited[name] = values;
    }

    private void Rewrite(string bias, IReadOnlyList<HeadVector> vectors, HeadBasis[] bases, Func<HeadBasis, double[]> of)
    {
        float[] values = _model.Weights.Floats(bias);
        foreach (var vector in vectors)
        {
            int size = vector.Indices.Length;
            double[] t = of(bases[vector.Key]), old = [.. vector.Indices.Select(i => (double)values[i])];
            for (int i = 0; i < size; i++) values[vector.Indices[i]] = (float)TensorPrimitives.Dot<double>(t.AsSpan(i * size, size), old);
        }
        _edited[bias] = values;
    }

    /// <summary>What a product reads, in the new basis.</summary>
    private static void Rewrite(Dictionary<int, ActivationStatistics> consumers, VectorWeight weight, HeadBasis[] bases)
    {
        if (consumers.GetValueOrDefault(weight.Product.Id) is not { Covariance: { } covariance } seen) return;
        int n = covariance.Size;
        var maps = weight.Vectors.Select(v => (v.Indices, T: bases[v.Key].Right)).ToList();
        double[] c = covariance.ToArray(), mean = (double[])seen.Mean.Clone();
        for (int r = 0; r < n; r++) Map(c.AsSpan(r * n, n));
        Transpose(c, n);
        for (int r = 0; r < n; r++) Map(c.AsSpan(r * n, n));
        Map(mean);
        var heldOut = seen.HeldOut?.Map(n, row =>
        {
            Map(row);
            return row;
        });
        double[] variance = [.. Enumerable.Range(0, n).Select(f => c[(f * n) + f])];
        double[] squares = [.. variance.Zip(mean, (v, m) => v + (m * m))];
        consumers[weight.Product.Id] = new(seen.Consumer, seen.Count, mean, variance, [.. squares.Select(Math.Sqrt)], squares)
        { Covariance = Covariance.Create(c, n), HeldOut = heldOut };

        void Map(Span<double> vector)
        {
            foreach (var (indices, t) in maps)
            {
                int size = indices.Length;
                var old = new double[size];
                for (int i = 0; i < size; i++) old[i] = vector[indices[i]];
                for (int i = 0; i < size; i++) vector[indices[i]] = TensorPrimitives.Dot<double>(t.AsSpan(i * size, size), old);
            }
        }
    }

    private static void Transpose(double[] matrix, int n)
    {
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) (matrix[(i * n) + j], matrix[(j * n) + i]) = (matrix[(j * n) + i], matrix[(i * n) + j]);
    }
}
