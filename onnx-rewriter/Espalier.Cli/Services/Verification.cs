using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Oracle;
using static System.FormattableString;

namespace Espalier.Cli.Services;

/// <summary>What <c>verify</c> found.</summary>
/// <param name="Holds">Whether the promise holds.</param>
/// <param name="Lines">For people.</param>
internal sealed record VerificationOutcome(bool Holds, IReadOnlyList<string> Lines)
{
    /// <summary>How it ended: <c>equal</c>, <c>different</c> or <c>nothingProved</c>.</summary>
    public string Verdict { get; init; } = Words.Camel(Services.Verdict.Different);

    /// <summary>Greatest relative error of an output; null where nothing was run.</summary>
    public double? Error { get; init; }

    /// <summary>Most that is rounding.</summary>
    public double? Tolerance { get; init; }

    /// <summary>The output of that error.</summary>
    public string? Output { get; init; }

    /// <summary>Inputs that both models ran on.</summary>
    public int Runs { get; init; }
}

/// <summary>Checks a slim model against the masked dense model that its report describes.</summary>
/// <param name="inputs">What both models are run on.</param>
/// <param name="progress">Told what goes on.</param>
internal sealed class Verification(
    AxisAnalysis analysis, PruningReport report, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> inputs, StepProgress progress)
{
    public VerificationOutcome Run(OnnxModel slim, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        progress.Step("masking");
        var whole = Removal.From(report, analysis.File);
        using var equivalence = Equivalence.Measure(analysis, report, slim);
        if (whole.Factored.Count > 0)
            lines.Add($"{whole.Factored.Count} weights became products of two: on the other side are these products.");
        if (WrongFactors(slim, whole).ToList() is { Count: > 0 } wrong)
            return new(false, [.. lines, .. wrong, "FAILED: the slim model does not have the factors that the report describes."]);
        if (equivalence.Compensated)
            lines.Add("The plan compensated for what it removed, so the slim model is not meant to equal the masked one: "
                + "the check is of the same model before compensation.");
        if (equivalence.Inexact.Count > 0)
            lines.Add($"Masking says nothing about inexact groups ({string.Join(", ", equivalence.Inexact)}): "
                + "the check is of the same model with those left whole.");
        progress.Step("running both models");
        var outcome = equivalence.Removal.IsEmpty && !whole.IsEmpty
            ? new(false, [.. lines, "PROVED NOTHING: all that was removed is inexact. Compare with the dense model (slim --agreement)."])
            { Verdict = Words.Camel(Verdict.NothingProved) }
            : Judge(equivalence, lines, cancellationToken);
        if (equivalence.IsSlim && whole.Factored.Count == 0) return outcome;
        return outcome with { Lines = [.. outcome.Lines, Agreement(slim, whole, cancellationToken)] };
    }

    private VerificationOutcome Judge(Equivalence equivalence, List<string> lines, CancellationToken cancellationToken)
    {
        var judged = new Judge(analysis, inputs).Compare(equivalence.Model, equivalence.Removal, equivalence.Selection, cancellationToken);
        var found = judged.Outputs;
        string what = equivalence.IsSlim ? "the slim model" : "what was removed exactly";
        var worst = found.Outputs.OrderByDescending(o => o.Value).ThenBy(o => o.Key, StringComparer.Ordinal).FirstOrDefault().Key;
        string bits = found.Tolerance > OracleResult.Rounding ? " in 16 bits" : "";
        lines.Add(Invariant($"greatest relative error over {found.Runs} inputs: {found.Error:0.0e+0} at output '{worst}' ")
            + Invariant($"(at most {found.Tolerance:0e+0} is rounding{bits})"));
        lines.AddRange(found.Notes.Select(n => $"note: {n}"));
        lines.AddRange(judged.Findings);
        lines.Add(judged.Verdict switch
        {
            Verdict.Different => $"FAILED: {what} is not equal to the masked dense model: {judged.Reason}.",
            Verdict.NothingProved => $"PROVED NOTHING: {judged.Reason}. Try other inputs: data of the model (--calibrate), another --seed, "
                + "more --runs, other sizes (--dim) or values (--fill).",
            _ when found.Error <= found.Tolerance => $"verified: {what} equals the masked dense model.",
            _ => $"verified: {what} differs from the masked dense model by no more than rounding makes that differ from itself; "
                + "the notes have the figures.",
        });
        return new(judged.Verdict == Verdict.Equal, lines)
        {
            Verdict = Words.Camel(judged.Verdict),
            Error = double.IsFinite(found.Error) ? found.Error : null,
            Tolerance = found.Tolerance,
            Output = worst,
            Runs = found.Runs,
        };
    }

    /// <summary>
    /// Factors whose product is not as far from the weight as the report says: the masked model is made of the same factors, so running
    /// it would not show it.
    /// </summary>
    private IEnumerable<string> WrongFactors(OnnxModel slim, Removal removal)
    {
        if (removal.Factored.Count == 0) yield break;
        var distances = MaskedModel.Distances(analysis.Model, removal, slim);
        double tolerance = Precision.Rounding(slim.Proto.Graph);
        foreach (var f in report.Factored)
            if (f.Distance is { } said && Math.Abs(distances[f.Weight] - said) > tolerance)
                yield return $"weight '{f.Weight}': the product of '{f.Down}' and '{f.Up}' is "
                    + Invariant($"{distances[f.Weight]:0.0000} of the weight away from it; the report says {said:0.0000}.");
    }

    /// <summary>How near the slim model is to the dense one, where it is not meant to be the masked one.</summary>
    private string Agreement(OnnxModel slim, Removal removal, CancellationToken cancellationToken)
    {
        progress.Step("comparing with the dense model");
        if (removal.Renamed.FirstOrDefault(n => n.Slim is null) is { } gone)
            return "The agreement of the slim model with the dense model was not measured: they do not take the same inputs "
                + $"('{gone.Dense}' is gone).";
        using var dense = MaskedModel.Build(analysis.Model, MaskedModel.InterfaceOf(analysis.Model, removal));
        var agreement = Calibration.Checks.Agreement.Compare(dense, slim, inputs, cancellationToken: cancellationToken);
        return agreement.Top1 is { } top1
            ? Invariant($"agreement of the slim model with the dense model on {agreement.Samples} inputs: {top1:0.000} ")
                + "(rows whose largest output is the same)"
            : Invariant($"the slim model's outputs are within {agreement.MaxRelativeError:0.0e+0} relative of the dense model's ")
                + Invariant($"on {agreement.Samples} inputs");
    }
}
