using System.Globalization;
using Espalier.Generator.Diagnostics;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Planning;

/// <summary>What can be wrong in a policy whatever its model is.</summary>
internal static class PolicyChecks
{
    /// <summary>Kinds of group that a rule on an axis may touch; none for depth and for unknown axes.</summary>
    public static string[] KindsOf(string axis) => axis switch
    {
        "Channels" => ["channels"],
        "Neurons" => ["neurons"],
        "Heads" => ["heads", "keyValueGroups"],
        "KeyValueGroups" => ["keyValueGroups"],
        "HeadDims" => ["headDims"],
        "ValueDims" => ["valueDims"],
        "Experts" => ["experts"],
        "HiddenState" => ["hiddenState"],
        "Width" => ["width"],
        _ => [],
    };

    /// <summary>Criteria for units that need no calibration.</summary>
    private static readonly HashSet<string> OfWeights = new(StringComparer.Ordinal) { "L1", "L2", "Random", "NormScale", "Lamp",
        "GeometricMedian", "Spectrum", "RouterSimilarity", "File", "Method" };

    /// <summary>Criteria for units that measure activations.</summary>
    private static readonly HashSet<string> OfActivations = new(StringComparer.Ordinal) { "Variance", "Wanda", "OptimalBrain",
        "Fluctuation", "ActivationShare", "Fisher", "RouterUse", "AttentionReceived", "BetaRank", "OutputDivergence", "QueryKey",
        "Retrieval", "MaskRegression" };

    /// <summary>Allocations that look at what the model makes of calibration data.</summary>
    private static readonly HashSet<string> ByMeasurement = new(StringComparer.Ordinal) { "Divergence", "ImportanceLinear",
        "ImportanceSigmoid", "ImportanceSoftmax", "Search", "Latency", "ZerothOrder" };

    /// <summary>An axis as messages name it.</summary>
    public static string Words(string axis) => axis switch
    {
        "KeyValueGroups" => "KV groups",
        "HeadDims" => "head dimensions",
        "ValueDims" => "value dimensions",
        "HiddenState" => "hidden state",
        _ => axis.ToLowerInvariant(),
    };

    /// <summary>A number as messages write it.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Reports into <paramref name="findings"/>.</summary>
    public static void Check(PolicyModel policy, List<Finding> findings)
    {
        if (policy.ClassProblem.Length > 0)
            findings.Add(new(Ids.PolicyShape, Site.Policy, policy.ClassProblem.StartsWith("is not ", StringComparison.Ordinal)
                || policy.ClassProblem.EndsWith("not partial", StringComparison.Ordinal)
                    ? "modifiers"
                    : "", [policy.Name, policy.ClassProblem]));
        foreach (var (_, argument, fraction) in policy.Budget?.Limits() ?? [])
            Fraction(findings, new("", "BudgetAttribute"), argument, fraction);
        for (var i = 0; i < policy.Budget?.Components.Count; i++)
        {
            var (site, component) = (new Site("", "ComponentBudgetAttribute", i), policy.Budget.Components[i]);
            if (component.Macs is { } macs) Fraction(findings, site, "Macs", macs);
            if (component.Parameters is { } parameters) Fraction(findings, site, "Parameters", parameters);
            if (component is { Macs: null, Parameters: null })
                findings.Add(new(Ids.DoesNotFit, site, "",
                    [component.Pattern, "a [ComponentBudget] without Macs and Parameters",
                        "Say what the nodes of the component may cost"]));
        }
        if (policy.Budget?.Latency is { } latency) Fraction(findings, new("", "BudgetAttribute"), "Latency", latency);
        if (policy.Guard?.Agreement is { } agreement) Fraction(findings, new("", "GuardAttribute"), "Agreement", agreement);
        if (policy.Guard is { Agreement: null, Metric: not "Top1" and var metric })
            findings.Add(new(Ids.DoesNotFit, new("", "GuardAttribute"), "",
                ["Metric", "[Guard] without Agreement", $"Say how much agreement by {metric} is enough with Agreement"]));
        Calibration(policy, findings);
        var calibrated = policy.Calibration.Count > 0;
        if (policy.Guard?.Agreement is not null && !calibrated)
            findings.Add(new(Ids.NeedsCalibration, new("", "GuardAttribute"), "", ["Agreement"]));
        // A guard looks at what the model is for; statistics may come from inputs that are made up.
        calibrated |= policy.Inputs is "Noise" or "OutOfDistribution";
        if (!calibrated && policy.Allocation is { } allocation && ByMeasurement.Contains(allocation))
            findings.Add(new(Ids.NeedsCalibration, new("", "AllocateAttribute"), "", [allocation]));
        if (policy.Allocation is "Latency" && policy.Budget?.Latency is null)
            findings.Add(new(Ids.DoesNotFit, new("", "AllocateAttribute"), "",
                ["Latency", "a policy without [Budget(Latency = …)]", "It spreads a budget of time; give one, or use Divergence"]));
        if (!calibrated && policy.Schedule is not (null or "OneShot"))
            findings.Add(new(Ids.NeedsCalibration, new("", "ScheduleAttribute"), "", [policy.Schedule]));
        foreach (var rule in policy.Rules) Rule(policy, rule, calibrated, findings);
        for (var i = 0; i < policy.LowRank.Count; i++) LowRank(policy, policy.LowRank[i], new("", "LowRankAttribute", i), findings);
    }

    private static void LowRank(PolicyModel policy, LowRankModel rule, Site site, List<Finding> findings)
    {
        AtLeast(findings, site, "Rank", rule.Rank, 0);
        if (rule.Keep is { } keep && !(keep > 0 && keep < 1))
            findings.Add(new(Ids.OutOfRange, site, "", ["Keep", Number(keep), "a share between 0 and 1"]));
        if (rule is { Rank: > 0, Keep: not null })
            findings.Add(new(Ids.DoesNotFit, site, "", ["Keep", "Rank", "Each says how much stays; give one of them"]));
        if (!rule.IsOpen) return;
        if (policy.Budget?.IsSet != true) findings.Add(new(Ids.NothingDecides, site, "", [$"[LowRank(\"{rule.Pattern}\")]"]));
        else if (policy.Rules.Any(r => r.Prune is { Keep: null }))
            findings.Add(new(Ids.DoesNotFit, site, "",
                ["[LowRank] without Rank and Keep", "a rule without Keep", "They cannot share a budget; give one side its numbers"]));
    }

    private static void Calibration(PolicyModel policy, List<Finding> findings)
    {
        for (var i = 0; i < policy.Calibration.Count; i++)
        {
            var calibration = policy.Calibration[i];
            var site = new Site(calibration.Method, "CalibrationAttribute");
            if (i > 0) findings.Add(new(Ids.CalibrationShape, site, "",
                [calibration.Method, $"is the second one, after '{policy.Calibration[0].Method}'; a policy has one"]));
            else if (calibration.Problem.Length > 0)
                findings.Add(new(Ids.CalibrationShape, site, "", [calibration.Method, calibration.Problem]));
            AtLeast(findings, site, "Samples", calibration.Samples, 1);
        }
    }

    private static void Rule(PolicyModel policy, RuleModel rule, bool calibrated, List<Finding> findings)
    {
        var site = new Site(rule.Name, rule.Prune is null ? "DropAttribute" : "PruneAttribute");
        if (rule.Problem.Length > 0)
        {
            findings.Add(new(Ids.RuleShape, site, rule.Problem.StartsWith("is not static", StringComparison.Ordinal)
                || rule.Problem == "is not partial" ? "modifiers" : "", [rule.Name, rule.Problem]));
            return;
        }
        if (rule.Prune is { } prune)
        {
            if (prune.Keep is { } keep) Fraction(findings, site, "Keep", keep);
            else if (policy.Budget?.IsSet != true && (policy.Allocation ?? policy.Preset) is not "PqIndex")
                findings.Add(new(Ids.NothingDecides, site, "", [rule.Name]));
            AtLeast(findings, site, "MinKeep", prune.MinKeep, 1);
            AtLeast(findings, site, "RoundTo", prune.RoundTo, 0);
            if (KindsOf(prune.Axis).Length == 0)
                findings.Add(new(Ids.DoesNotFit, site, "", [prune.Axis, "[Prune]", "Sublayers and Blocks go with [Drop]"]));
            if (rule.Score is { } score && !OfWeights.Contains(score) && !OfActivations.Contains(score))
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "",
                    [score, "[Prune]", "It scores blocks, not units; use L2, Variance or Wanda"]));
            if (rule is { Score: "File", ScoreFile: null or "" })
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "",
                    ["File", "[Score] without ScoreFile", "Name the file that has the scores"]));
            else if (rule.ScoreFile is not null && rule.Score != "File")
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "",
                    ["ScoreFile", $"Criterion.{rule.Score}", "Only Criterion.File reads a file"]));
            if ((rule.Score == "Method") != (rule.ScoreMethod is { Length: > 0 }))
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "", rule.Score == "Method"
                    ? ["Method", "[Score] without Method", "Name the policy's static method that scores: Method = nameof(…)"]
                    : ["Method", $"Criterion.{rule.Score}", "Only Criterion.Method calls one"]));
            if (!calibrated && rule.Score is not null && OfActivations.Contains(rule.Score))
                findings.Add(new(Ids.NeedsCalibration, new(rule.Name, "ScoreAttribute"), "", [rule.Score]));
            if (!calibrated && rule.Compensate is "Merge" or "Bias" or "Affine" or "Rescale" or "LeastSquares")
                findings.Add(new(Ids.NeedsCalibration, new(rule.Name, "CompensateAttribute"), "", [rule.Compensate!]));
        }
        else if (rule.Drop is { } drop)
        {
            AtLeast(findings, site, "AtMost", drop.AtMost, 1);
            if (drop.Axis is not ("Sublayers" or "Blocks"))
                findings.Add(new(Ids.DoesNotFit, site, "", [drop.Axis, "[Drop]", "It removes Sublayers or Blocks; units go with [Prune]"]));
            if (rule.Score is { } score && score is not ("BlockSimilarity" or "BlockAngle" or "OutputDivergence" or "Random"))
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "",
                    [score, "[Drop]", "It scores units, not blocks; use BlockSimilarity, BlockAngle, OutputDivergence or Random"]));
            else if (rule.ScoreFile is not null)
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "",
                    ["ScoreFile", "[Drop]", "Only scores of units are read from a file"]));
            if (rule.Aggregate != "Sum")
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "ScoreAttribute"), "", ["Aggregate", "[Drop]", "A block has one score"]));
            if (rule.Compensate is { } compensate and not "None")
                findings.Add(new(Ids.DoesNotFit, new(rule.Name, "CompensateAttribute"), "",
                    [compensate, "[Drop]", "Nothing reads a removed block, so there is nothing to make up for"]));
        }
    }

    private static void Fraction(List<Finding> findings, Site site, string argument, double value)
    {
        if (!(value > 0 && value <= 1)) findings.Add(new(Ids.OutOfRange, site, "", [argument, Number(value), "a fraction in (0, 1]"]));
    }

    private static void AtLeast(List<Finding> findings, Site site, string argument, int value, int least)
    {
        if (value < least)
            findings.Add(new(Ids.OutOfRange, site, "", [argument, Number(value), FormattableString.Invariant($"at least {least}")]));
    }
}
