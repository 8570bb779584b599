using System.Globalization;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>What can be wrong in a policy whatever its model is.</summary>
internal sealed class PolicyChecks
{
    /// <summary>The parameter of [Score].</summary>
    private const string Scored = "criterion";

    private readonly PolicyModel _policy;
    private readonly Findings _findings;
    private readonly bool _hasData;

    private PolicyChecks(PolicyModel policy, Findings findings)
    {
        (_policy, _findings) = (policy, findings);
        // A guard looks at what the model is for; statistics may come from inputs that are made up.
        _hasData = policy.Calibration.Count > 0 || policy.Inputs is InputSource.Noise or InputSource.OutOfDistribution;
    }

    public static void Check(PolicyModel policy, Findings findings)
    {
        var checks = new PolicyChecks(policy, findings);
        checks.Class();
        checks.Members();
        checks.Budgets();
        checks.Guard();
        checks.Recover();
        checks.Calibration();
        checks.Methods();
        foreach (var rule in policy.Rules) checks.Rule(rule);
        for (var i = 0; i < policy.LowRank.Count; i++)
            checks.LowRank(policy.LowRank[i], AttributeSite.OfClass(nameof(LowRankAttribute), i));
        // Of a class that is no policy nothing comes at all, and what removes nothing spends no budget.
        if (policy.ClassProblem.Length == 0 && !checks.DoesNothing()) checks.Data();
    }

    /// <summary>An axis as messages name it.</summary>
    public static string Plural(Axis axis) => AxisRow.Find(axis)?.Plural ?? axis.ToString();

    /// <summary>A number as messages write it.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private void Class()
    {
        var problem = _policy.ClassProblem;
        if (problem.Length == 0) return;
        var canBeFixed = problem.StartsWith("is not ", StringComparison.Ordinal)
            || problem.EndsWith("not partial", StringComparison.Ordinal);
        _findings.Add(new(Ids.PolicyShape, AttributeSite.Policy, canBeFixed ? "modifiers" : "", [_policy.Name, problem]));
    }

    private void Members()
    {
        foreach (var name in _policy.Colliding)
        {
            var isPolicy = name == _policy.Name;
            _findings.Add(Ids.NameIsTaken, new(isPolicy ? "" : name, ""), isPolicy ? "The policy" : "The member", name);
        }
    }

    /// <summary>
    /// Whether the policy as a whole removes nothing, which is then reported; single rules are judged where their groups are known.
    /// </summary>
    private bool DoesNothing()
    {
        var hasRules = _policy.Rules.Count > 0 || _policy.LowRank.Count > 0;
        if (!hasRules && _policy.Method is not ({ Depth: not null } or { Units: not null } or { LowRank: not null }))
            _findings.Add(Ids.DoesNothing, AttributeSite.Policy, "it has no rule", "Add a property with [Prune] or [Drop], or [LowRank]");
        else if (hasRules && _policy.Rules.All(r => r.Prune is { Keep: null }) && _policy.LowRank.All(r => r.IsOpen)
            && _policy.Budget?.IsWhole == true && !DecidesItself)
            _findings.Add(Ids.DoesNothing, AttributeSite.OfClass(nameof(BudgetAttribute)).At("Macs Parameters Bytes Latency"),
                "its budget is the whole model, and no rule has a Keep", "Lower the budget, or give the rules a Keep");
        else return false;
        return true;
    }

    /// <summary>A budget that is spent without having seen what the model is for.</summary>
    private void Data()
    {
        if (_hasData || _policy.Budget?.Bounds != true || _findings.Any(f => f.Id == Ids.NeedsCalibration)) return;
        if (_policy.Method is { Inputs: not InputSource.Data }) return;
        var ofParts = !_policy.Budget.Limits().Any() && _policy.Budget.Latency is null;
        _findings.Add(Ids.NoData, AttributeSite.OfClass(ofParts ? nameof(ComponentBudgetAttribute) : nameof(BudgetAttribute)),
            _policy.Preset is { } preset && MeasuresActivations
                ? $"the statistics of Preset.{preset} come from random inputs"
                : "only weights say what goes");
    }

    private void Budgets()
    {
        if (_policy.Budget is not { } budget) return;
        var site = AttributeSite.OfClass(nameof(BudgetAttribute));
        foreach (var (_, argument, fraction) in budget.Limits()) _findings.CheckFraction(site, argument, fraction);
        for (var i = 0; i < budget.Components.Count; i++)
        {
            var component = budget.Components[i];
            var part = AttributeSite.OfClass(nameof(ComponentBudgetAttribute), i);
            _findings.CheckFraction(part, nameof(ComponentBudgetAttribute.Macs), component.Macs);
            _findings.CheckFraction(part, nameof(ComponentBudgetAttribute.Parameters), component.Parameters);
            if (component is { Macs: null, Parameters: null })
                _findings.DoesNotFit(part, component.Pattern, "a [ComponentBudget] without Macs and Parameters",
                    "Say what the nodes of the component may cost");
        }
        _findings.CheckFraction(site, nameof(BudgetAttribute.Latency), budget.Latency);
    }

    private void Guard()
    {
        if (_policy.Guard is not { } guard) return;
        var site = AttributeSite.OfClass(nameof(GuardAttribute));
        _findings.CheckFraction(site, nameof(GuardAttribute.Agreement), guard.Agreement);
        if (guard is { Agreement: null, Metric: { } metric })
            _findings.DoesNotFit(site.At(nameof(GuardAttribute.Metric)), nameof(GuardAttribute.Metric), "[Guard] without Agreement",
                $"Say how much agreement by {metric} is enough with Agreement");
        if (guard.Agreement is not null && _policy.Calibration.Count == 0)
            _findings.Add(Ids.NeedsCalibration, site.At(nameof(GuardAttribute.Agreement)), nameof(GuardAttribute.Agreement));
    }

    private void Recover()
    {
        if (_policy.Recover is not { } recover) return;
        var site = AttributeSite.OfClass(nameof(RecoverAttribute));
        _findings.CheckAtLeast(site, nameof(RecoverAttribute.Steps), recover.Steps, 1);
        _findings.CheckAtLeast(site, nameof(RecoverAttribute.Samples), recover.Samples, 1);
        if (!(recover.Rate > 0 && recover.Rate < 1))
            _findings.DoesNotFit(site.At(nameof(RecoverAttribute.Rate)), nameof(RecoverAttribute.Rate),
                "a step size that is not between 0 and 1", "Say for example Rate = 0.0003");
        if (recover.Problem.Length > 0)
            _findings.Add(Ids.CalibrationShape, site.At(nameof(RecoverAttribute.Data)), recover.Data!, recover.Problem);
        if (_policy.Calibration.Count == 0)
            _findings.Add(Ids.NeedsCalibration, site, "[Recover]");
    }

    private void Calibration()
    {
        for (var i = 0; i < _policy.Calibration.Count; i++)
        {
            var calibration = _policy.Calibration[i];
            var site = new AttributeSite(calibration.Method, nameof(CalibrationAttribute));
            if (i > 0)
                _findings.Add(Ids.CalibrationShape, site, calibration.Method,
                    $"is the second one, after '{_policy.Calibration[0].Method}'; a policy has one");
            else if (calibration.Problem.Length > 0)
                _findings.Add(new(Ids.CalibrationShape, site, "signature", [calibration.Method, calibration.Problem]));
            _findings.CheckAtLeast(site, nameof(CalibrationAttribute.Samples), calibration.Samples, 1);
        }
    }

    private void Methods()
    {
        if (_policy.Allocation is { } allocation)
        {
            var site = AttributeSite.OfClass(nameof(AllocateAttribute)).At("allocation");
            CheckData(site, allocation.ToString(), AllocationRow.Find(allocation)?.Needs);
            if (allocation == Allocation.Latency && _policy.Budget?.Latency is null)
                _findings.DoesNotFit(site, nameof(Allocation.Latency), "a policy without [Budget(Latency = …)]",
                    "It spreads a budget of time; give one, or use Divergence");
        }
        if (_policy.Schedule is { } schedule)
            CheckData(AttributeSite.OfClass(nameof(ScheduleAttribute)).At("schedule"), schedule.ToString(),
                ScheduleRow.Find(schedule)?.Needs);
    }

    private void Rule(RuleModel rule)
    {
        if (rule.Problem.Length > 0)
        {
            var canBeFixed = rule.Problem.StartsWith("is not static", StringComparison.Ordinal) || rule.Problem == "is not partial";
            var attribute = rule.Prune is null ? nameof(DropAttribute) : nameof(PruneAttribute);
            _findings.Add(new(Ids.RuleShape, new(rule.Name, attribute), canBeFixed ? "modifiers" : "", [rule.Name, rule.Problem]));
        }
        else if (rule.Prune is { } prune)
        {
            Prune(rule.Name, prune);
            if (rule.Score is { } score) UnitScore(new(rule.Name, nameof(ScoreAttribute)), score);
            if (rule.Compensate is { } compensate)
                CheckData(new AttributeSite(rule.Name, nameof(CompensateAttribute)).At("method"), compensate.ToString(),
                    CompensationRow.Find(compensate)?.Needs);
        }
        else if (rule.Drop is { } drop) Drop(rule, drop);
    }

    private void Prune(string name, PruneModel prune)
    {
        var site = new AttributeSite(name, nameof(PruneAttribute));
        _findings.CheckFraction(site, nameof(PruneAttribute.Keep), prune.Keep);
        if (prune.Keep is null && _policy.Budget?.IsSet != true && !DecidesItself) _findings.Add(Ids.NothingDecides, site, name);
        _findings.CheckAtLeast(site, nameof(PruneAttribute.MinKeep), prune.MinKeep, 1);
        _findings.CheckAtLeast(site, nameof(PruneAttribute.RoundTo), prune.RoundTo, 0);
        if (AxisRow.Find(prune.Axis)?.CanPrune != true)
            _findings.DoesNotFit(site.At("axis"), prune.Axis.ToString(), "[Prune]", "Sublayers and Blocks go with [Drop]");
    }

    private void UnitScore(AttributeSite site, ScoreModel score)
    {
        var row = CriterionRow.Find(score.Criterion);
        if (row?.RanksUnits != true)
            _findings.DoesNotFit(site.At(Scored), score.Criterion.ToString(), "[Prune]",
                "It scores blocks, not units; use L2, Variance or Wanda");
        if (score.Criterion == Criterion.File && string.IsNullOrEmpty(score.File))
            _findings.DoesNotFit(site.At(Scored), nameof(Criterion.File), "[Score] without ScoreFile", "Name the file that has the scores");
        else if (score.File is not null && score.Criterion != Criterion.File)
            _findings.DoesNotFit(site.At(nameof(ScoreAttribute.ScoreFile)), nameof(ScoreAttribute.ScoreFile),
                $"Criterion.{score.Criterion}", "Only Criterion.File reads a file");
        var named = !string.IsNullOrEmpty(score.Method);
        if (score.Criterion == Criterion.Method && !named)
            _findings.DoesNotFit(site.At(Scored), nameof(ScoreAttribute.Method), "[Score] without Method",
                "Name the policy's static method that scores: Method = nameof(…)");
        else if (score.Criterion != Criterion.Method && named)
            _findings.DoesNotFit(site.At(nameof(ScoreAttribute.Method)), nameof(ScoreAttribute.Method), $"Criterion.{score.Criterion}",
                "Only Criterion.Method calls one");
        if (row?.RanksUnits == true) CheckData(site.At(Scored), score.Criterion.ToString(), row.Needs);
    }

    private void Drop(RuleModel rule, DropModel drop)
    {
        var site = new AttributeSite(rule.Name, nameof(DropAttribute));
        _findings.CheckAtLeast(site, nameof(DropAttribute.AtMost), drop.AtMost, 1);
        if (AxisRow.Find(drop.Axis)?.CanDrop != true)
            _findings.DoesNotFit(site.At("axis"), drop.Axis.ToString(), "[Drop]", "It removes Sublayers or Blocks; units go with [Prune]");
        if (rule.Score is { } score) DepthScore(new(rule.Name, nameof(ScoreAttribute)), score);
        if (rule.Compensate is { } compensate and not Compensation.None)
            _findings.DoesNotFit(new AttributeSite(rule.Name, nameof(CompensateAttribute)).At("method"), compensate.ToString(), "[Drop]",
                "Nothing reads a removed block, so there is nothing to make up for");
    }

    private void DepthScore(AttributeSite site, ScoreModel score)
    {
        if (CriterionRow.Find(score.Criterion)?.RanksDepth != true)
            _findings.DoesNotFit(site.At(Scored), score.Criterion.ToString(), "[Drop]",
                "It scores units, not blocks; use BlockSimilarity, BlockAngle, OutputDivergence or Random");
        else if (score.File is not null)
            _findings.DoesNotFit(site.At(nameof(ScoreAttribute.ScoreFile)), nameof(ScoreAttribute.ScoreFile), "[Drop]",
                "Only scores of units are read from a file");
        if (score.Aggregate != Aggregate.Sum)
            _findings.DoesNotFit(site.At(nameof(ScoreAttribute.Aggregate)), nameof(ScoreAttribute.Aggregate), "[Drop]",
                "A block has one score");
    }

    private void LowRank(LowRankModel rule, AttributeSite site)
    {
        _findings.CheckAtLeast(site, nameof(LowRankAttribute.Rank), rule.Rank, 0);
        if (rule.Keep is { } keep && !(keep > 0 && keep < 1))
            _findings.Add(Ids.OutOfRange, site.At(nameof(LowRankAttribute.Keep)), nameof(LowRankAttribute.Keep), Number(keep),
                "a share between 0 and 1");
        if (rule is { Rank: > 0, Keep: not null })
            _findings.DoesNotFit(site.At(nameof(LowRankAttribute.Keep)), nameof(LowRankAttribute.Keep), nameof(LowRankAttribute.Rank),
                "Each says how much stays; give one of them");
        if (!rule.IsOpen) return;
        if (_policy.Budget?.IsSet != true) _findings.Add(Ids.NothingDecides, site, $"[LowRank(\"{rule.Pattern}\")]");
        else if (_policy.Rules.Any(r => r.Prune is { Keep: null } && Compensates(r) != Compensation.LeastSquares))
            _findings.DoesNotFit(site, "[LowRank] without Rank and Keep",
                "a rule without Keep that compensates otherwise than by LeastSquares",
                "They cannot share a budget; give one side its numbers");
    }

    /// <summary>Whether the allocation says by itself how much stays.</summary>
    private bool DecidesItself => (_policy.Allocation ?? _policy.Method?.Allocate) is { } allocation
        && AllocationRow.Find(allocation)?.Decides == true;

    /// <summary>Whether the policy's preset looks at activations.</summary>
    private bool MeasuresActivations => _policy.Method is { } method
        && ((method.Score is { } score && CriterionRow.Find(score)?.Needs.Any(Needs.Data) == true)
            || (method.Depth is not null && CriterionRow.Find(method.DepthScore)?.Needs.Any(Needs.Data) == true)
            || method.LowRank is not null
            || CompensationRow.Find(method.Compensate)?.Needs.Any(Needs.Data) == true
            || AllocationRow.Find(method.Allocate)?.Needs.Any(Needs.Data) == true);

    private Compensation Compensates(RuleModel rule)
        => rule.Compensate ?? (_policy.Method ?? Presets.Get(_hasData ? Preset.Best : Preset.Magnitude)).Compensate;

    private void CheckData(AttributeSite site, string name, Needs? needs)
    {
        if (!_hasData && needs?.Any(Needs.Data) == true) _findings.Add(Ids.NeedsCalibration, site, name);
    }
}
