using System.CommandLine;
using Espalier.Cli.Host;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that say how outputs are compared with the dense model's.</summary>
internal sealed class AgreementOptions
{
    private readonly Option<Metric?> _divergence = CommonOptions.Choice<Metric>("--divergence",
        "How outputs are compared where sizes or depth are chosen by them. [default: as the preset, or by what the model gives]");
    private readonly Option<string[]> _outputs = new("--divergence-outputs")
    {
        Description = "Name of an output that counts there; repeatable. [default: all]",
        HelpName = "NAME",
    };
    private readonly Option<double?> _agreement = CommonOptions.Fraction("--agreement",
        "Refuse to write a model that agrees less with the dense one, on the last quarter of the calibration data, which nothing else "
            + "then uses.");
    private readonly Option<Metric?> _metric =
        CommonOptions.Choice<Metric>("--metric", "How --agreement is measured. [default: top1 for logits, embedding for features]");

    /// <summary>What choices go by.</summary>
    public IEnumerable<Option> Choosing => [_divergence, _outputs];

    /// <summary>What is checked in the end.</summary>
    public IEnumerable<Option> Checking => [_agreement, _metric];

    /// <summary>How a plan compares outputs to choose; null as the preset says.</summary>
    public Metric? Divergence(ParseResult result) => result.GetValue(_divergence);

    /// <summary>Which outputs it compares; none for all.</summary>
    public IReadOnlyList<string> Outputs(ParseResult result) => result.GetValue(_outputs) ?? [];

    /// <summary>What is checked after slimming; null without.</summary>
    /// <exception cref="UsageException">A metric without an agreement.</exception>
    public Guard? Guard(ParseResult result) => (result.GetValue(_agreement), result.GetValue(_metric)) switch
    {
        (null, null) => null,
        (null, _) => throw new UsageException("--metric says how --agreement is measured: give --agreement too."),
        var (agreement, metric) => new Guard(Agreement: agreement, Metric: metric),
    };
}
