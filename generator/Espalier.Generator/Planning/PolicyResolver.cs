using Espalier.Generator.Diagnostics;
using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Planning;

namespace Espalier.Generator.Planning;

/// <summary>
/// Resolves a policy against the manifest of its model: which groups each rule owns, how many units stay, what the model then
/// costs, and what is wrong. Generator and analyzer both call it, so that what is reported and what is emitted cannot differ.
/// </summary>
internal static class PolicyResolver
{
    /// <summary>Resolves.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="manifest">The manifest of its model; null where there is none.</param>
    public static Resolution Resolve(PolicyModel policy, Manifest? manifest)
    {
        var findings = new List<Finding>();
        PolicyChecks.Check(policy, findings);
        if (manifest is null)
        {
            var none = new CostRange(0, 0, 0);
            return new(new(policy, false, [], [], [], [], policy.Rules.Select(r => new ResolvedRule(r, [], [])).ToEquatable(), none, none,
                none), findings.ToEquatable());
        }
        CheckProtect(policy, manifest, findings);
        var owned = Own(policy, manifest, findings);
        var drops = new List<(RuleModel Rule, List<ManifestBlock> Candidates)>();
        foreach (var rule in policy.Rules)
            if (IsDrop(rule)) drops.Add((rule, Candidates(policy, manifest, rule, findings)));

        var sizes = Sizing.Solve(policy, manifest, owned, drops, findings);
        var groups = manifest.Groups.Where(g => g.Exactness != "frozen").ToList();
        var groupAt = groups.Select((g, i) => (g.Id, i)).ToDictionary(e => e.Id, e => e.i);
        var blockAt = manifest.Blocks.Select((b, i) => (b.Id, i)).ToDictionary(e => e.Id, e => e.i);
        var cost = new CostPolynomial(manifest);
        return new(
            new(
                policy,
                true,
                manifest.Inputs,
                manifest.Outputs,
                groups.Select(g =>
                    new SizedGroup(g.Name, g.Kind, g.Size, sizes.Least(g), sizes.Most(g), g.Exactness == "inexact"
                        ? g.Reason
                        : "", g.Members)).ToEquatable(),
                manifest.Blocks.Select(b => new SizedBlock(b.Name, b.IsSublayer, cost.Of(b, "macs"), cost.Of(b, "parameters")))
                    .ToEquatable(),
                policy.Rules.Select(r => new ResolvedRule(
                    r,
                    owned.FirstOrDefault(o => o.Rule == r)?.Groups.Select(g => groupAt[g.Id]).ToEquatable() ?? [],
                    drops.Where(d => d.Rule == r).SelectMany(d => d.Candidates).Select(b => blockAt[b.Id]).ToEquatable())).ToEquatable(),
                sizes.Range("macs"),
                sizes.Range("parameters"),
                sizes.Range("bytes")),
            findings.ToEquatable());
    }

    /// <summary>Whether a rule is a valid rule on units.</summary>
    public static bool IsPrune(RuleModel rule)
        => rule is { Problem: "", Prune: not null, Drop: null } && PolicyChecks.KindsOf(rule.Axis).Length > 0;

    /// <summary>Whether a rule is a valid rule on depth.</summary>
    public static bool IsDrop(RuleModel rule) => rule is { Problem: "", Drop: not null, Prune: null, Axis: "Sublayers" or "Blocks" };

    private static bool Matches(string pattern, ManifestGroup group)
        => Glob.Matches(pattern, group.Name) || group.Members.Any(m => Glob.Matches(pattern, ManifestGroup.TensorOf(m)));

    /// <summary>Name of the weight, or of the group, through which a pattern matches.</summary>
    private static string Through(string pattern, ManifestGroup group)
        => Glob.Matches(pattern, group.Name) ? group.Name : group.Members.First(m => Glob.Matches(pattern, ManifestGroup.TensorOf(m)));

    private static IEnumerable<string> NamesOf(IEnumerable<ManifestGroup> groups)
        => groups.SelectMany(g => g.Members.Select(ManifestGroup.TensorOf).Prepend(g.Name)).Distinct(StringComparer.Ordinal);

    private static void CheckProtect(PolicyModel policy, Manifest manifest, List<Finding> findings)
    {
        for (var i = 0; i < policy.Protect.Count; i++)
        {
            var pattern = policy.Protect[i];
            if (manifest.Groups.Any(g => Matches(pattern, g)) || manifest.Blocks.Any(b => Glob.Matches(pattern, b.Name))) continue;
            findings.Add(NoMatch(new("", "ProtectAttribute", i), pattern, "group, weight or block", NamesOf(manifest.Groups)
                .Concat(manifest.Blocks.Select(b => b.Name))));
        }
    }

    private static Finding NoMatch(Site site, string pattern, string what, IEnumerable<string> names)
    {
        var nearest = names.Select(n => (Name: n, Nearest: NearestPattern.Find(pattern, n))).OrderBy(n => n.Nearest.Distance)
            .ThenBy(n => n.Name, StringComparer.Ordinal).Take(3).ToList();
        var hint = nearest.Count == 0 ? "" : "; the nearest names are " + string.Join(", ", nearest.Select(n => $"'{n.Name}'"));
        return new(Ids.NoMatch, site, nearest.Count == 0 ? "" : nearest[0].Nearest.Corrected, [pattern, what, hint]);
    }

    /// <summary>
    /// Gives every group to the first rule that names it. A later rule with <c>*</c> takes what is left; a later rule that
    /// names a taken group and wants something else disagrees.
    /// </summary>
    private static List<OwnedGroups> Own(PolicyModel policy, Manifest manifest, List<Finding> findings)
    {
        var owned = new List<OwnedGroups>();
        var owner = new Dictionary<int, RuleModel>();
        foreach (var rule in policy.Rules)
        {
            if (!IsPrune(rule)) continue;
            var prune = rule.Prune!;
            var site = new Site(rule.Name, "PruneAttribute");
            var kinds = PolicyChecks.KindsOf(prune.Axis);
            var own = new List<ManifestGroup>();
            owned.Add(new(rule, own));
            var ofKind = manifest.Groups.Where(g => kinds.Contains(g.Kind, StringComparer.Ordinal)).ToList();
            var matching = ofKind.Where(g => Matches(prune.Pattern, g)).ToList();
            if (matching.Count == 0)
            {
                findings.Add(ofKind.Count > 0
                    ? NoMatch(site, prune.Pattern, $"group of {PolicyChecks.Words(prune.Axis)}", NamesOf(ofKind))
                    : new(Ids.NoMatch, site, "",
                        [prune.Pattern, $"group of {PolicyChecks.Words(prune.Axis)}", "; the model has none" + Present(manifest)]));
                continue;
            }
            var open = matching.Where(g => !policy.Protect.Any(p => Matches(p, g))).ToList();
            var free = open.Where(g => g.Exactness == "exact" || (g.Exactness == "inexact" && prune.AllowInexact)).ToList();
            if (open.Count > 0 && free.Count == 0)
            {
                var blocker = open.FirstOrDefault(g => g.Exactness == "inexact") ?? open[0];
                findings.Add(blocker.Exactness == "inexact"
                    ? new(Ids.Inexact, site, "AllowInexact", [rule.Name, blocker.Name, blocker.Reason])
                    : new(Ids.Frozen, site, "", [rule.Name, blocker.Name, blocker.Reason]));
                continue;
            }
            if (policy.ProtectsEnds && free.Count > 0)
            {
                var ends = new[] { free[0], free[free.Count - 1] }.SelectMany(g => new[] { g.Id, g.Partner }).ToArray();
                free.RemoveAll(g => ends.Contains(g.Id));
                if (free.Count == 0)
                    findings.Add(new(Ids.NothingRemoved, site, "",
                        [rule.Name, "there are no groups between the first and the last, which stay whole"]));
            }
            RuleModel? before = null;
            var disagrees = false;
            foreach (var group in free)
            {
                if (!owner.TryGetValue(group.Id, out var other))
                {
                    owner[group.Id] = rule;
                    own.Add(group);
                    continue;
                }
                before ??= other;
                if (disagrees || prune.Pattern == "*" || SameWish(rule, other)) continue;
                findings.Add(new(Ids.Disagree, site, "",
                    [rule.Name, other.Name, group.Name, Through(other.Prune!.Pattern, group), Through(prune.Pattern, group)]));
                disagrees = true;
            }
            if (own.Count == 0 && !disagrees)
                findings.Add(new(Ids.NothingRemoved, site, "",
                    [rule.Name, before is null
                        ? "everything that it matches is protected"
                        : $"every group that it matches belongs to the earlier rule '{before.Name}'"]));
        }
        return owned;
    }

    private static string Present(Manifest manifest)
    {
        var kinds = manifest.Groups.Where(g => g.Exactness != "frozen").Select(g => g.Kind).Distinct(StringComparer.Ordinal)
            .OrderBy(k => k, StringComparer.Ordinal).ToList();
        return kinds.Count == 0 ? "" : ", it has " + string.Join(", ", kinds);
    }

    private static bool SameWish(RuleModel a, RuleModel b)
        => a.Score == b.Score && a.Aggregate == b.Aggregate && a.ScoreFile == b.ScoreFile && a.ScoreMethod == b.ScoreMethod
            && a.Compensate == b.Compensate && a.Axis == b.Axis && a.Prune! with { Pattern = "" } == b.Prune! with { Pattern = "" };

    private static List<ManifestBlock> Candidates(PolicyModel policy, Manifest manifest, RuleModel rule, List<Finding> findings)
    {
        var drop = rule.Drop!;
        var site = new Site(rule.Name, "DropAttribute");
        var word = PolicyChecks.Words(drop.Axis);
        var ofKind = manifest.Blocks.Where(b => b.IsSublayer == (drop.Axis == "Sublayers")).ToList();
        var matching = ofKind.Where(b => Glob.Matches(drop.Pattern, b.Name)).ToList();
        if (matching.Count == 0)
        {
            findings.Add(ofKind.Count > 0
                ? NoMatch(site, drop.Pattern, $"one of the {word}", ofKind.Select(b => b.Name))
                : new(Ids.NoMatch, site, "",
                    [drop.Pattern, $"one of the {word}",
                        "; the model has none: no region of it runs between a residual stream and its Add"]));
            return [];
        }
        var free = matching.Where(b => !policy.Protect.Any(p => Glob.Matches(p, b.Name))).ToList();
        if (policy.ProtectsEnds && free.Count > 0) free = [.. free.Skip(1).Take(free.Count - 2)];
        if (free.Count == 0) findings.Add(new(Ids.NothingRemoved, site, "", [rule.Name, "everything that it matches is protected"]));
        else if (drop.AtMost >= ofKind.Count && free.Count == ofKind.Count)
            findings.Add(new(Ids.NothingLeft, site, "",
                [rule.Name, FormattableString.Invariant($"AtMost is {drop.AtMost}, and the model has {ofKind.Count} {word}"),
                    "Drop fewer"]));
        else if (drop.AtMost > free.Count)
            findings.Add(new(Ids.OutOfRange, site, "",
                ["AtMost", PolicyChecks.Number(drop.AtMost),
                    FormattableString.Invariant($"at most {free.Count}, because the rule may choose from so many {word}")]));
        return free;
    }
}

/// <summary>A rule with the groups that it owns.</summary>
internal sealed record OwnedGroups(RuleModel Rule, List<ManifestGroup> Groups);
