using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Emission;

/// <summary>
/// Writes the plan as the JSON that <c>Espalier.PlanJson</c> reads: every property, camelCase, on one line, the same text for
/// the same plan. It holds no positions, so that an edit above a policy does not make the build slim again; those go to an
/// entry of their own.
/// </summary>
internal static class PlanJsonWriter
{
    public static string Write(ResolvedPolicy resolved)
    {
        var policy = resolved.Policy;
        var json = new JsonText();
        json.Object(() =>
        {
            json.Property("policy", policy.FullName);
            json.Property("model", policy.ModelKey);
            json.Array("prune", resolved.Rules.Where(r => r.Rule.IsPrune), rule => Prune(json, resolved, rule));
            json.Array("drop", resolved.Rules.Where(r => r.Rule.IsDrop), rule => Drop(json, rule.Rule));
            json.Array("lowRank", policy.LowRank, rule => LowRank(json, rule));
            json.Object("budget", policy.Budget?.IsSet == true ? policy.Budget : null, budget => Budget(json, budget));
            json.Enum("preset", policy.Preset);
            json.Enum("allocate", policy.Allocation);
            json.Enum("schedule", policy.Schedule);
            json.Enum("divergenceMetric", policy.DivergenceMetric);
            json.Strings("divergenceOutputs", policy.DivergenceOutputs);
            json.Enum("inputs", policy.Inputs);
            json.Strings("protect", policy.Protect);
            if (policy.ProtectsEnds) json.Property("protectEnds", true);
            else json.Null("protectEnds");
            json.Object("calibration", policy.Calibration.FirstOrDefault(c => c.Problem.Length == 0), data => Calibration(json, data));
            json.Object("recover", policy.Recover, recover =>
            {
                json.Property("steps", recover.Steps);
                json.Property("method", recover.Data);
                json.Null("path");
                json.Property("samples", recover.Samples);
                json.Enum<Train>("weights", recover.Weights);
                json.Property("rate", (double?)recover.Rate);
            });
            json.Object("guard", policy.Guard, guard =>
            {
                json.Property("equivalence", guard.Equivalence);
                json.Property("agreement", guard.Agreement);
                json.Enum("metric", guard.Metric);
            });
            // The project says it of the model: OnnxModel's metadata AllowInterface and HoistInitializers.
            json.Property("allowInterface", false);
            json.Property("hoistInitializers", false);
            json.Property("publish", policy.Publish);
            json.Property("sha256", policy.Sha256);
            json.Property("seed", policy.Seed);
            json.Property("location", "");
        });
        return json.ToString();
    }

    private static void Prune(JsonText json, ResolvedPolicy resolved, RuleTargets targets)
    {
        var rule = targets.Rule;
        var prune = rule.Prune!;
        json.Property("name", rule.Name);
        json.Enum<Axis>("axis", prune.Axis);
        json.Property("pattern", prune.Pattern);
        json.Strings("groups", resolved.HasModel ? targets.Groups.Select(g => resolved.Groups[g].Name) : null);
        json.Property("keep", prune.Keep);
        json.Property("minKeep", prune.MinKeep);
        json.Property("roundTo", prune.RoundTo);
        json.Enum("score", rule.Score?.Criterion);
        json.Enum<Aggregate>("aggregate", rule.Score?.Aggregate ?? Aggregate.Sum);
        json.Property("scoreFile", rule.Score?.File);
        json.Property("scoreMethod", rule.Score?.Method);
        json.Enum("compensate", rule.Compensate);
        json.Property("allowInexact", prune.AllowInexact);
        json.Property("location", "");
    }

    private static void Drop(JsonText json, RuleModel rule)
    {
        var drop = rule.Drop!;
        json.Property("name", rule.Name);
        json.Enum<Axis>("axis", drop.Axis);
        json.Property("pattern", drop.Pattern);
        json.Property("atMost", drop.AtMost);
        json.Enum("score", rule.Score?.Criterion);
        json.Property("location", "");
    }

    private static void LowRank(JsonText json, LowRankModel rule)
    {
        json.Property("pattern", rule.Pattern);
        json.Enum<ProductKind>("of", rule.Of);
        json.Property("rank", rule.Rank == 0 ? null : (double?)rule.Rank);
        json.Property("keep", rule.Keep);
    }

    private static void Budget(JsonText json, BudgetModel budget)
    {
        json.Property("macs", budget.Macs);
        json.Property("parameters", budget.Parameters);
        json.Property("bytes", budget.Bytes);
        json.Property("latency", budget.Latency);
        if (budget.Components.Count == 0)
        {
            json.Null("components");
            return;
        }
        json.Array("components", budget.Components, component =>
        {
            json.Property("pattern", component.Pattern);
            json.Property("macs", component.Macs);
            json.Property("parameters", component.Parameters);
        });
    }

    private static void Calibration(JsonText json, CalibrationModel calibration)
    {
        json.Property("method", calibration.Method);
        json.Null("path");
        json.Property("samples", calibration.Samples);
        // A method makes tensors itself; how files are read is for the command line.
        json.Null("tokenizer");
        json.Null("mean");
        json.Null("deviation");
        json.Property("labels", calibration.Labels);
    }
}
