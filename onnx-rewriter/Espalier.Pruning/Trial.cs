using System.Collections.Immutable;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Onnx;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Gates;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning;

/// <summary>Compensates and runs choices of units: as settings of one model with gates where that can be, else as slim models.</summary>
/// <param name="groups">What may be chosen.</param>
/// <param name="methods">How their readers make up for them, by group number.</param>
internal sealed class Trial(DenseModel model, DepthChoice depth, IReadOnlyCollection<Group> groups,
    IReadOnlyDictionary<int, Compensation> methods, Evidence evidence) : IDisposable
{
    private (GatedTwin Twin, IGatedRun Run)? _gated;
    private const string Trying = "trying choices";
    private int _tried, _expected;

    /// <summary>Says that so many more choices will be tried at most.</summary>
    public void Expect(int choices) => _expected += choices;

    /// <summary>How far the outputs of a choice are from the dense model's, on samples that no fit sees.</summary>
    public double Divergence(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
    {
        Count();
        var (selection, edits) = Fitted(kept);
        if (GatedTwin.Obstacle(model.Analysis) is not null) return Slim(selection, edits, evidence.Probe!.HeldOutDivergence);
        evidence.Progress?.Invoke("making a trial");
        var (twin, run) = _gated ??= Open();
        return twin.Settings(selection, edits) is { } settings
            ? run.Divergence(settings)
            : Slim(selection, edits, evidence.Probe!.HeldOutDivergence);
    }

    public ModelTime Time(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
    {
        if (kept.Count == 0 && depth.Time is { } known) return known;
        Count();
        var (selection, edits) = Fitted(kept);
        return Slim(selection, edits, evidence.Probe!.Time);
    }

    public void Dispose()
    {
        if (_tried > 0 && _expected > 0) evidence.Progress?.Invoke(new(Trying, _expected, _expected));
        _gated?.Run.Dispose();
        _gated?.Twin.Dispose();
    }

    private void Count()
    {
        if (_expected > 0) evidence.Progress?.Invoke(new(Trying, Math.Min(_tried++, _expected - 1), _expected) { IsBound = true });
    }

    private (GatedTwin, IGatedRun) Open()
    {
        var ids = groups.Select(g => g.Id).ToHashSet();
        var twin = GatedTwin.Build(model.Analysis, g => ids.Contains(g.Id), sublayers: depth.Blocks.Length > 0,
            [.. groups.SelectMany(g => g.Consumers).DistinctBy(c => c.Id)]);
        return (twin, evidence.Probe!.Gated(twin.Model, heldOut: true));
    }

    private (Selection, WeightEdits) Fitted(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
    {
        evidence.Progress?.Invoke("fitting a trial");
        var selection = new Selection(kept, depth.Blocks);
        return (selection, Compensator.Compute(model, new(selection, id => methods.GetValueOrDefault(id))
        {
            Statistics = evidence.Statistics,
        }));
    }

    private T Slim<T>(Selection selection, WeightEdits edits, Func<OnnxModel, T> run)
    {
        evidence.Progress?.Invoke("making a trial");
        return Surgery.Use(model.Analysis, selection, edits, slim => run(slim.Model));
    }
}
