namespace Espalier.Pruning.Spreads;

/// <summary>Which line an allocation chooses along.</summary>
internal static class SpreadFactory
{
    /// <summary>The line of an allocation. Those that run models take their share from ratios as uniform does.</summary>
    public static Spread Create(Allocation allocation, IReadOnlyList<Population> populations, AllocationEvidence evidence,
        ICollection<string>? notes) => allocation switch
        {
            Allocation.Global => new ThresholdSpread(populations, p => p.StandardizedLogarithms()),
            Allocation.Standardized => new ThresholdSpread(populations, p => p.Standardized(evidence)),
            Allocation.Normalized => new ThresholdSpread(populations, p => p.Normalized()),
            Allocation.GlobalMagnitude => ThresholdSpread.OfMagnitudes(populations, evidence),
            Allocation.ImportanceLinear or Allocation.ImportanceSigmoid or Allocation.ImportanceSoftmax
                => RatioSpread.OfImportance(allocation, populations, evidence, notes),
            Allocation.ZerothOrder => RatioSpread.OfSensitivity(populations, evidence),
            Allocation.PqIndex => PqIndex.Spread(populations, evidence),
            _ => RatioSpread.Uniform(populations),
        };
}
