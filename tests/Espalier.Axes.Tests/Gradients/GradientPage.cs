using System.Globalization;
using System.Text;
using Espalier.Gradients;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>Writes the page that lists every operator with its gradient or the reason why it has none.</summary>
internal static class GradientPage
{
    public static string Write(IEnumerable<(string Domain, string Operator, int[] Since)> operators)
    {
        var rules = GradientRules.All.ToLookup(r => (r.Domain, r.Operator), r => r.Text);
        var text = new StringBuilder("""
            # Gradients

            Made from the rules of `Espalier.Gradients` by `GradientListTests`; `VERIFY_ACCEPT=1` writes it anew. An operator with a
            reason, and one that is not listed, stops the way back: what lies before it has no gradient, and says why.

            A line is a formula, in the notation of `Espalier.Gradients/Notation/GradientLine.cs`: operands, results, definitions
            (`name = `), then the gradient of each operand (`name: `), where `dy` is the gradient of the result `y`. Of several
            lines the first that fits operator set and attributes holds. Rules in code have a sentence instead. Most fused
            operators have the gradient of the plain operators that they stand for.

            Every rule is compared with central differences in small graphs.

            """).AppendLine();
        foreach (var domain in operators.GroupBy(o => o.Domain))
        {
            text.Append("## ").AppendLine(domain.Key.Length == 0 ? "ai.onnx" : domain.Key).AppendLine();
            text.AppendLine("| operator | gradient |").AppendLine("|---|---|");
            foreach (var (_, op, _) in domain)
                text.Append(CultureInfo.InvariantCulture, $"| {op} | {Rule([.. rules[(domain.Key, op)]], domain.Key, op)} |").AppendLine();
            text.AppendLine();
        }
        return text.ToString().ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
    }

    private static string Rule(string[] rules, string domain, string op)
        => rules.Length > 0 ? string.Join("<br>", rules.Select(Shown)) : "none: " + (GradientReasons.Of(domain, op) ?? "no rule");

    // A line without the operators that it is for.
    private static string Shown(string rule) => rule.Contains('|', StringComparison.Ordinal)
        ? $"`{rule[rule.IndexOf('(')..].Replace("|", "\\|", StringComparison.Ordinal)}`"
        : rule;
}
