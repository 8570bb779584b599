using Espalier.Generator.Collections;
using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;
using Espalier.Planning;

namespace Espalier.Generator.Planning;

/// <summary>
/// Resolves a policy against the manifest of its model: which groups each rule owns, how many units stay, what the model then
/// costs, and what is wrong. Generator and analyzer both call it, so that what is reported and what is emitted cannot differ.
/// </summary>
internal sealed class PolicyResolver
{
    private readonly PolicyModel _policy;
    private readonly Manifest _manifest;
    private readonly Findings _findings;

    private PolicyResolver(PolicyModel policy, Manifest manifest, Findings findings)
        => (_policy, _manifest, _findings) = (policy, manifest, findings);

    public static Resolution Resolve(PolicyModel policy, Manifest? manifest)
    {
        var findings = new Findings();
        PolicyChecks.Check(policy, findings);
        EncoderChecks.Check(policy, manifest, findings);
        ImageChecks.Check(policy, manifest, findings);
        var resolved = manifest is null
            ? new ResolvedPolicy(policy) { Rules = policy.Rules.Select(r => new RuleTargets(r, [], [])).ToEquatable() }
            : new PolicyResolver(policy, manifest, findings).Resolve();
        return new(resolved, findings.ToEquatable());
    }

    private ResolvedPolicy Resolve()
    {
        CheckProtect();
        var owned = Own();
        var drops = _policy.Rules.Where(rule => rule.IsDrop).Select(rule => new DroppedBlocks(rule, Candidates(rule, rule.Drop!))).ToList();
        var sizes = Sizing.Solve(_policy, _manifest, owned, drops, _findings);
        var groups = _manifest.Groups.Where(g => g.Exactness != "frozen").ToList();
        var groupAt = groups.Select((g, i) => (g.Id, i)).ToDictionary(e => e.Id, e => e.i);
        var blockAt = _manifest.Blocks.Select((b, i) => (b.Id, i)).ToDictionary(e => e.Id, e => e.i);
        var cost = new CostPolynomial(_manifest);
        return new(_policy)
        {
            HasModel = true,
            Inputs = _manifest.Inputs,
            Outputs = _manifest.Outputs,
            Groups = groups.Select(g => Sized(g, sizes)).ToEquatable(),
            Blocks = _manifest.Blocks
                .Select(b => new SizedBlock(b.Name, b.IsSublayer, cost.EvaluateBlock(b, "macs"), cost.EvaluateBlock(b, "parameters")))
                .ToEquatable(),
            Rules = _policy.Rules.Select(r => new RuleTargets(
                r,
                owned.FirstOrDefault(o => o.Rule == r)?.Groups.Select(g => groupAt[g.Id]).ToEquatable() ?? [],
                drops.Where(d => d.Rule == r).SelectMany(d => d.Candidates).Select(b => blockAt[b.Id]).ToEquatable())).ToEquatable(),
            Macs = sizes.Range("macs"),
            Parameters = sizes.Range("parameters"),
            Bytes = sizes.Range("bytes"),
        };
    }

    private static SizedGroup Sized(ManifestGroup group, Sizing sizes) => new()
    {
        Name = group.Name,
        Kind = group.Kind,
        Before = group.Size,
        MinAfter = sizes.Least(group),
        MaxAfter = sizes.Most(group),
        Inexact = group.Exactness == "inexact" ? group.Reason : "",
        Members = group.Members,
    };

    private static bool Matches(string pattern, ManifestGroup group)
        => Glob.Matches(pattern, group.Name) || group.Weights.Any(w => Matches(pattern, w));

    private static bool Matches(string pattern, ManifestWeight weight)
        => Glob.Matches(pattern, weight.Name) || (weight.Alias.Length > 0 && Glob.Matches(pattern, weight.Alias));

    /// <summary>Name of the weight, or of the group, through which a pattern matches.</summary>
    private static string Through(string pattern, ManifestGroup group)
    {
        if (Glob.Matches(pattern, group.Name)) return group.Name;
        var weight = group.Weights.First(w => Matches(pattern, w));
        return weight.Readable + group.Members.First(m => ManifestGroup.TensorOf(m) == weight.Name).Substring(weight.Name.Length);
    }

    private static IEnumerable<string> NamesOf(IEnumerable<ManifestGroup> groups)
        => groups.SelectMany(g => g.Weights.Select(w => w.Readable).Prepend(g.Name)).Distinct(StringComparer.Ordinal);

    private void CheckProtect()
    {
        for (var i = 0; i < _policy.Protect.Count; i++)
        {
            var pattern = _policy.Protect[i];
            if (_manifest.Groups.Any(g => Matches(pattern, g)) || _manifest.Blocks.Any(b => Glob.Matches(pattern, b.Name))) continue;
            AddNoMatch(AttributeSite.OfClass(nameof(ProtectAttribute), i).At(AttributeSite.Pattern), pattern, "group, weight or block",
                NamesOf(_manifest.Groups).Concat(_manifest.Blocks.Select(b => b.Name)));
        }
    }

    private void AddNoMatch(AttributeSite site, string pattern, string what, IEnumerable<string> names)
    {
        var nearest = names.Select(n => (Name: n, Nearest: NearestPattern.Find(pattern, n))).OrderBy(n => n.Nearest.Distance)
            .ThenBy(n => n.Name, StringComparer.Ordinal).Take(3).ToList();
        var hint = nearest.Count == 0 ? "" : "; the nearest names are " + string.Join(", ", nearest.Select(n => $"'{n.Name}'"));
        _findings.Add(new(Ids.NoMatch, site, nearest.Count == 0 ? "" : nearest[0].Nearest.Corrected,
            [$"The pattern '{pattern}' matches no {what}", hint]));
    }

    /// <summary>The model has nothing of a rule's kind: whatever its pattern is, that is not the mistake.</summary>
    private void AddNone(AttributeSite site, Axis axis, string instead)
        => _findings.Add(Ids.NoMatch, site.At("axis"), $"Rule '{site.Member}' is on {PolicyChecks.Plural(axis)}, and the model has none",
            instead);

    /// <summary>
    /// Gives every group to the first rule that names it. A later rule with <c>*</c> takes what is left; a later rule that
    /// names a taken group and wants something else disagrees.
    /// </summary>
    private List<OwnedGroups> Own()
    {
        var owned = new List<OwnedGroups>();
        var owner = new Dictionary<int, RuleModel>();
        foreach (var rule in _policy.Rules.Where(rule => rule.IsPrune))
        {
            var own = new OwnedGroups(rule, []);
            owned.Add(own);
            if (Free(rule.Name, rule.Prune!) is { } free) Claim(own, free, owner);
        }
        return owned;
    }

    /// <summary>The groups that a rule names and may prune; null where that is a mistake, which is then reported.</summary>
    private List<ManifestGroup>? Free(string name, PruneModel prune)
    {
        var site = new AttributeSite(name, nameof(PruneAttribute));
        var row = AxisRow.Get(prune.Axis);
        var ofKind = _manifest.Groups.Where(g => row.Kinds.Contains(g.Kind)).ToList();
        var matching = ofKind.Where(g => Matches(prune.Pattern, g)).ToList();
        if (matching.Count == 0)
        {
            if (ofKind.Count > 0)
                AddNoMatch(site.At(AttributeSite.Pattern), prune.Pattern, $"group of {row.Plural}", NamesOf(ofKind));
            else AddNone(site, prune.Axis, Present());
            return null;
        }
        var open = matching.Where(g => !_policy.Protect.Any(p => Matches(p, g))).ToList();
        var free = open.Where(g => g.Exactness == "exact" || (g.Exactness == "inexact" && prune.AllowInexact)).ToList();
        if (open.Count > 0 && free.Count == 0)
        {
            var blocker = open.FirstOrDefault(g => g.Exactness == "inexact") ?? open[0];
            site = site.At(AttributeSite.Pattern);
            if (blocker.Exactness == "inexact")
                _findings.Add(new(Ids.Inexact, site, nameof(PruneAttribute.AllowInexact), [name, blocker.Name, blocker.Reason]));
            else _findings.Add(Ids.Frozen, site, name, blocker.Name, blocker.Reason);
            return null;
        }
        if (_policy.ProtectsEnds && free.Count > 0)
        {
            var ends = new[] { free[0], free[free.Count - 1] }.SelectMany(g => new[] { g.Id, g.Partner }).ToArray();
            free.RemoveAll(g => ends.Contains(g.Id));
            if (free.Count == 0)
                _findings.Add(Ids.NothingRemoved, site, name, "there are no groups between the first and the last, which stay whole");
        }
        return free;
    }

    /// <summary>Gives a rule what no rule before it has, and says where it disagrees with one.</summary>
    private void Claim(OwnedGroups own, List<ManifestGroup> free, Dictionary<int, RuleModel> owner)
    {
        var (rule, prune) = (own.Rule, own.Rule.Prune!);
        var site = new AttributeSite(rule.Name, nameof(PruneAttribute));
        RuleModel? before = null;
        var disagrees = false;
        foreach (var group in free)
        {
            if (!owner.TryGetValue(group.Id, out var other))
            {
                owner[group.Id] = rule;
                own.Groups.Add(group);
                continue;
            }
            before ??= other;
            if (disagrees || prune.Pattern == "*" || SameWish(rule, other)) continue;
            _findings.Add(Ids.Disagree, site.At(AttributeSite.Pattern), rule.Name, other.Name, group.Name,
                Through(other.Prune!.Pattern, group), Through(prune.Pattern, group));
            disagrees = true;
        }
        if (own.Groups.Count > 0 || disagrees) return;
        _findings.Add(Ids.NothingRemoved, site, rule.Name, before is null
            ? "everything that it matches is protected"
            : $"every group that it matches belongs to the earlier rule '{before.Name}'");
    }

    /// <summary>What rules could be on instead, as they name it.</summary>
    private string Present()
    {
        var kinds = AxisRow.All.Where(row => _manifest.Groups.Any(g => g.Exactness != "frozen" && row.Kinds.Contains(g.Kind)))
            .Select(row => $"Axis.{row.Axis}").ToList();
        return kinds.Count == 0 ? "; it has no group that a rule can prune" : "; it has groups for " + string.Join(", ", kinds);
    }

    private static bool SameWish(RuleModel a, RuleModel b)
        => a.Score == b.Score && a.Compensate == b.Compensate && a.Axis == b.Axis
            && a.Prune! with { Pattern = "" } == b.Prune! with { Pattern = "" };

    private List<ManifestBlock> Candidates(RuleModel rule, DropModel drop)
    {
        var site = new AttributeSite(rule.Name, nameof(DropAttribute));
        var word = AxisRow.Get(drop.Axis).Plural;
        var ofKind = _manifest.Blocks.Where(b => b.IsSublayer == (drop.Axis == Axis.Sublayers)).ToList();
        var matching = ofKind.Where(b => Glob.Matches(drop.Pattern, b.Name)).ToList();
        if (matching.Count == 0)
        {
            if (ofKind.Count > 0) AddNoMatch(site.At(AttributeSite.Pattern), drop.Pattern, $"one of the {word}",
                ofKind.Select(b => b.Name));
            else AddNone(site, drop.Axis, ": no region of it runs between a residual stream and its Add");
            return [];
        }
        var free = matching.Where(b => !_policy.Protect.Any(p => Glob.Matches(p, b.Name))).ToList();
        if (_policy.ProtectsEnds && free.Count > 0) free = [.. free.Skip(1).Take(free.Count - 2)];
        if (free.Count == 0) _findings.Add(Ids.NothingRemoved, site, rule.Name, "everything that it matches is protected");
        else if (drop.AtMost >= ofKind.Count && free.Count == ofKind.Count)
            _findings.Add(Ids.NothingLeft, site.At(nameof(DropAttribute.AtMost)), rule.Name,
                FormattableString.Invariant($"AtMost is {drop.AtMost}, and the model has {ofKind.Count} {word}"), "Drop fewer");
        else if (drop.AtMost > free.Count)
            _findings.Add(Ids.OutOfRange, site.At(nameof(DropAttribute.AtMost)), nameof(DropAttribute.AtMost),
                PolicyChecks.Number(drop.AtMost),
                FormattableString.Invariant($"at most {free.Count}, because the rule may choose from so many {word}"));
        return free;
    }
}

/// <summary>A rule with the groups that it owns.</summary>
internal sealed record OwnedGroups(RuleModel Rule, List<ManifestGroup> Groups);

/// <summary>A rule on depth with the blocks that it may choose from.</summary>
internal sealed record DroppedBlocks(RuleModel Rule, List<ManifestBlock> Candidates);
