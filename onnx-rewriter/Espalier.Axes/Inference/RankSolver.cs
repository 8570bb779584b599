using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Notation;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Inference;

/// <summary>
/// Ranks of tensors whose maker has no rule. What an operator without a rule gives is read by others, and these prescribe how many axes
/// their operands have: a convolution by its weight, a Transpose by its permutation, a product by the rank of its result. Ranks are
/// carried forwards and backwards through the graph until nothing more follows.
/// </summary>
internal sealed class RankSolver
{
    // Every round walks the graph both ways; a rank that is not found by then stays unknown.
    private const int MostRounds = 8;

    private readonly Dictionary<TensorState, int> _ranks = [];
    private bool _changed;

    private RankSolver()
    {
    }

    /// <summary>Ranks that follow for tensors without terms.</summary>
    /// <param name="records">The nodes, after an inference.</param>
    /// <param name="declared">Ranks that the file states.</param>
    public static Dictionary<(int Scope, string Name), int> Solve(IReadOnlyList<NodeRecord> records,
        IReadOnlyDictionary<string, int> declared)
    {
        var self = new RankSolver();
        foreach (var tensor in records.SelectMany(r => r.Inputs.OfType<TensorState>().Concat(r.Outputs)))
            if (tensor.Terms?.Length is { } rank || declared.TryGetValue(tensor.Name, out rank)) self._ranks[tensor] = rank;
        for (int round = 0; round < MostRounds; round++)
        {
            self._changed = false;
            foreach (var record in records) self.Relate(record);
            foreach (var record in records.Reverse()) self.Relate(record);
            if (!self._changed) break;
        }
        return self._ranks.Where(r => r.Key.Terms is null && r.Key.Name.Length > 0).DistinctBy(r => (r.Key.Scope, r.Key.Name))
            .ToDictionary(r => (r.Key.Scope, r.Key.Name), r => r.Value);
    }

    private int? Of(TensorState? tensor) => tensor is not null && _ranks.TryGetValue(tensor, out int rank) ? rank : null;

    private void Set(TensorState? tensor, int? rank)
    {
        if (tensor is null || tensor.Name.Length == 0 || rank is not (>= 0 and <= 64) || _ranks.ContainsKey(tensor)) return;
        _ranks[tensor] = rank.Value;
        _changed = true;
    }

    private void Relate(NodeRecord record)
    {
        if (record.Outputs.Length == 0
            || record.Inputs.Concat(record.Outputs).All(t => t is null || t.Name.Length == 0 || _ranks.ContainsKey(t))) return;
        if (CodeRules.Find(record.Info.Proto.Domain, record.Info.Proto.OpType) is { } rule)
        {
            if (record.Inputs.Length > 0) ByCode(record, rule.Ranks);
        }
        else ByTable(record);
    }

    private void ByCode(NodeRecord record, RankRule rule)
    {
        var (x, y) = (record.Inputs[0], record.Outputs[0]);
        switch (rule)
        {
            case RankRule.Same:
                Both(0);
                break;
            case RankRule.AllSame:
                TensorState?[] all = [.. record.Inputs, .. record.Outputs];
                int? known = all.Select(Of).FirstOrDefault(r => r is not null);
                foreach (var tensor in all) Set(tensor, known);
                break;
            case RankRule.Listed when Ints(record, "perm") is { } order:
                Set(x, order.Length);
                Both(0);
                break;
            case RankRule.Matrix:
                Set(y, 2);
                break;
            case RankRule.More or RankRule.Fewer:
                var axes = Ints(record, "axes") ?? record.Inputs.ElementAtOrDefault(1)?.Value?.Numbers;
                if (axes is not null) Both(rule == RankRule.More ? axes.Length : -axes.Length);
                break;
            case RankRule.Reduced when record.Info.Proto.Attribute.All(a => a.Name != "keepdims" || a.I == 1):
                Both(0);
                break;
            case RankRule.Gathered when Of(record.Inputs.ElementAtOrDefault(1)) is { } indices:
                Both(indices - 1);
                break;
        }

        void Both(int more)
        {
            foreach (var output in record.Outputs) Set(output, Of(x) + more);
            Set(x, Of(y) - more);
        }
    }

    private static long[]? Ints(NodeRecord record, string name)
        => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == name) is { } attribute ? [.. attribute.Ints] : null;

    /// <summary>What all lines of the table that still fit say of a tensor.</summary>
    private void ByTable(NodeRecord record)
    {
        TensorState?[] tensors = [.. record.Inputs, .. record.Outputs];
        int?[]? agreed = null;
        foreach (var rule in OperatorTable.Find(record.Info.Proto.Domain, record.Info.Proto.OpType))
        {
            if (!rule.HoldsFor(record) || Implied(record, rule, tensors) is not { } implied) continue;
            agreed = agreed is null ? implied : [.. agreed.Zip(implied, (a, b) => a == b ? a : null)];
        }
        for (int k = 0; k < tensors.Length && agreed is not null; k++) Set(tensors[k], agreed[k]);
    }

    /// <summary>Ranks that a line gives its operands and results; null where it contradicts what is known.</summary>
    private int?[]? Implied(NodeRecord record, OperatorRule rule, TensorState?[] tensors)
    {
        var patterns = new OperandPattern?[tensors.Length];
        for (int k = 0; k < tensors.Length; k++)
        {
            int result = k - record.Inputs.Length;
            patterns[k] = result >= 0 ? rule.Results.ElementAtOrDefault(result) : rule.PatternOf(k);
            if (tensors[k] is null || tensors[k]!.Name.Length == 0 || patterns[k] is { Opaque: true } or { Ignored: true })
                patterns[k] = null;
            else if (patterns[k] is { Absent: true }
                || (patterns[k] is not null && Of(tensors[k]) is { } rank && !patterns[k]!.MatchesRank(rank))) return null;
        }
        var packs = new Dictionary<string, int>(StringComparer.Ordinal);
        // Positions of a feature map, of a kernel and of the result are as many.
        string? Run(OperandPattern pattern) => Pack(pattern) is { Length: > 0 } run ? rule.Geometry.Length > 0 ? "window" : run : null;
        for (int k = 0; k < tensors.Length; k++)
        {
            // A named run of axes is as long everywhere; those that broadcast are as many as the result's at most.
            if (patterns[k] is not { } pattern || Run(pattern) is not { } name || Of(tensors[k]) is not { } rank) continue;
            int length = rank - Fixed(pattern);
            if (packs.TryGetValue(name, out int known) && known != length) return null;
            packs[name] = length;
        }
        if (!Broadcast(record, tensors, patterns, out var broadcast)) return null;
        return [.. patterns.Select((p, k) => p switch
        {
            null => null,
            { Broadcast: true } => null,
            _ when Pack(p) is not { } pack => p.Axes.Length,
            _ when Run(p) is { } pack => packs.TryGetValue(pack, out int length) ? length + Fixed(p) : (int?)null,
            _ => broadcast?[k] + Fixed(p),
        })];
    }

    /// <summary>Axes in front of every operand and result that broadcast; null where the result's number is not known.</summary>
    /// <returns>False where what is known contradicts the line.</returns>
    private bool Broadcast(NodeRecord record, TensorState?[] tensors, OperandPattern?[] patterns, out int?[]? leads)
    {
        leads = null;
        int?[] lead = [.. tensors.Select((t, k) => patterns[k] is { } p && Pack(p) is "" ? Of(t) - Fixed(p) : null)];
        var operands = Enumerable.Range(0, record.Inputs.Length).Where(k => patterns[k] is { } p && Pack(p) is "").ToList();
        int? all = lead.Skip(record.Inputs.Length).FirstOrDefault(l => l is not null);
        bool known = operands.Count > 0 && operands.All(k => lead[k] is not null);
        if (known) all ??= operands.Max(k => lead[k]);
        if (all is null) return true;
        if (operands.Any(k => lead[k] > all) || (known && operands.Max(k => lead[k]) != all)) return false;
        var open = operands.Where(k => lead[k] is null).ToList();
        // The longest operand has as many as the result; where only one can be that, it is.
        bool reached = operands.Any(k => lead[k] == all);
        foreach (int k in open) if (all == 0 || (open.Count == 1 && !reached)) lead[k] = all;
        for (int k = record.Inputs.Length; k < lead.Length; k++) if (patterns[k] is { } p && Pack(p) is "") lead[k] = all;
        leads = lead;
        return true;
    }

    private static string? Pack(OperandPattern pattern) => pattern.Axes.OfType<AxisPattern.Pack>().FirstOrDefault()?.Name;

    private static int Fixed(OperandPattern pattern) => pattern.Axes.Count(a => a is not AxisPattern.Pack);
}
