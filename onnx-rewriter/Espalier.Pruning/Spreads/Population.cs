using Espalier.Planning;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// Units whose number is decided as one: those of a group, or, where attention is grouped, the query heads over all KV groups,
/// because neither factor of that product can be judged alone (half of two KV groups is half of all heads).
/// </summary>
internal sealed class Population
{
    /// <summary>Scores below this fraction of the largest count as this fraction: units that do nothing are alike.</summary>
    private const double Floor = 1e-6;

    private Population(IReadOnlyList<Candidate> groups)
    {
        Groups = groups;
        // The score of query head q of KV group g is the product of both factors' scores, which have mean 1.
        Scores = groups.Count == 1 ? groups[0].Scores : [.. groups[0].Scores.SelectMany(g => groups[1].Scores.Select(q => g * q))];
    }

    /// <summary>One group, or KV groups and query heads per KV group.</summary>
    public IReadOnlyList<Candidate> Groups { get; }
    /// <summary>Score of every unit.</summary>
    public double[] Scores { get; }
    /// <summary>Number of units.</summary>
    public int Size => Scores.Length;

    /// <summary>The populations of some groups: partners under one rule are joined.</summary>
    public static IReadOnlyList<Population> Gather(IReadOnlyList<Candidate> candidates)
    {
        var byGroup = candidates.ToDictionary(c => c.Group.Id);
        var populations = new List<Population>();
        foreach (var candidate in candidates)
        {
            if (candidate.Group.Partner is not { } partner || !byGroup.TryGetValue(partner.Id, out var other)
                || !ReferenceEquals(other.Rule, candidate.Rule)) populations.Add(new([candidate]));
            else if (candidate.Group.Kind == Axis.KeyValueGroups) populations.Add(new([candidate, other]));
        }
        return populations;
    }

    /// <summary>
    /// z = (log s − mean) / standard deviation of every unit. The logarithm, because scores from variances have long tails: without
    /// it a few large ones pull the rest together, and groups of few units, which have no tail, would lose theirs first.
    /// </summary>
    public double[] StandardizedLogarithms()
    {
        double floor = Scores.Max() * Floor;
        if (floor <= 0) return new double[Size];
        double[] logs = [.. Scores.Select(s => Math.Log(Math.Max(s, floor)))];
        double mean = logs.Average();
        double deviation = Math.Sqrt(logs.Select(s => (s - mean) * (s - mean)).Average());
        return [.. logs.Select(s => deviation > 0 ? (s - mean) / deviation : 0)];
    }

    /// <summary>
    /// z = (s − mean) / sample deviation of every unit (FLAP, arXiv:2312.11983), the deviation that of the features where units
    /// have several: a head's z is then the mean of its features'.
    /// </summary>
    public double[] Standardized(AllocationEvidence evidence)
    {
        double mean = Scores.Average();
        double deviation = Groups.Count == 1 && evidence.Deviations?.TryGetValue(Groups[0].Group.Id, out double ofFeatures) == true
            ? ofFeatures * mean
            : Math.Sqrt(Scores.Sum(s => (s - mean) * (s - mean)) / Math.Max(1, Size - 1));
        return [.. Scores.Select(s => deviation > 0 ? (s - mean) / deviation : 0)];
    }

    /// <summary>s / mean of every unit (SPA, arXiv:2403.18955).</summary>
    public double[] Normalized()
    {
        double mean = Scores.Average();
        return [.. Scores.Select(s => mean > 0 ? s / mean : 0)];
    }

    /// <summary>Counts when a fraction of the units is wished for.</summary>
    public Dictionary<int, int> Counts(double fraction)
    {
        var counts = new Dictionary<int, int>();
        Assign(fraction * Size, counts);
        return counts;
    }

    /// <summary>Fraction of the units that a choice keeps; all of a population that it does not name.</summary>
    public double Share(IReadOnlyDictionary<int, int> counts)
        => Groups.Aggregate(1.0, (share, c) => counts.TryGetValue(c.Group.Id, out int n) ? share * n / c.Group.Size : share);

    /// <summary>Mean absolute weight per unit; of a query head of a KV group the geometric mean of both.</summary>
    public double[] Magnitudes(AllocationEvidence evidence)
    {
        double[] first = MagnitudesOf(Groups[0], evidence).Mean;
        return Groups.Count == 1 ? first : [.. first.SelectMany(g => MagnitudesOf(Groups[1], evidence).Mean.Select(q => Math.Sqrt(g * q)))];
    }

    /// <summary>Weights that one unit has.</summary>
    public double WeightsPerUnit(AllocationEvidence evidence) => Groups.Sum(c => MagnitudesOf(c, evidence).PerUnit * c.Group.Size) / Size;

    /// <summary>Magnitudes of one group.</summary>
    /// <exception cref="EspalierException">They were not measured.</exception>
    public static UnitMagnitudes MagnitudesOf(Candidate candidate, AllocationEvidence evidence)
        => evidence.Magnitudes?.GetValueOrDefault(candidate.Group.Id)
            ?? throw new EspalierException(
                $"Group '{candidate.Group.Name}': the allocation compares magnitudes of weights, but none were measured.");

    /// <summary>Writes down how many units of each group stay when so many of the population are wished for.</summary>
    public void Assign(double wished, Dictionary<int, int> counts)
    {
        var first = Groups[0];
        if (Groups.Count == 1)
        {
            counts[first.Group.Id] = KeptCount.Round(wished, first.Group.Size, first.Multiple, first.Floor);
            return;
        }
        var second = Groups[1];
        (counts[first.Group.Id], counts[second.Group.Id]) = KeptCount.Pair(wished, (first.Group.Size, first.Multiple, first.Floor),
            (second.Group.Size, second.Multiple, second.Floor));
    }
}
