using System.Globalization;
using System.Text;
using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Tests;

/// <summary>Writes the page that lists every operator with its rule or its reason.</summary>
internal static class OperatorPage
{
    /// <summary>Operators that hold graphs: their rules are in the inference itself.</summary>
    public static readonly IReadOnlyDictionary<(string Domain, string Operator), string> InGraphs = new Dictionary<(string, string), string>
    {
        [("", "If")] = "both branches are followed, and must agree on the axes of their results",
        [("", "Loop")] = "the body is followed once; what goes round it keeps its axes, what is collected gets one more",
        [("", "Scan")] = "the body is followed once; scanned axes are taken away and given back, what goes round it keeps its axes",
    };

    public static string Write(IEnumerable<(string Domain, string Operator, int[] Since)> operators)
    {
        var text = new StringBuilder("""
            # Operators

            Made from the operator table by `OperatorListTests`; `VERIFY_ACCEPT=1` writes it anew. A rule or a reason why it has
            none has every operator of the ONNX standard domain up to operator set 26, the newest that ONNX Runtime 1.31.1 loads, of
            ai.onnx.ml up to operator set 5, and of com.microsoft. An operator that is not listed is a barrier: it freezes what it
            touches and names itself.

            A rule is a line of the table, in the notation of `Espalier.Axes/Operators/Table/OperatorTable.cs`: operands, arrow,
            results, clauses. Of several lines the first that fits operator set, attributes and ranks holds. Rules in code have a
            sentence instead. Below them stand facts, which hold of the operator whichever rule is applied (`moves:`, `affine:`,
            `scaled:`, `attention:`, `bias:`, `zero-if:`, `draws-if:`, `activation`, `type:`), or only `when:` attributes say so.

            Every rule is carried out in small graphs, and the slim model is compared with the masked one in ONNX Runtime. Where
            that has no kernel for the processor the rule *never ran*, or not in the operator sets and forms that are named: of
            these it is only known that the dense and the slim model pass ONNX Runtime's own checks of shapes.

            """).AppendLine();
        foreach (var domain in operators.GroupBy(o => o.Domain))
        {
            text.Append("## ").AppendLine(domain.Key.Length == 0 ? "ai.onnx" : domain.Key).AppendLine();
            text.AppendLine("| operator | since | rule |").AppendLine("|---|---|---|");
            foreach (var (_, op, since) in domain)
                text.Append(CultureInfo.InvariantCulture,
                    $"| {op} | {string.Join(", ", since)} | {Rule(domain.Key, op)}{NeverRan(domain.Key, op)} |").AppendLine();
            text.AppendLine();
        }
        return text.ToString().ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
    }

    private static string Rule(string domain, string op)
    {
        if (InGraphs.TryGetValue((domain, op), out var graphs)) return graphs;
        IEnumerable<string> rules = CodeRules.Find(domain, op) is { } code ? [code.Text]
            : OperatorTable.Find(domain, op).Select(r => Quoted(r.Text[(r.Text.IndexOf('|') + 1)..].Trim()));
        var facts = OperatorTable.AllFacts.Where(f => (f.Domain, f.Operator) == (domain, op)).Select(f => Quoted(f.Facts.Text));
        string[] lines = [.. rules, .. facts];
        return lines.Length > 0 ? string.Join("<br>", lines) : "no rule: " + OperatorTable.BarrierOf(domain, op);

        static string Quoted(string text) => $"`{text.Replace("|", "\\|", StringComparison.Ordinal)}`";
    }

    /// <summary>The cases that have no kernel, as operator set and form; without them where none has one.</summary>
    private static string NeverRan(string domain, string op)
    {
        var cases = OperatorCases.All.Where(c => c.Operator == (domain.Length == 0 ? op : $"{domain}::{op}")).ToList();
        var silent = cases.Where(c => c.HasNoKernel).Select(c => c.Name[(c.Operator.Length + 1)..]).Order(StringComparer.Ordinal).ToList();
        return silent.Count == 0 ? "" : silent.Count == cases.Count ? "<br>*never ran*" : $"<br>*never ran*: {string.Join(", ", silent)}";
    }
}
