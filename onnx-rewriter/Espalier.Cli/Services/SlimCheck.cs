using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Roles;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Results;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning;

namespace Espalier.Cli.Services;

/// <summary>
/// What is looked at before a slim model is written: the plan's guards, and how near its answers are to the dense model's, which is
/// measured without a guard too.
/// </summary>
/// <param name="plan">The plan with what it leaves open written down.</param>
internal sealed class SlimCheck(OnnxModel dense, AxisAnalysis analysis, PruningPlan plan, SlimInputs inputs,
    StepProgress progress, CancellationToken cancellationToken)
{
    private const string Checking = "checking agreement";
    private const int EquivalenceRuns = 2;

    /// <summary>Most samples without a guard: a measurement that nobody asked for may not take long.</summary>
    private const int MostSamples = 64, MostRandom = 16, LeastSamples = 8, LeastRandom = 4;

    /// <summary>Most multiply-accumulates of the dense model on these together.</summary>
    private const double MostMacs = 5e10, MostRandomMacs = 1e10;

    /// <summary>An output may be empty on one: a detector that finds nothing.</summary>
    private const int SamplesToTry = 8;

    /// <summary>
    /// How many times less than after one quick fit the models may disagree after fits layer by layer: twice the most that was seen
    /// (docs/calibration.md).
    /// </summary>
    private const double MostWonBack = 8;

    /// <summary>Metrics in the order in which one is taken where the wanted one says nothing of the outputs.</summary>
    private static readonly Metric[] Others = [Metric.KullbackLeibler, Metric.Embedding, Metric.Cosine, Metric.RelativeError];

    /// <summary>What the plan compares outputs by in its own words; null where it leaves that open.</summary>
    public Metric? Stated { get; init; }

    /// <summary>What suits the outputs: of features the largest means nothing.</summary>
    public static Metric UsualMetric(AxisAnalysis analysis)
        => OutputRoles.MetricOf(analysis) == Metric.Embedding ? Metric.Embedding : Metric.Top1;

    /// <summary>
    /// Refuses before the work begins what a guard would refuse after it: that there are no data, or nothing that its metric compares.
    /// </summary>
    /// <exception cref="EspalierException">A guard cannot be measured.</exception>
    public void Require()
    {
        if (plan.Guard is not { Agreement: not null, Metric: { } metric }) return;
        var all = inputs.Real()
            ?? throw new EspalierException("Guard(Agreement = …) needs calibration data. Give the policy a [Calibration] method.");
        // Some samples may have no label.
        if (inputs.Labels(metric) is not null) return;
        using var session = Sessions.Open(dense);
        var some = all.Take(SamplesToTry).ToList();
        if (some.Count > 0 && Agreement.Compare(session, session, some, cancellationToken: cancellationToken).By(metric) is null)
            throw new EspalierException($"Guard(Agreement = …): {Incomparable(metric)}");
    }

    /// <summary>Results of earlier runs, and the key of what they depend on; null where none are kept.</summary>
    public (StepResults Results, string Key)? Kept { get; set; }

    /// <summary>
    /// Refuses before the choice what <see cref="Foresee"/> refused after it in an earlier run.
    /// </summary>
    /// <exception cref="EspalierException">The guard will not hold.</exception>
    public void Recall()
    {
        if (Foresee is null || Kept is not { } kept) return;
        var samples = HeldOut();
        if (kept.Results.Foreseen(kept.Key, plan, On(samples)) is { } value) Judge(value, samples.Count);
    }

    private string On(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        using var hash = new ContentHash();
        return hash.Add(plan.Guard!.Metric.ToString()!).Add(samples).ToText();
    }

    /// <summary>
    /// Looks at the plan's choice after one quick fit, before the long fits; null where no guard asks for it. It ends the work only
    /// where the guard is out of reach by far, and by more than the few samples that are looked at can err.
    /// </summary>
    /// <exception cref="EspalierException">The guard will not hold.</exception>
    public Action<OnnxModel>? Foresee => plan.Guard is { Agreement: { } least, Metric: { } metric and not Metric.TaskLoss }
        && !plan.AllowInterface && plan.Recover is null
        ? quick => Foreseen(quick, metric)
        : null;

    private void Foreseen(OnnxModel quick, Metric metric)
    {
        var samples = HeldOut();
        progress.Step(Checking, 0, samples.Count);
        if (Agreement.Compare(dense, quick, samples, cancellationToken: cancellationToken).By(metric) is not { } value) return;
        if (Kept is { } kept) kept.Results.KeepForeseen(kept.Key, plan, On(samples), value);
        Judge(value, samples.Count);
    }

    private void Judge(double value, int samples)
    {
        double least = plan.Guard!.Agreement!.Value;
        // What lies between 0 and 1 with the mean m deviates by at most √(m(1−m)) (Bhatia, Davis 2000); two standard errors of the mean.
        double deviation = Math.Sqrt(Math.Max(0, value * (1 - value)) / samples);
        if (1 - value - (2 * deviation) <= MostWonBack * (1 - least)) return;
        throw new EspalierException(FormattableString.Invariant($"Guard(Agreement = {least}): after one quick fit the slim model agrees ")
            + FormattableString.Invariant($"with the dense one to {value:0.####} by {plan.Guard.Metric} on {samples} samples, and the ")
            + "long fits layer by layer, which were not begun, do not win that much back. Remove less, or ask for less.");
    }

    /// <returns>Null where the models cannot be compared; a note says why.</returns>
    /// <exception cref="EspalierException">A guard does not hold.</exception>
    public MeasuredAgreement? Run(SlimResult slim, List<string> notes)
    {
        if (plan.Guard?.Equivalence == true) notes.Add(CheckEquivalence(slim));
        if (plan.Guard is { Agreement: { } least, Metric: { } metric }) return Guarded(least, metric, slim, notes);
        try
        {
            return Unguarded(slim);
        }
        // Without a guard the plan does not need ONNX Runtime, which may not be there for this machine.
        catch (Exception e) when (e is EspalierException or DllNotFoundException or TypeInitializationException)
        {
            notes.Add($"The slim model was not compared with the dense one: {(e.InnerException as DllNotFoundException ?? e).Message}");
            return null;
        }
    }

    private MeasuredAgreement Unguarded(SlimResult slim)
    {
        if (slim.Report.Interface.Count > 0)
            throw new EspalierException($"they do not take the same inputs, since {slim.Report.Interface[0]}.");
        bool isRandom = inputs.Real() is not { Count: > 0 };
        var samples = isRandom ? RandomSamples() : HeldOut();
        var wanted = Stated ?? UsualMetric(analysis);
        // On noise a classifier gives one class whatever is left of it.
        if (Stated is null && isRandom && wanted == Metric.Top1) wanted = Metric.KullbackLeibler;
        var found = Compare(slim, samples, wanted);
        foreach (var metric in Others.Prepend(wanted))
            if (found.By(metric) is { } value)
                return new(metric, value, samples.Count, isRandom ? MeasuredOn.Random : Seen);
        throw new EspalierException("no output of the model has floating-point numbers to compare.");
    }

    // Other inputs than those that statistics may have been taken of.
    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> RandomSamples() => RandomInputs.Many(dense,
        Bound(MostRandom, LeastRandom, MostRandomMacs), unchecked(plan.Seed + 1), inputs.Sizes(), inputs.Fill);

    /// <summary>Some of the samples that are held out, of all parts of them, for what may not take long.</summary>
    private Picked<IReadOnlyDictionary<string, NamedTensor>> HeldOut()
    {
        var all = inputs.Divided().HeldOut;
        int most = Math.Min(Bound(MostSamples, LeastSamples, MostMacs), all.Count);
        return new(most, i => all[(int)((long)i * all.Count / most)]);
    }

    private MeasuredOn Seen => inputs.IsMeasured && inputs.Divided().HeldOut.Count == inputs.Real()!.Count
        ? MeasuredOn.Calibration
        : MeasuredOn.HeldOut;

    private int Bound(int most, int least, double macs)
        => (int)Math.Clamp(macs / Math.Max(1, analysis.Cost.Evaluate(CostUnit.Macs)), least, most);

    private AgreementResult Compare(SlimResult slim, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, Metric metric)
    {
        progress.Step(Checking, 0, samples.Count);
        return Agreement.Compare(dense, slim.Model, samples, new Reporter(progress, samples.Count), cancellationToken,
            inputs.Labels(metric));
    }

    private MeasuredAgreement Guarded(double least, Metric metric, SlimResult slim, List<string> notes)
    {
        if (slim.Report.Interface.Count > 0)
            throw new EspalierException($"Guard(Agreement = …) runs both models on the same data, but {slim.Report.Interface[0]}. "
                + "Remove AllowInterface, or use Equivalence.");
        var samples = inputs.Divided().HeldOut;
        var found = Compare(slim, samples, metric);
        double agreement = found.By(metric) ?? throw new EspalierException($"Guard(Agreement = …): {Incomparable(metric)}");
        var measured = new MeasuredAgreement(metric, agreement, samples.Count, Seen);
        var others = found.Outputs[0].By.Where(m => m.Key != metric && m.Value is not null)
            .Select(m => FormattableString.Invariant($", {m.Key} {m.Value:0.####}"));
        string figures = measured + string.Concat(others);
        // Numbers of float32 that are equal may still round below one.
        if (agreement < least - 1e-9)
            throw new EspalierException(FormattableString.Invariant(
                $"Guard(Agreement = {least}): the slim model agrees with the dense one to {figures}. Remove less, or compensate."));
        notes.Add($"The slim model agrees with the dense one to {figures}.");
        if (measured.On == MeasuredOn.Calibration)
            notes.Add("Agreement was measured on the samples that the statistics come from: of fewer "
                + FormattableString.Invariant($"than {SlimInputs.FewestToDivide} none are held out."));
        return measured;
    }

    private string CheckEquivalence(SlimResult slim)
    {
        progress.Step("checking equivalence");
        using var equivalence = Equivalence.Measure(analysis, slim.Report, slim.Model);
        if (equivalence.Removal.IsEmpty && !Removal.From(slim.Report, analysis.File).IsEmpty)
            throw new EspalierException("Guard(Equivalence = true) proves nothing: all that was removed is inexact "
                + $"({string.Join(", ", equivalence.Inexact)}). Use Guard(Agreement = …).");
        var made = RandomInputs.Many(equivalence.Model, EquivalenceRuns, plan.Seed, inputs.Sizes(), inputs.Fill);
        var found = new Judge(analysis, made).Compare(equivalence.Model, equivalence.Removal, equivalence.Selection, cancellationToken);
        return found.Verdict switch
        {
            Verdict.Different => throw new EspalierException(
                $"Guard(Equivalence = true): the slim model is not the masked dense one: {found.Reason}."),
            Verdict.NothingProved => throw new EspalierException($"Guard(Equivalence = true) proves nothing: {found.Reason}. Use another "
                + "Seed, or Guard(Agreement = …) on data that reaches these units."),
            _ => FormattableString.Invariant(
                $"Before compensation equal to the masked dense model within {found.Outputs.Error:g2} relative."),
        };
    }

    /// <summary>Why a metric says nothing of the model.</summary>
    private static string Incomparable(Metric metric) => metric switch
    {
        Metric.RelativeError => "no output of the model has floating-point numbers to compare. Remove the guard, or use Equivalence.",
        Metric.TaskLoss => "there are no labels by which to compare by TaskLoss, and no output has a row of classes for each token of an "
            + "input. Give --labels FILE, an array 'labels' in an .npz, or [Calibration(Labels = …)].",
        Metric.KullbackLeibler or Metric.JensenShannon =>
            $"no output of the model has rows of classes to compare by {metric}. Use Metric.RelativeError.",
        _ => $"no output of the model has rows to compare by {metric}. Use Metric.RelativeError.",
    };

    private sealed class Reporter(StepProgress progress, int total) : IProgress<int>
    {
        public void Report(int value) => progress.Step(Checking, value, total);
    }
}
