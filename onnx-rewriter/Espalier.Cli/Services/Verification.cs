using System.Globalization;
using Espalier.Axes;
using Espalier.Calibration;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Cli.Services;

/// <summary>What <c>verify</c> found.</summary>
/// <param name="Holds">Whether the promise holds.</param>
/// <param name="Lines">For people.</param>
internal sealed record VerificationOutcome(bool Holds, IReadOnlyList<string> Lines);

/// <summary>Checks a slim model against the masked dense model that its report describes.</summary>
/// <param name="analysis">The dense model.</param>
/// <param name="report">What was removed.</param>
/// <param name="inputs">What both models are run on.</param>
/// <param name="progress">Told what goes on.</param>
internal sealed class Verification(AxisAnalysis analysis, PruningReport report, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> inputs, Progress progress)
{
    /// <summary>Runs the check.</summary>
    /// <param name="slim">The slim model.</param>
    /// <param name="cancellationToken">Stops between runs.</param>
    public VerificationOutcome Run(OnnxModel slim, CancellationToken cancellationToken)
    {
        var exactness = analysis.Groups.ToDictionary(g => g.Name, g => g.Exactness, StringComparer.Ordinal);
        var inexact = report.Groups.Where(g => g.Kept < g.Size && exactness.GetValueOrDefault(g.Name) == Exactness.Inexact).Select(g => g.Name).ToList();
        var compensated = report.Plan.Prune.Any(r => r.Compensate != With.None);
        var lines = new List<string>();
        progress.Step("masking");
        var (factors, products) = FactoredOracle.Of(analysis, report, slim);
        if (report.Factored.Count > 0) lines.Add($"{report.Factored.Count} weights became products of two: on the other side are these products.");
        if (inexact.Count == 0 && !compensated)
        {
            using var masked = Equivalence.Masked(analysis, report, products);
            progress.Step("running both models");
            var exact = Judge(OracleComparer.Compare(masked, slim, inputs: inputs, cancellationToken: cancellationToken), "the slim model", lines);
            if (report.Factored.Count > 0) Agree(slim, lines, cancellationToken);
            return exact;
        }

        if (compensated) lines.Add("The plan compensated for what it removed, so the slim model is not meant to equal the masked one: the check is of the same model before compensation.");
        if (inexact.Count > 0) lines.Add($"Masking says nothing about inexact groups ({string.Join(", ", inexact)}): the check is of the same model with those left whole.");
        var selection = Equivalence.Selection(analysis, report, exactOnly: true);
        var plain = Surgery.Apply(analysis, selection, factors);
        using var reference = Equivalence.Masked(analysis, plain.Removed, selection.RemovedBlocks, products);
        progress.Step("running both models");
        var outcome = Judge(OracleComparer.Compare(reference, plain.Model, inputs: inputs, cancellationToken: cancellationToken), "what was removed exactly", lines);
        Agree(slim, lines, cancellationToken);
        return outcome;
    }

    /// <summary>How near the slim model is to the dense one, where it is not meant to be the masked one.</summary>
    private void Agree(OnnxModel slim, List<string> lines, CancellationToken cancellationToken)
    {
        progress.Step("comparing with the dense model");
        using var dense = MaskedModel.Of(analysis.Model, Interface(analysis.Model));
        var agreement = Agreement.Compare(dense, slim, inputs, cancellationToken: cancellationToken);
        lines.Add(agreement.Top1 is { } top1
            ? string.Create(CultureInfo.InvariantCulture, $"agreement of the slim model with the dense model on {agreement.Samples} random inputs: {top1:0.000} (rows whose largest output is the same)")
            : string.Create(CultureInfo.InvariantCulture, $"the slim model's outputs are within {agreement.MaxRelativeError:0.0e+0} relative of the dense model's on {agreement.Samples} random inputs"));
    }

    private static VerificationOutcome Judge(OracleResult found, string what, List<string> lines)
    {
        var worst = found.Outputs.OrderByDescending(o => o.Value).ThenBy(o => o.Key, StringComparer.Ordinal).FirstOrDefault().Key;
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"greatest relative error over {found.Runs} inputs: {found.Error:0.0e+0} at output '{worst}' (at most {found.Tolerance:0e+0} is rounding{(found.Tolerance > OracleResult.Rounding ? " in 16 bits" : "")})"));
        lines.AddRange(found.Notes.Select(n => $"note: {n}"));
        lines.Add(!found.IsExact ? $"FAILED: {what} is not equal to the masked dense model."
            : found.Error <= found.Tolerance ? $"verified: {what} equals the masked dense model."
            : $"verified: {what} differs from the masked dense model by no more than rounding makes that differ from itself; the notes have the figures.");
        return new VerificationOutcome(found.IsExact, lines);
    }

    /// <summary>What inputs and outputs of the graph lost.</summary>
    private Dictionary<string, IReadOnlyDictionary<int, int[]>> Interface(OnnxModel model)
    {
        var weights = model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var names = model.Proto.Graph.Input.Concat(model.Proto.Graph.Output).Select(v => v.Name).Where(n => !weights.Contains(n)).ToHashSet(StringComparer.Ordinal);
        return Equivalence.Removed(analysis, report).Where(r => names.Contains(r.Key)).ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
    }
}
