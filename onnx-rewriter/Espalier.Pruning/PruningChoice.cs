using Espalier.Axes.Groups;
using Espalier.Pruning.Allocators;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning;

/// <summary>What is kept, and how the readers of each pruned group make up for it.</summary>
internal sealed record PruningChoice(Selection Selection, IReadOnlyDictionary<int, Compensation> Methods)
{
    /// <summary>What <see cref="AllocationEvidence.BlockChange"/> was, in this step and in those before.</summary>
    public IReadOnlyList<IReadOnlyDictionary<int, double>> BlockChanges { get; private init; } = [];

    public Compensation Method(int group) => Methods.GetValueOrDefault(group);

    /// <summary>Chooses: depth, scores, allocation.</summary>
    /// <param name="evidence">What it decides by; statistics are those of the dense model.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <param name="before">What the steps before have left; null for the dense model.</param>
    /// <param name="depth">What goes of the depth, where that is decided; null to choose it.</param>
    public static PruningChoice Make(ResolvedPlan resolved, Evidence evidence, List<string> notes, PrunedState? before = null,
        DepthChoice? depth = null)
    {
        var (plan, analysis, model) = (resolved.ForUnits, resolved.Analysis, resolved.Model);
        notes.AddRange(resolved.Notes);
        depth ??= DepthSelector.Select(resolved, evidence, notes);
        var gone = DepthSelector.SublayersOf(analysis, depth.Blocks);
        var owned = resolved.Rules.SelectMany(r => r.Groups.Select(g => (r.Rule, Group: g)))
            .Where(e => !DepthSelector.IsGone(analysis.Cost, e.Group.Id, gone)).ToList();
        var now = evidence with { Statistics = before?.Statistics ?? evidence.Statistics };
        evidence.Progress?.Invoke("scoring");
        var scores = Scorer.Score(model, owned.Where(e => e.Rule.Keep != 1 && !resolved.BasisScores.ContainsKey(e.Group.Id))
            .ToDictionary(e => e.Group.Id, e => e.Rule), now, notes, plan.Seed, before?.Weights).ToDictionary();
        foreach (var e in owned)
            if (resolved.BasisScores.TryGetValue(e.Group.Id, out double[]? basis)) scores[e.Group.Id] = basis;
        foreach (var (id, own) in scores) before?.Forget(id, own);
        var candidates = owned.Select(e =>
            new Candidate(e.Group, e.Rule, scores.TryGetValue(e.Group.Id, out var s) ? s : new double[e.Group.Size])).ToList();
        var methods = owned.ToDictionary(e => e.Group.Id, e => e.Rule.Compensate!.Value);
        using var trial = new Trial(model, depth, [.. candidates.Select(c => c.Group)], methods, evidence);
        var shares = AllocationEvidence.Gather(plan, model, candidates, now) with
        {
            BlockChangesBefore = before?.BlockChanges ?? [],
            Divergence = evidence.Probe is null ? null : trial.Divergence,
            LayerLoss = now.Statistics is { } seen ? new LayerErrors(model, seen).Loss : null,
            Time = evidence.Probe is null ? null : trial.Time,
            Expect = trial.Expect,
            Components = resolved.Components,
            Obstacles = new(analysis, plan, candidates.Select(c => c.Group.Id).ToHashSet()),
        };
        evidence.Progress?.Invoke("allocating");
        var kept = Allocator.Allocate(plan, analysis.Cost, candidates, gone, notes, shares);
        return new(new Selection(before?.Within(kept) ?? kept, depth.Blocks), methods)
        {
            BlockChanges = shares.BlockChange is { } change ? [.. shares.BlockChangesBefore, change] : [],
        };
    }
}
