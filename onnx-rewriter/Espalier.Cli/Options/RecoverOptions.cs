using System.CommandLine;
using Espalier.Cli.Host;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that train the slim model towards the dense one.</summary>
internal sealed class RecoverOptions
{
    private static readonly RecoverySource Default = new();

    private readonly Option<int?> _steps = CommonOptions.Count("--recover",
        "Train the slim model towards the dense one in so many steps; what is best on samples that training does not see is kept.",
        least: 1);
    private readonly Option<string?> _data = new("--recover-data")
    {
        Description = "More samples to train on, like --calibrate; labels are not needed. [default: those of --calibrate]",
        HelpName = "DATA",
    };
    private readonly Option<int?> _samples = CommonOptions.Count("--recover-samples",
        $"Most samples that are read of them. [default: {Default.Samples}]", least: 1);
    private readonly Option<Train?> _weights = CommonOptions.Choice<Train>("--recover-weights",
        "Which weights are trained: all, or the vectors alone: scales and shifts of normalisations, and biases. [default: all]");
    private readonly Option<double?> _rate = CommonOptions.Fraction("--recover-rate",
        FormattableString.Invariant($"Step size at its height. [default: {Default.Rate}]"));

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_steps, _data, _samples, _weights, _rate];

    /// <exception cref="UsageException">How to train, and not how long.</exception>
    public RecoverySource? ToSource(ParseResult result)
    {
        var source = new RecoverySource
        {
            Path = result.GetValue(_data),
            Samples = result.GetValue(_samples) ?? Default.Samples,
            Weights = result.GetValue(_weights) ?? Default.Weights,
            Rate = result.GetValue(_rate) ?? Default.Rate,
        };
        if (result.GetValue(_steps) is { } steps) return source with { Steps = steps };
        return source == Default ? null : throw new UsageException("Say in how many steps to train: --recover STEPS.");
    }
}
