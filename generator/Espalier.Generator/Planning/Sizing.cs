using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;
using Espalier.Planning;

namespace Espalier.Generator.Planning;

/// <summary>
/// How many units of every group stay, as far as that is known before the weights are: exactly where groups keep one fraction
/// each, as a range where scores decide (global allocation) or where it depends on which blocks are dropped.
/// </summary>
internal sealed class Sizing
{
    private readonly CostPolynomial _cost;
    private readonly List<(string Unit, double Limit)> _limits;
    private readonly List<DroppedBlocks> _drops;
    private readonly Dictionary<int, int> _least = [];
    private readonly Dictionary<int, int> _most = [];

    private Sizing(Manifest manifest, PolicyModel policy, List<DroppedBlocks> drops)
    {
        _cost = new(manifest);
        _drops = drops;
        _limits = [.. (policy.Budget?.Limits() ?? []).Where(l => IsFraction(l.Fraction))
            .Select(l => (l.Unit, l.Fraction * _cost.Evaluate(l.Unit)))];
    }

    public static Sizing Solve(PolicyModel policy, Manifest manifest, List<OwnedGroups> owned,
        List<DroppedBlocks> drops, Findings findings)
    {
        var sizing = new Sizing(manifest, policy, drops);
        // A preset may add rules and bounds, which the tool alone resolves: its sizes are ranges. Without one it is Best with
        // calibration data, else Magnitude: both keep the ratio of a rule in every group, and Best spreads a budget by what it measures.
        var spreadsRatios = policy.Allocation is { } allocation
            ? AllocationRow.Find(allocation)?.KeepsRatios == false
            : policy.Preset is not null;
        // Which nodes a component has is known to the tool alone, too.
        var spreadsBudget = policy.Budget?.Latency is not null || policy.Budget?.Components.Count > 0
            || (policy.Allocation is { } chosen ? chosen != Allocation.Uniform : policy.Preset is not null || policy.IsCalibrated);
        foreach (var rule in owned.Where(o => o.Rule.Prune!.Keep is not null)) sizing.Fix(rule, spreadsRatios, findings);
        var open = owned.Where(o => o.Rule.Prune!.Keep is null).ToList();
        foreach (var rule in open)
            sizing.CheckRemoves(rule, Uniform(rule, 0), findings, "MinKeep and RoundTo leave each of its groups whole");
        sizing.Spread(open, spreadsBudget, policy, findings);
        return sizing;
    }

    /// <summary>Fewest units that may stay.</summary>
    public int Least(ManifestGroup group) => _least.TryGetValue(group.Id, out var count) ? count : group.Size;

    /// <summary>Most units that may stay.</summary>
    public int Most(ManifestGroup group) => _most.TryGetValue(group.Id, out var count) ? count : group.Size;

    /// <summary>What the model costs then.</summary>
    public CostRange Range(string unit)
    {
        var before = _cost.Evaluate(unit);
        var least = _cost.Evaluate(unit, _least, Removed(unit, most: true));
        var most = _cost.Evaluate(unit, _most, Removed(unit, most: false));
        foreach (var limit in _limits)
            if (limit.Unit == unit) most = Math.Max(least, Math.Min(most, limit.Limit));
        return new(before, least, most);
    }

    private static bool IsFraction(double value) => value is > 0 and <= 1;

    /// <summary>A rule with a ratio of its own.</summary>
    private void Fix(OwnedGroups rule, bool global, Findings findings)
    {
        var prune = rule.Rule.Prune!;
        var keep = prune.Keep!.Value;
        if (!IsFraction(keep) || rule.Groups.Count == 0) return;
        var site = new AttributeSite(rule.Rule.Name, nameof(PruneAttribute));
        var counts = Uniform(rule, keep);
        Merge(_least, global ? Uniform(rule, 0) : counts);
        Merge(_most, global ? rule.Groups.ToDictionary(g => g.Id, g => g.Size) : counts);
        var lost = rule.Groups.FirstOrDefault(g => keep * g.Size < 0.5 && g.Size > Multiple(prune, g));
        if (lost is not null && prune.MinKeep <= 1)
            findings.Add(Ids.NothingLeft, site.At(nameof(PruneAttribute.Keep)), rule.Rule.Name,
                $"Keep = {PolicyChecks.Number(keep)} of the {PolicyChecks.Number(lost.Size)} units of '{lost.Name}' is less than one",
                "Raise Keep, or say with MinKeep how many stay");
        else if (!global)
            CheckRemoves(rule, counts, findings, keep == 1
                ? "Keep is 1"
                : FormattableString.Invariant(
                    $"Keep = {PolicyChecks.Number(keep)}, rounded to RoundTo and at least MinKeep, leaves each of its groups whole"));
    }

    private void CheckRemoves(OwnedGroups rule, Dictionary<int, int> counts, Findings findings, string why)
    {
        if (rule.Groups.Count > 0 && rule.Groups.All(g => counts[g.Id] == g.Size))
            findings.Add(Ids.NothingRemoved, new AttributeSite(rule.Rule.Name, nameof(PruneAttribute)).At(nameof(PruneAttribute.Keep)),
                rule.Rule.Name, why);
    }

    /// <summary>The rules that the budget decides on.</summary>
    private void Spread(List<OwnedGroups> open, bool unevenly, PolicyModel policy, Findings findings)
    {
        var least = UniformOf(open, 0);
        if (_limits.Count == 0)
        {
            // No bound that the manifest prices: where weights or times decide, or nothing does (which is reported), the sizes
            // say what the rules allow.
            Merge(_least, least);
            Merge(_most, UniformOf(open, 1));
            return;
        }
        if (!Holds(least, most: true))
        {
            Report(least, policy, findings);
            Merge(_least, least);
            Merge(_most, least);
            return;
        }
        if (unevenly)
        {
            Merge(_least, least);
            Merge(_most, UniformOf(open, 1));
            return;
        }
        // The more the dropped blocks cost, the more may stay of everything else.
        var most = Bisect(open, mostRemoved: true);
        var fewest = _drops.Count == 0 || !Holds(least, most: false)
            ? (_drops.Count == 0 ? most : least)
            : Bisect(open, mostRemoved: false);
        Merge(_least, fewest);
        Merge(_most, most);
    }

    private Dictionary<int, int> Bisect(List<OwnedGroups> open, bool mostRemoved)
        => new RisingCounts([.. open.SelectMany(Populations).Select(p => (IReadOnlyList<(int, int)>)[.. p.Select(g => (g.Id, g.Size))])],
            t => UniformOf(open, t), (t, _) => t).Most(c => Holds(c, mostRemoved));

    /// <summary>Groups whose numbers are decided as one: a KV group with its query heads, where the rule has both.</summary>
    private static IEnumerable<ManifestGroup[]> Populations(OwnedGroups rule)
    {
        var byId = rule.Groups.ToDictionary(g => g.Id);
        foreach (var group in rule.Groups)
        {
            if (group.Partner < 0 || !byId.TryGetValue(group.Partner, out var partner)) yield return [group];
            else if (group.Kind == Axis.KeyValueGroups) yield return [group, partner];
        }
    }

    private bool Holds(Dictionary<int, int> choice, bool most)
    {
        var sizes = new Dictionary<int, int>(most ? _least : _most);
        Merge(sizes, choice);
        return _limits.All(l => _cost.Evaluate(l.Unit, sizes, Removed(l.Unit, most)) <= l.Limit * (1 + 1e-12));
    }

    private void Report(Dictionary<int, int> choice, PolicyModel policy, Findings findings)
    {
        // These add a rule of their own to a policy without one (Espalier.Presets.Complete): what that reaches the tool alone knows.
        if (policy.LowRank.Any(r => r.IsOpen)) return;
        if (policy.Method is { Depth: not null } or { Units: not null } or { LowRank: not null }) return;
        // A rule that is missing or names nothing is the mistake; that the budget is then out of reach only follows from it.
        if (findings.Any(f => f.Id is Ids.NoMatch or Ids.Frozen or Ids.Inexact or Ids.DoesNotFit or Ids.RuleShape or Ids.PolicyShape
            or Ids.DoesNothing)) return;
        var sizes = new Dictionary<int, int>(_least);
        Merge(sizes, choice);
        foreach (var (unit, argument, fraction) in policy.Budget!.Limits())
        {
            if (!IsFraction(fraction)) continue;
            var reached = _cost.Evaluate(unit, sizes, Removed(unit, most: true));
            var dense = _cost.Evaluate(unit);
            if (reached <= fraction * dense * (1 + 1e-12)) continue;
            // Rounded up, so that the figure in the message is one that can be reached.
            var figure = FormattableString.Invariant($"{Math.Ceiling(reached / dense * 1000) / 1000:0.000}");
            findings.Add(Ids.OutOfReach, AttributeSite.OfClass(nameof(BudgetAttribute)).At(argument), argument,
                PolicyChecks.Number(fraction), figure);
        }
    }

    /// <summary>Sublayers that the rules on depth remove, if they remove the costliest (or the cheapest) that they may.</summary>
    private HashSet<int> Removed(string unit, bool most)
    {
        var removed = new HashSet<int>();
        foreach (var (rule, candidates) in _drops)
        {
            var count = 0;
            var priced = candidates.Select(b => (Block: b, Cost: _cost.EvaluateBlock(b, unit)));
            foreach (var (block, _) in most ? priced.OrderByDescending(b => b.Cost) : priced.OrderBy(b => b.Cost))
            {
                if (count >= rule.Drop!.AtMost) break;
                if (block.Sublayers.Any(removed.Contains)) continue;
                removed.UnionWith(block.Sublayers);
                count++;
            }
        }
        return removed;
    }

    private static Dictionary<int, int> UniformOf(List<OwnedGroups> rules, double ratio)
    {
        var counts = new Dictionary<int, int>();
        foreach (var rule in rules) Merge(counts, Uniform(rule, ratio));
        return counts;
    }

    /// <summary>Every group of a rule keeps the same fraction; of a KV group and its query heads the product does.</summary>
    private static Dictionary<int, int> Uniform(OwnedGroups rule, double ratio)
    {
        var prune = rule.Rule.Prune!;
        var byId = rule.Groups.ToDictionary(g => g.Id);
        var counts = new Dictionary<int, int>();
        (int Size, int Multiple, int Floor) Bounds(ManifestGroup g)
            => (g.Size, Multiple(prune, g), Math.Max(Math.Max(prune.MinKeep, 1), g.MinKeep));
        foreach (var group in rule.Groups)
        {
            if (counts.ContainsKey(group.Id)) continue;
            var bounds = Bounds(group);
            if (group.Partner >= 0 && byId.TryGetValue(group.Partner, out var partner))
            {
                var (kv, query) = group.Kind == Axis.KeyValueGroups ? (group, partner) : (partner, group);
                (counts[kv.Id], counts[query.Id]) = KeptCount.Pair(ratio * kv.Size * query.Size, Bounds(kv), Bounds(query));
            }
            else counts[group.Id] = KeptCount.Round(ratio * group.Size, bounds.Size, bounds.Multiple, bounds.Floor);
        }
        return counts;
    }

    private static int Multiple(PruneModel prune, ManifestGroup group)
        => KeptCount.Multiple(prune.RoundTo, group.Kind == Axis.Channels);

    private static void Merge(Dictionary<int, int> into, Dictionary<int, int> from)
    {
        foreach (var entry in from) into[entry.Key] = entry.Value;
    }
}
