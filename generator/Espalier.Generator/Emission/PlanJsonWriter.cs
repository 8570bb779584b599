using System.Globalization;
using System.Text;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;

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
            json.Array("prune", resolved.Rules.Where(r => PolicyResolver.IsPrune(r.Rule)), rule => Prune(json, resolved, rule));
            json.Array("drop", resolved.Rules.Where(r => PolicyResolver.IsDrop(r.Rule)), rule => Drop(json, rule.Rule));
            json.Array("lowRank", policy.LowRank, rule =>
            {
                json.Property("pattern", rule.Pattern);
                json.Property("of", Camel(rule.Of));
                json.Property("rank", rule.Rank == 0 ? null : (double?)rule.Rank);
                json.Property("keep", rule.Keep);
            });
            json.Object("budget", policy.Budget?.IsSet == true ? policy.Budget : null, budget =>
            {
                json.Property("macs", budget.Macs);
                json.Property("parameters", budget.Parameters);
                json.Property("bytes", budget.Bytes);
                json.Property("latency", budget.Latency);
                if (budget.Components.Count == 0) json.Property("components", (string?)null);
                else
                {
                    json.Array("components", budget.Components, component =>
                    {
                        json.Property("pattern", component.Pattern);
                        json.Property("macs", component.Macs);
                        json.Property("parameters", component.Parameters);
                    });
                }
            });
            json.Property("perComponent", (string?)null);
            json.Property("preset", Camel(policy.Preset));
            json.Property("allocate", Camel(policy.Allocation));
            json.Property("schedule", Camel(policy.Schedule));
            json.Property("divergenceMetric", Camel(policy.DivergenceMetric));
            json.Property("inputs", Camel(policy.Inputs));
            json.Strings("protect", policy.Protect);
            if (policy.ProtectsEnds) json.Property("protectEnds", true);
            else json.Property("protectEnds", (string?)null);
            json.Object("calibration", policy.Calibration.FirstOrDefault(c => c.Problem.Length == 0), calibration =>
            {
                json.Property("method", calibration.Method);
                json.Property("path", (string?)null);
                json.Property("samples", calibration.Samples);
                // A method makes tensors itself; how files are read is for the command line.
                json.Property("tokenizer", (string?)null);
                json.Property("mean", (string?)null);
                json.Property("deviation", (string?)null);
                json.Property("labels", calibration.Labels);
            });
            json.Object("guard", policy.Guard, guard =>
            {
                json.Property("equivalence", guard.Equivalence);
                json.Property("agreement", guard.Agreement);
                json.Property("metric", Camel(guard.Metric));
            });
            // The project says it of the model: OnnxModel's metadata AllowInterface and HoistInitializers.
            json.Property("allowInterface", false);
            json.Property("hoistInitializers", false);
            json.Property("seed", policy.Seed);
            json.Property("location", "");
        });
        return json.ToString();
    }

    private static void Prune(JsonText json, ResolvedPolicy resolved, ResolvedRule rule)
    {
        var prune = rule.Rule.Prune!;
        json.Property("name", rule.Rule.Name);
        json.Property("axis", Camel(prune.Axis));
        json.Property("pattern", prune.Pattern);
        json.Strings("groups", resolved.HasModel ? rule.Groups.Select(g => resolved.Groups[g].Name) : null);
        json.Property("keep", prune.Keep);
        json.Property("minKeep", prune.MinKeep);
        json.Property("roundTo", prune.RoundTo);
        json.Property("score", Camel(rule.Rule.Score));
        json.Property("aggregate", Camel(rule.Rule.Aggregate));
        json.Property("scoreFile", rule.Rule.ScoreFile);
        json.Property("scoreMethod", rule.Rule.ScoreMethod);
        json.Property("compensate", Camel(rule.Rule.Compensate));
        json.Property("allowInexact", prune.AllowInexact);
        json.Property("location", "");
    }

    private static void Drop(JsonText json, RuleModel rule)
    {
        json.Property("name", rule.Name);
        json.Property("axis", Camel(rule.Drop!.Axis));
        json.Property("pattern", rule.Drop.Pattern);
        json.Property("atMost", rule.Drop.AtMost);
        json.Property("score", Camel(rule.Score));
        json.Property("location", "");
    }

    private static string? Camel(string? name)
        => name is null || name.Length == 0 ? name : char.ToLowerInvariant(name[0]) + name.Substring(1);
}

/// <summary>JSON on one line, with a blank after each comma and colon.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder _text = new();
    private bool _first = true;

    public void Object(Action content)
    {
        Separate();
        _text.Append('{');
        _first = true;
        content();
        _text.Append('}');
        _first = false;
    }

    public void Object<T>(string name, T? value, Action<T> content) where T : class
    {
        Key(name);
        if (value is null) Raw("null");
        else Object(() => content(value));
    }

    public void Array<T>(string name, IEnumerable<T> items, Action<T> content)
    {
        Key(name);
        _text.Append('[');
        _first = true;
        foreach (var item in items) Object(() => content(item));
        _text.Append(']');
        _first = false;
    }

    public void Strings(string name, IEnumerable<string>? items)
    {
        Key(name);
        if (items is null) Raw("null");
        else Raw("[" + string.Join(", ", items.Select(Quote)) + "]");
    }

    public void Property(string name, string? value)
    {
        Key(name);
        Raw(value is null ? "null" : Quote(value));
    }

    public void Property(string name, bool value)
    {
        Key(name);
        Raw(value ? "true" : "false");
    }

    public void Property(string name, double? value)
    {
        Key(name);
        // JSON has no infinities; such a number is out of range and reported as that.
        Raw(value is { } number && !double.IsNaN(number) && !double.IsInfinity(number)
            ? number.ToString("R", CultureInfo.InvariantCulture)
            : "null");
    }

    public override string ToString() => _text.ToString();

    private void Key(string name)
    {
        Separate();
        _text.Append(Quote(name)).Append(": ");
        _first = true;
    }

    private void Raw(string value)
    {
        _text.Append(value);
        _first = false;
    }

    private void Separate()
    {
        if (!_first) _text.Append(", ");
        _first = false;
    }

    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029'
                    => text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)),
                _ => text.Append(c),
            };
        }
        return text.Append('"').ToString();
    }
}
