namespace Espalier.Axes;

// Operators that no axis can be followed through, each with its reason.
internal static partial class OperatorTable
{
    /// <summary>Operators without a rule on purpose: sequences, optional values, text and the like. Everything that they touch stays whole.</summary>
    private static readonly Dictionary<(string Domain, string Operator), string> Barriers = [];

    /// <summary>Why an operator has no rule; null where it has one, or is not known.</summary>
    public static string? BarrierOf(string domain, string op) => Barriers.GetValueOrDefault((domain == "ai.onnx" ? "" : domain, op));
}
