using Espalier.Generator.Manifests;

namespace Espalier.Generator.Planning;

/// <summary>
/// The cost of a model for any choice of sizes, from the manifest's monomials: what makes a budget arithmetic at compile time.
/// </summary>
internal sealed class CostPolynomial
{
    private readonly Dictionary<int, int> _dense;
    private readonly Dictionary<string, ManifestCost[]> _byUnit;

    public CostPolynomial(Manifest manifest)
    {
        _dense = manifest.Groups.ToDictionary(g => g.Id, g => g.Size);
        _byUnit = manifest.Costs.GroupBy(c => c.Unit, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
    }

    /// <summary>The cost for a choice of sizes.</summary>
    /// <param name="unit"><c>macs</c>, <c>parameters</c> or <c>bytes</c>.</param>
    /// <param name="sizes">Sizes that differ from the dense model's, by group number.</param>
    /// <param name="removed">Sublayers that are gone.</param>
    public double Evaluate(string unit, IReadOnlyDictionary<int, int>? sizes = null, ISet<int>? removed = null)
    {
        double sum = 0;
        if (!_byUnit.TryGetValue(unit, out var monomials)) return sum;
        foreach (var monomial in monomials)
        {
            if (monomial.Sublayer >= 0 && removed?.Contains(monomial.Sublayer) == true) continue;
            var product = monomial.Coefficient;
            foreach (var group in monomial.Groups)
                product *= sizes is not null && sizes.TryGetValue(group, out var size) ? size : _dense[group];
            sum += product;
        }
        return sum;
    }

    /// <summary>What a block alone costs.</summary>
    public double EvaluateBlock(ManifestBlock block, string unit, IReadOnlyDictionary<int, int>? sizes = null)
        => Evaluate(unit, sizes) - Evaluate(unit, sizes, new HashSet<int>(block.Sublayers));
}
