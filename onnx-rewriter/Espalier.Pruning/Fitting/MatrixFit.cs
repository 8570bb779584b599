using Espalier.Pruning.Algebra;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>Fits one matrix of a reader by a method, and checks on held-out rows that it is better than the bias alone.</summary>
/// <param name="outputs">Rows of the matrix.</param>
/// <param name="units">Unit of every kept feature; −1 for none.</param>
/// <param name="centred">Whether the reader takes a bias, so that means are kept apart.</param>
/// <param name="toFitted">Whether held-out rows are left out of the fit itself, too.</param>
internal sealed class MatrixFit(Compensation method, int outputs, int[] kept, int[] units, bool centred, bool toFitted = false)
{
    private readonly int[] _units = Dense(units);

    /// <summary>Change of the weights of the kept features, row-major [outputs, kept].</summary>
    /// <param name="dense">Dense weights, row-major [outputs, features].</param>
    /// <param name="moments">Centred moments of all rows.</param>
    /// <param name="why">Where the result is null: why.</param>
    /// <returns>Null where the bias alone is to take the change.</returns>
    public double[]? Change(double[] dense, ConsumerMoments moments, out string? why)
    {
        why = method switch
        {
            Compensation.Affine => "calibration has no covariance of its dense input",
            Compensation.Rescale => FormattableString.Invariant($"the scales of its units have no solution of at most {Rescale.Largest}"),
            _ => "the covariance of its kept inputs has no factorisation",
        };
        if (Fit(dense, moments) is not { } change) return null;
        // Equal variance is no smaller error: there is nothing to check.
        if (method == Compensation.Affine || moments.HeldOut is not { } heldOut || moments.Fitted() is not { } fitted) return change;
        var part = Fit(dense, fitted);
        double alone = Loss(dense, dense, fitted, heldOut), refitted = part is not null
            ? Loss(dense, Edited(dense, part), fitted, heldOut)
            : double.PositiveInfinity;
        // Rounding in sums over many rows is no loss.
        if (refitted <= alone + (1e-9 * Math.Abs(alone))) return toFitted ? part : change;
        why = "on held-out samples a refit has a larger error than the bias";
        return null;
    }

    private double[]? Fit(double[] dense, ConsumerMoments moments) => method switch
    {
        Compensation.Affine => AffineFit.Change(dense, outputs, moments, kept),
        Compensation.Rescale => Rescale.Change(dense, outputs, centred ? moments : moments.AboutZero(), kept, _units),
        _ => LeastSquares.Change(dense, outputs, centred ? moments : moments.AboutZero(), kept),
    };

    /// <summary>
    /// Expected squared error on held-out rows of weights and the bias that keeps the mean of the fitted rows, without the part
    /// that is the same for all weights.
    /// </summary>
    private double Loss(double[] dense, double[] edited, ConsumerMoments fitted, ConsumerMoments heldOut)
    {
        if (!centred) return LeastSquares.Loss(dense, edited, outputs, heldOut.AboutZero(), kept);
        double loss = LeastSquares.Loss(dense, edited, outputs, heldOut, kept);
        int features = heldOut.DenseMean.Length;
        for (int o = 0; o < outputs; o++)
        {
            double off = 0;
            for (int f = 0; f < features; f++) off += dense[(o * features) + f] * (heldOut.DenseMean[f] - fitted.DenseMean[f]);
            for (int i = 0; i < kept.Length; i++) off -= edited[(o * features) + kept[i]] * (heldOut.KeptMean[i] - fitted.KeptMean[i]);
            loss += off * off;
        }
        return loss;
    }

    private double[] Edited(double[] dense, double[] change)
    {
        var edited = (double[])dense.Clone();
        int features = dense.Length / Math.Max(1, outputs);
        for (int o = 0, at = 0; o < outputs; o++)
            foreach (int f in kept) edited[(o * features) + f] += change[at++];
        return edited;
    }

    /// <summary>Numbers from 0 without gaps, in the order in which they occur.</summary>
    private static int[] Dense(int[] numbers)
    {
        var found = new Dictionary<int, int>();
        return [.. numbers.Select(n => n < 0 ? -1 : found.TryGetValue(n, out int dense) ? dense : found[n] = found.Count)];
    }
}
