using Espalier.Axes.Costs;

namespace Espalier.Pruning.Weights;

/// <summary>Sizes of one weight in the slim model.</summary>
/// <param name="Inputs">Inputs that are left, at every position of a convolution's window.</param>
/// <param name="Outputs">Outputs that are left.</param>
/// <param name="Macs">Multiply-accumulates with the weight as it is.</param>
/// <param name="ElementBytes">Bytes of an element.</param>
internal sealed record LowRankSize(int Inputs, int Outputs, double Macs, double ElementBytes)
{
    private double Elements => (double)Inputs * Outputs;

    /// <summary>Cost of the weight, factored to a rank; dense for null.</summary>
    public double Cost(CostUnit unit, int? rank)
        => (unit == CostUnit.Macs
            ? Macs
            : unit == CostUnit.Bytes ? Elements * ElementBytes : Elements) * (rank is { } r
                ? r * (double)(Inputs + Outputs) / Elements
                : 1);

    /// <summary>Whether a rank saves anything.</summary>
    public bool Saves(int rank) => rank * (long)(Inputs + Outputs) < (long)Inputs * Outputs;

    /// <summary>The largest rank, at least 1, whose factors have at most this share of the weight's parameters.</summary>
    public int RankOf(double keep) => Math.Max(1, (int)Math.Floor((keep * Elements / (Inputs + Outputs)) + 1e-9));
}
