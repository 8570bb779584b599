using System.CommandLine;
using System.Globalization;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that factor weights.</summary>
internal sealed class LowRankOptions
{
    private readonly Option<string[]> _named = new("--low-rank")
    {
        Description = "Weights of MatMul and Gemm that become products of two, last of all: a pattern over names of weights and nodes, "
        + "and the rank, or below 1 the share of their parameters that stays; without either the budget decides. Repeatable. "
            + "Nearest outputs on --calibrate data; without data nearest weights.",
        HelpName = "PATTERN=R",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<double?> _keysAndValues = new("--low-rank-kv")
    {
        Description = "The same for what makes keys and values of attention and no queries: a rank, or below 1 the share of their "
            + "parameters that stays.",
        HelpName = "R",
    };

    public LowRankOptions()
    {
        _named.Validators.Add(result =>
        {
            foreach (string text in result.GetValueOrDefault<string[]>() ?? [])
                if (Parse(text) is null)
                    result.AddError(
                        $"--low-rank: '{text}' is no PATTERN=R with a whole rank from 1 on or a share below 1, and no PATTERN.");
        });
        _keysAndValues.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } number && Of(new(), number) is null)
                result.AddError("--low-rank-kv: give a whole rank from 1 on, or a share between 0 and 1.");
        });
    }

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_named, _keysAndValues];

    public IReadOnlyList<LowRankRule> ToRules(ParseResult result)
    {
        var rules = (result.GetValue(_named) ?? []).Select(t => Parse(t)!).ToList();
        if (result.GetValue(_keysAndValues) is { } number) rules.Add(Of(new LowRankRule { Of = ProductKind.KeysAndValues }, number)!);
        return rules;
    }

    // Names of nodes may hold '=' too: the last one counts.
    private static LowRankRule? Parse(string text)
    {
        int at = text.LastIndexOf('=');
        if (at < 0) return text.Length > 0 ? new LowRankRule { Pattern = text } : null;
        return at > 0 && double.TryParse(text[(at + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? Of(new LowRankRule { Pattern = text[..at] }, number)
            : null;
    }

    private static LowRankRule? Of(LowRankRule rule, double number)
        => number is > 0 and < 1
            ? rule with { Keep = number }
            : number is >= 1 and <= int.MaxValue && number == Math.Floor(number) ? rule with { Rank = (int)number } : null;
}
