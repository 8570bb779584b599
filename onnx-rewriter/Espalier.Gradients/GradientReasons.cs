using Espalier.Axes.Operators.Table;

namespace Espalier.Gradients;

/// <summary>
/// Operators without a gradient on purpose: <c>reason: operators</c>. What has no axes has none either. Where an operator has a rule all
/// the same, it says the reason itself
/// for a form that it does not follow.
/// </summary>
internal static partial class GradientReasons
{
    private static readonly Lazy<Dictionary<(string Domain, string Operator), string>> Reasons = new(() =>
        Parsed("", StandardReasons).Concat(Parsed("com.microsoft", MicrosoftReasons)).Concat(Parsed("ai.onnx.ml", MachineLearningReasons))
            .Concat(OperatorTable.Barriers.Select(b => (Operator: b.Key, Reason: b.Value))
                .Where(b => !GradientRules.Has(b.Operator.Domain, b.Operator.Operator)))
            .DistinctBy(r => r.Operator).ToDictionary(r => r.Operator, r => r.Reason));

    /// <summary>Every operator that has a reason.</summary>
    public static IReadOnlyDictionary<(string Domain, string Operator), string> All => Reasons.Value;

    /// <summary>Why an operator has no rule; null where it has one, or is not known.</summary>
    public static string? Of(string domain, string op) => Reasons.Value.GetValueOrDefault((domain == "ai.onnx" ? "" : domain, op));

    private static IEnumerable<((string Domain, string Name) Operator, string Reason)> Parsed(string domain, string text)
        => from line in text.Replace("\r", "", StringComparison.Ordinal).Replace("\n    ", " ", StringComparison.Ordinal).Split('\n')
           let parts = line.Split(": ")
           from op in parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)
           select ((domain, op), parts[0]);
}
