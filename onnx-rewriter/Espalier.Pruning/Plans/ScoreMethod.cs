namespace Espalier.Pruning.Plans;

/// <summary>A method of the policy that scores: one number from 0 on per unit; the highest stay.</summary>
/// <param name="rule">The rule, with the method's name in <see cref="PruneRule.ScoreMethod"/>.</param>
/// <param name="group">A group that the rule owns.</param>
internal delegate double[] ScoreMethod(PruneRule rule, ScoredGroup group);
