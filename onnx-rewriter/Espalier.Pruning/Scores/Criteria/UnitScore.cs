using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// How units are scored by one criterion, or by several that differ in a detail. A class of it with a constructor without
/// parameters is found by itself; what the criterion needs of calibration is in its row.
/// </summary>
internal abstract class UnitScore
{
    /// <summary>The classes by criterion.</summary>
    public static IReadOnlyDictionary<Criterion, UnitScore> All { get; } = typeof(UnitScore).Assembly.GetTypes()
        .Where(t => t.IsSubclassOf(typeof(UnitScore)) && !t.IsAbstract).Select(t => (UnitScore)Activator.CreateInstance(t)!)
        .SelectMany(s => s.Criteria.Select(c => (Criterion: c, Score: s))).ToDictionary(e => e.Criterion, e => e.Score);

    /// <summary>What it scores by.</summary>
    public abstract IReadOnlyList<Criterion> Criteria { get; }

    /// <summary>Asks for what must be measured of a group, beside what the criterion's row says.</summary>
    public virtual void Require(Group group, Criterion criterion, DenseModel model, Requirements needs)
    {
    }

    /// <summary>
    /// Scores of the units of a group, each from 0 on; null where they cannot be had, for the reason of <see cref="Obstacle"/>.
    /// </summary>
    public abstract double[]? Compute(Group group, ScoreContext context);

    /// <summary>Why a group has no scores of this kind.</summary>
    public abstract string Obstacle(Criterion criterion);
}
