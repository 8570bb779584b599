using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Weights;

using static System.FormattableString;

namespace Espalier.Cli.Services;

/// <summary>How a comparison with the masked dense model ended.</summary>
internal enum Verdict
{
    /// <summary>Both are equal, and what was masked was seen.</summary>
    Equal,

    /// <summary>They differ.</summary>
    Different,

    /// <summary>They are equal, but masking was seen nowhere: a wrong model would have been equal too.</summary>
    NothingProved,
}

/// <summary>What the judge says.</summary>
/// <param name="Verdict">How it ended.</param>
/// <param name="Outputs">What was found at the outputs.</param>
/// <param name="Reason">Why, in a sentence.</param>
/// <param name="Findings">What was found inside, for people.</param>
internal sealed record Judgement(Verdict Verdict, OracleResult Outputs, string Reason, IReadOnlyList<string> Findings);

/// <summary>
/// Compares a slim model with the masked dense one that its removal describes, at the outputs and inside. Terms only say where in a dense
/// tensor the slim one's elements stand; what they are to be comes from the masked model, which knows no terms.
/// </summary>
internal sealed class Judge(AxisAnalysis analysis, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> inputs)
{
    /// <param name="slim">The model to be judged.</param>
    /// <param name="removal">What went from the dense one.</param>
    /// <param name="selection">The same, in units.</param>
    /// <param name="cancellationToken">Stops between two operators.</param>
    public Judgement Compare(OnnxModel slim, Removal removal, Selection selection, CancellationToken cancellationToken)
    {
        using var masked = MaskedModel.Build(analysis.Model, removal, slim);
        var outputs = OracleComparer.Compare(masked, slim, inputs: inputs, cancellationToken: cancellationToken);
        var others = MaskedModel.Unmasked(analysis.Model, removal);
        using var unmasked = others is null ? null : MaskedModel.Build(analysis.Model, others, slim);
        var kept = new KeptUnits(analysis, selection, inputs[0].ToDictionary(i => i.Key, i => i.Value.Shape, StringComparer.Ordinal));
        var request = new InsideRequest(masked, slim, unmasked, inputs) { IsComparable = kept.IsComparable, Kept = kept.Of };
        var inside = InsideComparer.Compare(request, cancellationToken);
        var findings = Describe(inside).ToList();
        Judgement End(Verdict verdict, FormattableString reason) => new(verdict, outputs, Invariant(reason), findings);
        if (inside.Fault is { } fault)
        {
            string place = $"tensor '{fault.Tensor}', made by node {fault.Node}";
            return End(Verdict.Different, $"the fault starts at {place}, {fault.Error:0.0e+0} relative from the masked model's");
        }
        if (!outputs.IsExact)
        {
            var worst = outputs.Outputs.OrderByDescending(o => o.Value).ThenBy(o => o.Key, StringComparer.Ordinal).First();
            return End(Verdict.Different, $"output '{worst.Key}' is {worst.Value:0.0e+0} relative from the masked model's");
        }
        bool moved = inside.Moved is not null || (inside.Obstacle is not null && unmasked is not null
            && OracleComparer.Compare(masked, unmasked, inputs: inputs, cancellationToken: cancellationToken).Error > outputs.Tolerance);
        if (unmasked is null || moved || !CouldMove(slim, removal, findings))
        {
            if (unmasked is null && !removal.IsEmpty)
                findings.Add("What removal changes was not measured: inputs went with a block, and the dense model needs them.");
            if (moved && inside is { OutputMoved: false, Moved: { } seen })
                findings.Add("Removal did not move the outputs on these inputs, so they prove nothing by themselves; "
                    + $"it moved the inside, from '{seen.Tensor}' of {seen.Node} on, and there both models agree.");
            return End(Verdict.Equal, $"it equals the masked dense model");
        }
        string nowhere = Invariant($"neither an output moved nor any of {inside.Compared} tensors inside");
        return End(Verdict.NothingProved,
            $"{Removed(removal)}, but on {outputs.Runs} inputs {nowhere}, so that a wrong model would have been equal too");
    }

    /// <summary>
    /// Whether removal changes any number: zeros that are masked, and products that are the weights to rounding, cannot be seen and need
    /// not be.
    /// </summary>
    private bool CouldMove(OnnxModel slim, Removal removal, List<string> findings)
    {
        if (removal.Slices.Count > 0 && !MaskedModel.ChangesWeights(analysis.Model, removal))
        {
            findings.Add("Every weight that was masked is zero in the dense model already.");
            return false;
        }
        if (removal.Bypassed.Count > 0 || removal.Slices.Count > 0) return true;
        if (MaskedModel.Distances(analysis.Model, removal, slim).Values.Any(d => d > OracleResult.Rounding)) return true;
        findings.Add("The products of the factors equal the weights to rounding.");
        return false;
    }

    private static string Removed(Removal removal)
    {
        var parts = new List<string>();
        if (removal.Slices.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } first)
            parts.Add(Invariant($"slices of {removal.Slices.Count} tensors were masked ('{first}' among them)"));
        if (removal.Bypassed.Count > 0) parts.Add($"'{string.Join("', '", removal.Bypassed.Select(b => b.Name))}' was skipped");
        if (removal.Factored.Count > 0) parts.Add(Invariant($"{removal.Factored.Count} weights became products of two"));
        return string.Join(", ", parts);
    }

    private static IEnumerable<string> Describe(InsideResult inside)
    {
        if (inside.Obstacle is { } obstacle) yield return $"note: Nothing was compared inside of the models: {obstacle}";
        else if (inside.Fault is null)
            yield return Invariant($"inside: {inside.Compared} of {inside.Tensors} tensors that both models have were compared and agree.");
        foreach (var m in inside.Magnifiers)
            yield return Invariant($"The models agree up to '{m.Tensor}' of {m.Node}, which magnifies rounding: there they differ by ")
                + Invariant($"{m.Error:0.0e+0} relative, and the masked dense model from itself by {m.Noise / 2:0.0e+0}. ")
                + "What depends on it is not compared inside.";
    }
}
