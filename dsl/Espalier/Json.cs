using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Espalier;

/// <summary>The JSON of a plan: camelCase, enums by name, indented, the same text for the same plan.</summary>
public static class PlanJson
{
    /// <summary>Writes a plan.</summary>
    public static string Serialize(PruningPlan plan) => JsonFormat.Write(plan, JsonFormat.Context.PruningPlan);

    /// <summary>Reads a plan; properties that are absent have their defaults.</summary>
    /// <exception cref="EspalierException">The text is not a plan.</exception>
    public static PruningPlan Parse(string json) => JsonFormat.Read(json, JsonFormat.Context.PruningPlan, "plan", Complete);

    /// <summary>Reads a plan from an assembly's metadata and puts the places of its rules in.</summary>
    /// <param name="json">The entry <see cref="PolicyFiles.PlanKey"/>.</param>
    /// <param name="locations">The entry <see cref="PolicyFiles.LocationsKey"/>: property → <c>file(line,column)</c>; the
    /// policy's own has an empty name.</param>
    /// <exception cref="EspalierException">A text is malformed.</exception>
    public static PruningPlan Parse(string json, string locations)
    {
        var plan = Parse(json);
        var places = JsonFormat.Read(locations, JsonFormat.Context.DictionaryStringString, "table of locations", static _ => { });
        string Of(string member) => places.GetValueOrDefault(member) ?? "";
        return plan with
        {
            Location = Of(""),
            Prune = [.. plan.Prune.Select(rule => rule with { Location = Of(rule.Name) })],
            Drop = [.. plan.Drop.Select(rule => rule with { Location = Of(rule.Name) })],
        };
    }

    // Source-generated code sets every init-only property, absent ones to default(T); so what is absent is written in beforehand.
    internal static void Complete(JsonObject plan)
    {
        JsonFormat.Complete(plan, new PruningPlan(), JsonFormat.Context.PruningPlan);
        foreach (var rule in JsonFormat.Objects(plan["prune"])) JsonFormat.Complete(rule, new PruneRule(), JsonFormat.Context.PruneRule);
        foreach (var rule in JsonFormat.Objects(plan["drop"])) JsonFormat.Complete(rule, new DropRule(), JsonFormat.Context.DropRule);
        foreach (var rule in JsonFormat.Objects(plan["lowRank"]))
            JsonFormat.Complete(rule, new LowRankRule(), JsonFormat.Context.LowRankRule);
        if (plan["recover"] is JsonObject recover)
            JsonFormat.Complete(recover, new RecoverySource(), JsonFormat.Context.RecoverySource);
        if (plan["calibration"] is JsonObject calibration)
            JsonFormat.Complete(calibration, new CalibrationSource(), JsonFormat.Context.CalibrationSource);
    }
}

/// <summary>The JSON of a report: camelCase, enums by name, indented, the same text for the same report.</summary>
public static class ReportJson
{
    /// <summary>Writes a report.</summary>
    public static string Serialize(PruningReport report) => JsonFormat.Write(report, JsonFormat.Context.PruningReport);

    /// <summary>Reads a report; properties that are absent have their defaults.</summary>
    /// <exception cref="EspalierException">The text is not a report.</exception>
    public static PruningReport Parse(string json) => JsonFormat.Read(json, JsonFormat.Context.PruningReport, "report", static report =>
    {
        JsonFormat.Complete(report, new PruningReport(), JsonFormat.Context.PruningReport);
        foreach (var group in JsonFormat.Objects(report["groups"]))
            JsonFormat.Complete(group, new GroupReport(), JsonFormat.Context.GroupReport);
        foreach (var weight in JsonFormat.Objects(report["factored"]))
            JsonFormat.Complete(weight, new FactoredWeight(), JsonFormat.Context.FactoredWeight);
        foreach (var layer in JsonFormat.Objects(report["layers"]))
            JsonFormat.Complete(layer, new LayerReport(), JsonFormat.Context.LayerReport);
        if (report["plan"] is JsonObject plan) PlanJson.Complete(plan);
    });
}

/// <summary>The JSON of a graph diff: camelCase, indented, the same text for the same diff.</summary>
public static class DiffJson
{
    /// <summary>Writes a diff.</summary>
    public static string Serialize(GraphDiff diff) => JsonFormat.Write(diff, JsonFormat.Context.GraphDiff);

    /// <summary>Reads a diff; lists that are absent are empty.</summary>
    /// <exception cref="EspalierException">The text is not a diff.</exception>
    public static GraphDiff Parse(string json) => JsonFormat.Read(json, JsonFormat.Context.GraphDiff, "graph diff",
        static diff => JsonFormat.Complete(diff, GraphDiff.Empty, JsonFormat.Context.GraphDiff));
}

internal static class JsonFormat
{
    // The relaxed encoder keeps →, ' and < as they are: the files are read by people and never put into HTML.
    public static EspalierJson Context { get; } = new(new JsonSerializerOptions(EspalierJson.Default.Options)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    // Line breaks in texts are escaped: what is replaced stands between them, on Windows. .NET 8 has no option for it.
    public static string Write<T>(T value, JsonTypeInfo<T> type)
        => JsonSerializer.Serialize(value, type).Replace("\r\n", "\n", StringComparison.Ordinal) + "\n";

    public static T Read<T>(string json, JsonTypeInfo<T> type, string what, Action<JsonObject> complete)
    {
        try
        {
            if (JsonNode.Parse(json) is not JsonObject node)
                throw new EspalierException($"The {what} cannot be read: it is not a JSON object.");
            complete(node);
            return node.Deserialize(type)!;
        }
        // ArgumentException: a property that occurs twice.
        catch (Exception e) when (e is JsonException or ArgumentException or OverflowException)
        {
            throw new EspalierException($"The {what} cannot be read: {e.Message}", e);
        }
    }

    public static void Complete<T>(JsonObject node, T defaults, JsonTypeInfo<T> type)
    {
        foreach (var (name, value) in JsonSerializer.SerializeToNode(defaults, type)!.AsObject())
            if (!node.ContainsKey(name) || (node[name] is null && value is not null)) node[name] = value?.DeepClone();
    }

    public static IEnumerable<JsonObject> Objects(JsonNode? list) => (list as JsonArray)?.OfType<JsonObject>() ?? [];
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DictionaryKeyPolicy = JsonKnownNamingPolicy.Unspecified,
    WriteIndented = true,
    Converters =
    [
        typeof(CamelCaseEnum<Axis>), typeof(CamelCaseEnum<Criterion>), typeof(CamelCaseEnum<Aggregate>), typeof(CamelCaseEnum<Allocation>),
        typeof(CamelCaseEnum<Compensation>), typeof(CamelCaseEnum<Preset>), typeof(CamelCaseEnum<Metric>), typeof(CamelCaseEnum<Schedule>),
        typeof(CamelCaseEnum<Train>), typeof(CamelCaseEnum<InputSource>), typeof(CamelCaseEnum<ProductKind>),
        typeof(CamelCaseEnum<MeasuredOn>), typeof(IntegersConverter), typeof(LongsConverter),
    ])]
[JsonSerializable(typeof(PruningPlan))]
[JsonSerializable(typeof(PruneRule))]
[JsonSerializable(typeof(DropRule))]
[JsonSerializable(typeof(LowRankRule))]
[JsonSerializable(typeof(CalibrationSource))]
[JsonSerializable(typeof(RecoverySource))]
[JsonSerializable(typeof(PruningReport))]
[JsonSerializable(typeof(GroupReport))]
[JsonSerializable(typeof(FactoredWeight))]
[JsonSerializable(typeof(LayerReport))]
[JsonSerializable(typeof(GraphDiff))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class EspalierJson : JsonSerializerContext;

internal sealed class CamelCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>Keeps lists of indices on one line: a report has thousands of them.</summary>
internal sealed class IntegersConverter : JsonConverter<IReadOnlyList<int>>
{
    public override IReadOnlyList<int> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        => [.. OneLine.Read(ref reader).Select(value => checked((int)value))];

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<int> value, JsonSerializerOptions options)
        => OneLine.Write(writer, value.Select(v => (long)v));
}

/// <summary>Keeps shapes on one line.</summary>
internal sealed class LongsConverter : JsonConverter<IReadOnlyList<long>>
{
    public override IReadOnlyList<long> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        => OneLine.Read(ref reader);

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<long> value, JsonSerializerOptions options)
        => OneLine.Write(writer, value);
}

internal static class OneLine
{
    public static List<long> Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("A list of integers is expected.");
        var values = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var value))
                throw new JsonException("An integer is expected.");
            values.Add(value);
        }
        return values;
    }

    public static void Write(Utf8JsonWriter writer, IEnumerable<long> values)
    {
        var text = new StringBuilder("[");
        foreach (var value in values) text.Append(text.Length > 1 ? ", " : "").Append(value.ToString(CultureInfo.InvariantCulture));
        writer.WriteRawValue(text.Append(']').ToString(), skipInputValidation: true);
    }
}
