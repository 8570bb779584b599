using System.Collections.Immutable;

namespace Espalier.Axes.Costs;

/// <summary>What a monomial counts.</summary>
internal enum CostUnit
{
    /// <summary>Multiply-accumulates of one run.</summary>
    Macs,
    /// <summary>Elements of stored parameters, <see cref="StoredParameters"/>.</summary>
    Parameters,
    /// <summary>Bytes of the file: of tensors as their axes say, of all else as in the dense file.</summary>
    Bytes,
}

/// <summary><c>Coefficient · Π size(group)</c>; a group may occur more than once.</summary>
/// <param name="Coefficient">Product of everything that no group can change.</param>
/// <param name="Groups">Numbers of groups, ascending.</param>
/// <param name="Sublayer">The sublayer whose removal removes this cost; −1 for none.</param>
/// <param name="Padded">Groups (a subset of <paramref name="Groups"/>) whose count is padded to the kernel's block when time is
/// predicted: channels of convolutions.</param>
internal sealed record Monomial(CostUnit Unit, double Coefficient, ImmutableArray<int> Groups, int Sublayer, ImmutableArray<int> Padded);

/// <summary>
/// A product that is written as two, with a rank between them that can be cut. It costs no more than it does as one: a rank that saves
/// nothing is not taken.
/// </summary>
/// <param name="Whole">Cost of the product as one in the dense model.</param>
/// <param name="Down">Cost of the first, in the sizes of its inputs and of the rank.</param>
/// <param name="Up">Cost of the second, in the sizes of the rank and of its outputs.</param>
/// <param name="Rank">Number of the group of ranks.</param>
internal sealed record FactoredCost(CostUnit Unit, double Whole, CostModel Down, CostModel Up, int Rank)
{
    private readonly (double Down, double Up) _dense = (Down.Evaluate(Unit), Up.Evaluate(Unit));

    /// <summary>What is saved by writing the product as one again; 0 where the two cost less.</summary>
    public double Refund(Func<int, double>? size, IReadOnlySet<int>? removedSublayers)
    {
        double down = Down.Evaluate(Unit, size, removedSublayers), up = Up.Evaluate(Unit, size, removedSublayers);
        double rank = size is null ? 1 : size(Rank) / Down.GroupSizes[Rank];
        return rank > 0 ? Math.Max(0, down + up - (Whole * (down / _dense.Down) * (up / _dense.Up) / (rank * rank))) : 0;
    }
}

/// <summary>The cost of a model for any choice of group sizes: so a budget is arithmetic.</summary>
/// <param name="Monomials">Terms of the sum, like ones collected, in stable order.</param>
/// <param name="GroupSizes">Dense size per group number.</param>
internal sealed record CostModel(ImmutableArray<Monomial> Monomials, ImmutableArray<int> GroupSizes)
{
    /// <summary>
    /// Operators whose multiply-accumulates are not known, each with the reason: the figures are without them, or without the
    /// axis that is not known.
    /// </summary>
    public ImmutableArray<string> UnknownMacs { get; init; } = [];

    /// <summary>Products of which the monomials count both factors whatever the rank.</summary>
    public ImmutableArray<FactoredCost> Factored { get; init; } = [];

    /// <param name="size">Size of a group by number; null for the dense model.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    public double Evaluate(CostUnit unit, Func<int, double>? size = null, IReadOnlySet<int>? removedSublayers = null)
    {
        double sum = 0;
        foreach (var m in Monomials)
        {
            if (m.Unit != unit || (m.Sublayer >= 0 && removedSublayers?.Contains(m.Sublayer) == true)) continue;
            double product = m.Coefficient;
            foreach (var g in m.Groups) product *= size is null ? GroupSizes[g] : size(g);
            sum += product;
        }
        foreach (var factored in Factored)
            if (factored.Unit == unit) sum -= factored.Refund(size, removedSublayers);
        return sum;
    }

    /// <summary>
    /// MACs with convolution channels padded up to <paramref name="block"/>: what the time of ONNX Runtime's CPU kernels follows.
    /// </summary>
    public double PredictedTime(Func<int, double>? size = null, IReadOnlySet<int>? removedSublayers = null, int block = 16)
    {
        double sum = 0;
        foreach (var m in Monomials)
        {
            if (m.Unit != CostUnit.Macs || (m.Sublayer >= 0 && removedSublayers?.Contains(m.Sublayer) == true)) continue;
            double product = m.Coefficient;
            foreach (var g in m.Groups)
            {
                double n = size is null ? GroupSizes[g] : size(g);
                product *= m.Padded.Contains(g) ? Math.Ceiling(n / block) * block : n;
            }
            sum += product;
        }
        return sum;
    }
}
