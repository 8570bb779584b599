using System.Numerics.Tensors;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Moments;

namespace Espalier.Pruning.Fitting;

/// <summary>Fits one matrix of a consumer by a method, and checks on held-out rows that it is better than the bias alone.</summary>
/// <param name="units">Unit of every input that is left; −1 for none.</param>
/// <param name="centred">Whether the consumer takes a bias, so that means are kept apart.</param>
/// <param name="choosesRidge">Whether least squares have the ridge that is best on held-out rows, not the usual one.</param>
internal sealed class MatrixFit(Compensation method, int[] units, bool centred, bool choosesRidge)
{
    /// <summary>Multiples of the usual ridge. Rows of one sample are alike, so there are fewer of them than it counts.</summary>
    private static readonly double[] Ridges = [1, 10, 100, 1000, 10000];

    private readonly int[] _units = Dense(units);

    public bool IsCentred => centred;

    /// <summary>Change of the weights, row-major [outputs, inputs].</summary>
    /// <param name="weight">Weights of the inputs that are left, row-major [outputs, inputs].</param>
    /// <param name="moments">Centred moments.</param>
    /// <param name="why">Where the result is null: why.</param>
    /// <returns>Null where the bias alone is to take the change.</returns>
    public double[]? Change(double[] weight, FitMoments moments, out string? why)
    {
        why = method switch
        {
            Compensation.Affine => "the variances of its outputs are not finite",
            Compensation.Rescale => FormattableString.Invariant($"the scales of its units have no solution of at most {Rescale.Largest}"),
            _ => "the covariance of its kept inputs has no factorisation",
        };
        var about = centred ? moments : moments.AboutZero();
        // Equal variance is no smaller error, and what a paper does not check is not checked.
        var rows = CompensationRow.Get(method).Needs.HasFlag(Needs.HeldOut) ? moments.HeldOut?.Invoke() : null;
        if (choosesRidge && method == Compensation.LeastSquares && rows is { Count: > 0 })
        {
            if (BestRidge(about, moments, rows) is not { Change: { } best } found) return null;
            return Unless(found.Loss, best, rows, moments, ref why);
        }
        var change = method switch
        {
            Compensation.Affine => AffineFit.Change(weight, moments),
            Compensation.Rescale => Rescale.Change(weight, about, _units),
            Compensation.Reconstruction => Reconstruction.Change(weight, about),
            Compensation.AffineRecovery => LeastSquares.Change(about, shrunk: true),
            _ => LeastSquares.Change(about),
        };
        return change is null || rows is not { Count: > 0 } ? change
            : Unless(rows.Loss(change, Bias(change, moments)), change, rows, moments, ref why);
    }

    /// <summary>The change, unless the bias alone leaves a smaller error.</summary>
    private double[]? Unless(double loss, double[] change, HeldOutRows rows, FitMoments moments, ref string? why)
    {
        double alone = rows.Loss(null, Bias(null, moments));
        // Rounding in sums over many rows is no loss.
        if (loss <= alone + (1e-6 * Math.Abs(alone))) return change;
        why = "on held-out samples a refit has a larger error than the bias";
        return null;
    }

    /// <summary>Least squares with the ridge that is best on held-out rows: from the middle one up or down while it gets better.</summary>
    private (double[]? Change, double Loss) BestRidge(FitMoments about, FitMoments moments, HeldOutRows rows)
    {
        double[] covariance = about.Covariance(), copy = new double[covariance.Length];
        int middle = Ridges.Length / 2, chosen = middle;
        var best = At(middle);
        foreach (int step in (ReadOnlySpan<int>)[1, -1])
        {
            // What went up does not come down.
            if (chosen != middle) break;
            while (chosen + step >= 0 && chosen + step < Ridges.Length && At(chosen + step) is var next && next.Loss < best.Loss)
                (best, chosen) = (next, chosen + step);
        }
        return best;

        (double[]? Change, double Loss) At(int k)
        {
            covariance.CopyTo(copy, 0);
            return LeastSquares.Change(about, copy, Ridges[k]) is { } change ? (change, rows.Loss(change, Bias(change, moments)))
                : (null, double.PositiveInfinity);
        }
    }

    /// <summary>Change of the bias that keeps the mean under a change of the weights; zeros where there is no bias.</summary>
    /// <param name="change">Row-major [outputs, inputs]; null for none.</param>
    public double[] Bias(double[]? change, FitMoments moments)
        => !centred ? new double[moments.Outputs] : BiasOf(change, moments);

    /// <summary>E[e] − ΔW·E[z].</summary>
    public static double[] BiasOf(double[]? change, FitMoments moments)
    {
        var bias = (double[])moments.ErrorMean.Clone();
        for (int o = 0; o < bias.Length && change is not null; o++)
            bias[o] -= TensorPrimitives.Dot<double>(change.AsSpan(o * moments.Inputs, moments.Inputs), moments.InputMean);
        return bias;
    }

    /// <summary>Numbers from 0 without gaps, in the order in which they occur.</summary>
    private static int[] Dense(int[] numbers)
    {
        var found = new Dictionary<int, int>();
        return [.. numbers.Select(n => n < 0 ? -1 : found.TryGetValue(n, out int dense) ? dense : found[n] = found.Count)];
    }
}
