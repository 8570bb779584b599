using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>A measured agreement in words.</summary>
internal static class Agreements
{
    public static string Value(MeasuredAgreement found) => Figures.Percent(found.Value);

    /// <summary>By which measure, on which samples.</summary>
    public static string How(MeasuredAgreement found)
        => FormattableString.Invariant($"{Name(found.Metric)} on {found.Samples} {On(found)}");

    public static string Name(Metric metric) => metric == Metric.Top1 ? "top-1" : Words.Kebab(metric).Replace('-', ' ');

    private static string On(MeasuredAgreement found) => found.On switch
    {
        MeasuredOn.HeldOut => "held-out samples",
        MeasuredOn.Calibration => "samples that it was calibrated on",
        _ => "random inputs, which say little of the task",
    };
}
