using System.Globalization;
using System.Text;
using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;
using Xunit.Sdk;

namespace Espalier.Axes.Tests;

/// <summary>
/// The list of operators (<c>operators.tsv</c>: domain, name, operator sets since which it has its signatures) against the table and
/// against ONNX Runtime, and the page that is made from both.
/// </summary>
public sealed class OperatorListTests
{
    /// <summary>The newest operator set that ONNX Runtime 1.31.1 loads.</summary>
    private const int Newest = 26;

    /// <summary>The newest operator set of ai.onnx.ml that it has operators of.</summary>
    private const int NewestMachineLearning = 5;

    /// <summary>Every operator of the list.</summary>
    internal static readonly Lazy<List<(string Domain, string Operator, int[] Since)>> List = new(() =>
    [
        .. from line in File.ReadAllLines(Path.Combine(Assets.Root, "tests/Espalier.Axes.Tests/operators.tsv"))
           where line.Length > 0 && line[0] != '#'
           let fields = line.Split('\t')
           select (fields[0] == "ai.onnx"
               ? ""
               : fields[0], fields[1], fields[2].Split(',').Select(v => int.Parse(v, CultureInfo.InvariantCulture)).ToArray()),
    ]);

    /// <summary>Operator sets from 7 on in which an operator's signature or types change, and 7 itself where it is older.</summary>
    public static IEnumerable<int> Versions(string op)
        => List.Value.Single(o => o.Domain.Length == 0 && o.Operator == op).Since.Select(v => Math.Max(v, 7)).Distinct();

    /// <summary>Operators of the standard domain.</summary>
    public static IEnumerable<string> Standard => List.Value.Where(o => o.Domain.Length == 0).Select(o => o.Operator);

    [Fact]
    public void Every_operator_has_a_rule_or_a_reason()
        => Assert.Equal("",
            string.Join(", ", List.Value.Where(o => !HasRule(o.Domain, o.Operator) && OperatorTable.BarrierOf(o.Domain, o.Operator) is null)
                .Select(o => $"{o.Domain} {o.Operator}")));

    [Fact]
    public void Every_rule_and_every_reason_is_one_of_an_operator()
    {
        var known = List.Value.Select(o => (o.Domain, o.Operator)).ToHashSet();
        var named = OperatorTable.All.Select(r => (r.Domain, r.Rule.Operator)).Concat(CodeRules.Entries.Select(e => e.Key))
            .Concat(OperatorTable.AllFacts.Select(f => (f.Domain, f.Operator))).Concat(OperatorTable.Barriers.Keys);
        Assert.Equal("", string.Join(", ", named.Distinct().Where(n => !known.Contains(n))));
    }

    [Fact]
    public void ONNX_Runtime_knows_every_operator_since_the_operator_set_that_is_listed()
    {
        var wrong = new List<string>();
        foreach (var (domain, op, since) in List.Value)
        {
            int newest = domain == "ai.onnx.ml" ? NewestMachineLearning : Newest;
            if (!IsRegistered(domain, op, newest)) wrong.Add($"{domain} {op} is not known");
            // ONNX Runtime had these before ONNX did.
            if (domain.Length == 0 && since[0] > 7 && op is not ("LayerNormalization" or "MeanVarianceNormalization" or "ThresholdedRelu")
                && IsRegistered(domain, op, since[0] - 1))
                wrong.Add($"{op} is older than {since[0]}");
            if (domain == "ai.onnx.ml" && since[0] > 1 && IsRegistered(domain, op, since[0] - 1))
                wrong.Add($"{op} is older than {since[0]}");
        }
        Assert.Equal("", string.Join(", ", wrong));
        Assert.False(IsRegistered("", "Frobnicate", Newest));
        Assert.False(IsRegistered("com.microsoft", "Frobnicate", Newest));
        Assert.False(IsRegistered("ai.onnx.ml", "Frobnicate", NewestMachineLearning));
    }

    [Fact]
    public void No_newer_operator_set_is_loaded()
    {
        var g = new GraphBuilder(opset: Newest + 1);
        g.Output(g.Relu(g.Input("x", 2)));
        var e = Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(g.Build().ToBytes()).Dispose());
        Assert.Contains("opset", e.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void The_page_of_operators_is_what_the_table_says()
    {
        string page = Path.Combine(Assets.Root, "onnx-rewriter/OPERATORS.md"),
            text = OperatorPage.Write(List.Value.Select(o => (o.Domain, o.Operator, o.Since)));
        string there = File.Exists(page) ? File.ReadAllText(page).ReplaceLineEndings("\n") : "";
        if (there == text) return;
        if (Environment.GetEnvironmentVariable("VERIFY_ACCEPT") != "1")
            throw new XunitException("onnx-rewriter/OPERATORS.md is not what the table says; VERIFY_ACCEPT=1 writes it anew.");
        File.WriteAllText(page, text, new UTF8Encoding(false));
    }

    internal static bool HasRule(string domain, string op)
        => OperatorTable.Find(domain, op).Any() || CodeRules.Find(domain, op) is not null
            || OperatorPage.InGraphs.ContainsKey((domain, op));

    private static bool IsRegistered(string domain, string op, int opset)
    {
        var g = new GraphBuilder(opset: domain == "ai.onnx.ml" ? Newest : opset);
        if (domain == "ai.onnx.ml") g.Import(domain, opset);
        g.Output(g.Node(domain.Length == 0 ? op : $"{domain}::{op}", Array.Empty<string>()));
        try
        {
            using var session = new InferenceSession(g.Build().ToBytes());
            return true;
        }
        catch (OnnxRuntimeException e)
        {
            // It knows the operator if it goes on to find fault with the operands.
            return !e.Message.Contains("No Op registered for", StringComparison.Ordinal)
                && !e.Message.Contains("is not a registered function/op", StringComparison.Ordinal);
        }
    }
}
