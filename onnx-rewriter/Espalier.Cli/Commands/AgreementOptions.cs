using System.CommandLine;

namespace Espalier.Cli.Commands;

/// <summary>The options of <c>slim</c> that say how outputs are compared with the dense model's.</summary>
internal sealed class AgreementOptions
{
    private static readonly (string Word, Metric Metric)[] Metrics =
    [
        ("top1", Metric.Top1), ("kullback-leibler", Metric.KullbackLeibler), ("jensen-shannon", Metric.JensenShannon),
        ("cosine", Metric.Cosine), ("relative-error", Metric.RelativeError), ("task-loss", Metric.TaskLoss),
    ];

    private readonly Option<string?> _divergence = CommonOptions.Choice("--divergence",
        "How outputs are compared where sizes or depth are chosen by them. [default: as the preset]", [.. Metrics.Select(m => m.Word)]);
    private readonly Option<double?> _agreement = CommonOptions.Fraction("--agreement",
        "Refuse to write a model that agrees less with the dense one, on the last quarter of the calibration data, which nothing else "
            + "then uses.");
    private readonly Option<string?> _metric = CommonOptions.Choice("--metric", "How --agreement is measured. [default: top1]",
        [.. Metrics.Select(m => m.Word)]);

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_divergence, _agreement, _metric];

    /// <summary>How a plan compares outputs to choose; null as the preset says.</summary>
    public Metric? Divergence(ParseResult result) => Of(result, _divergence);

    /// <summary>What is checked after slimming; null without.</summary>
    /// <exception cref="UsageException">A metric without an agreement.</exception>
    public Guard? Guard(ParseResult result) => (result.GetValue(_agreement), Of(result, _metric)) switch
    {
        (null, null) => null,
        (null, _) => throw new UsageException("--metric says how --agreement is measured: give --agreement too."),
        var (agreement, metric) => new Guard(Agreement: agreement, Metric: metric ?? Metric.Top1),
    };

    private static Metric? Of(ParseResult result, Option<string?> option)
        => result.GetValue(option) is { } word ? Metrics.First(m => m.Word == word).Metric : null;
}
