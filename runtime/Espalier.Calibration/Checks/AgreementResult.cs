namespace Espalier.Calibration.Checks;

/// <summary>How alike two models answer.</summary>
/// <param name="Outputs">Per output, in the first model's order.</param>
public sealed record AgreementResult(IReadOnlyList<OutputAgreement> Outputs, int Samples)
{
    /// <summary>Largest relative error of any output.</summary>
    public double MaxRelativeError => Outputs.Count == 0 ? 0 : Outputs.Max(o => o.MaxRelativeError);

    /// <summary>
    /// Fraction of rows whose largest element is in the same place, in the first output of numbers that has rows; null where none has.
    /// </summary>
    public double? Top1 => Outputs.FirstOrDefault(o => o.Top1 is not null)?.Top1;

    /// <summary>Agreement by a metric in the first output of which it says something; null where there is none.</summary>
    public double? By(Metric metric) => Outputs.Select(o => o.By.GetValueOrDefault(metric)).FirstOrDefault(v => v is not null);
}
