using System.CommandLine;
using System.Globalization;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that bound what the model may cost.</summary>
internal sealed class BudgetOptions
{
    private readonly Option<double?> _macs = CommonOptions.Fraction("--macs",
        "Budget: fraction of the multiply-accumulates; decides how much of each kind without a fraction of its own stays.");
    private readonly Option<double?> _parameters = CommonOptions.Fraction("--parameters", "Budget: fraction of the parameters.");
    private readonly Option<double?> _bytes = CommonOptions.Fraction("--bytes", "Budget: fraction of the bytes of the file.");
    private readonly Option<double?> _latency = CommonOptions.Fraction("--latency",
        "Budget: fraction of the processor time of one run, measured here through ONNX Runtime; the result then depends on measurements.");
    private readonly Option<string[]> _components = new("--component-budget")
    {
        Description = "Budget of a part of the model, besides the others: nodes whose names, modules or block match the pattern (* is "
            + "any run of characters, ? one), with fractions of the multiply-accumulates, the parameters or both that they have in the "
            + "dense model; repeatable.",
        HelpName = "'PATTERN: macs=R,parameters=R'",
        DefaultValueFactory = _ => [],
    };

    public BudgetOptions() => _components.Validators.Add(result =>
    {
        foreach (string text in result.GetValueOrDefault<string[]>() ?? [])
            if (Parse(text) is null)
                result.AddError($"--component-budget '{text}': expected a pattern, a colon and fractions above 0 and at most 1, like "
                    + "'encoder.5.*: macs=0.5'.");
    });

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_macs, _parameters, _bytes, _latency, _components];

    /// <summary>What they say; null where nothing is bounded.</summary>
    public Budget? ToBudget(ParseResult result)
    {
        var budget = new Budget(result.GetValue(_macs), result.GetValue(_parameters), result.GetValue(_bytes), result.GetValue(_latency));
        if (result.GetValue(_components) is { Length: > 0 } components)
            budget = budget with { Components = [.. components.Select(c => Parse(c)!)] };
        return budget == new Budget() ? null : budget;
    }

    private static ComponentBudget? Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon <= 0) return null;
        var component = new ComponentBudget(text[..colon].Trim());
        foreach (string part in text[(colon + 1)..].Split(','))
        {
            // Invariant: on a machine set to German, 0.5 must not mean 5.
            if (part.Split('=') is not [var unit, var number]
                || !double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction)
                || !(fraction > 0 && fraction <= 1)) return null;
            switch (unit.Trim())
            {
                case "macs": component = component with { Macs = fraction }; break;
                case "parameters": component = component with { Parameters = fraction }; break;
                default: return null;
            }
        }
        return component;
    }
}
