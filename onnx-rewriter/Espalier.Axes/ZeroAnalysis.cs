namespace Espalier.Axes;

/// <summary>
/// The proof that removal equals masking. In the masked dense model every parameter of a removed unit is zero; a sum over the unit
/// then loses nothing exactly if one of its operands is zero there. This pass finds, tensor by tensor, for which factors that holds.
/// </summary>
internal static class ZeroAnalysis
{
    public static void Run(InferenceState state)
    {
        var parameters = new HashSet<TensorState>();
        foreach (var record in state.Records)
        {
            foreach (var input in record.Inputs)
                if (input is { IsParameter: true } && parameters.Add(input)) input.Zero = Leaves(input);
            foreach (var (term, operands) in record.Sums)
            {
                foreach (var leaf in term.Leaves)
                    if (!operands.Any(o => record.Inputs.ElementAtOrDefault(o)?.Zero.Contains(leaf) == true))
                        state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it sums values that a removed unit does not leave zero", Node: record.Info.Ordinal));
            }
            foreach (int pole in record.Poles)
            {
                foreach (var leaf in record.Inputs.ElementAtOrDefault(pole)?.Zero ?? [])
                    state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it is infinite or undefined where a removed unit is zero", Node: record.Info.Ordinal));
            }
            for (int k = 0; k < record.Outputs.Length; k++)
            {
                var output = record.Outputs[k];
                var (rule, operands) = record.ResultZeros.TryGetValue(k, out var own) ? own : (record.Zero, record.ZeroOperands);
                output.Zero = output.IsParameter ? Leaves(output) : OutputZeros(record, output, rule, operands);
            }
        }
    }

    private static HashSet<Factor> Leaves(TensorState tensor) => [.. (tensor.Terms ?? []).SelectMany(t => t.Leaves)];

    private static HashSet<Factor> OutputZeros(NodeRecord record, TensorState output, ZeroRule rule, int[]? chosen)
    {
        var zeros = new HashSet<Factor>();
        if (output.Terms is null) return zeros;
        foreach (var leaf in output.Terms.SelectMany(t => t.Leaves).Distinct())
        {
            if (leaf.Size is null) continue;
            if (IsZero(record, leaf, rule, chosen)) zeros.Add(leaf);
        }
        return zeros;
    }

    private static bool IsZero(NodeRecord record, Factor factor, ZeroRule rule, int[]? chosen)
    {
        if (record.ZeroTerms.Any(t => t.Leaves.Contains(factor)) && (record.Inputs.ElementAtOrDefault(0) is not { } data || !Carries(data, factor) || data.Zero.Contains(factor))) return true;
        IEnumerable<TensorState?> operands = chosen is not null ? chosen.Select(o => record.Inputs.ElementAtOrDefault(o)) : record.Inputs;
        switch (rule)
        {
            case ZeroRule.First: return record.Inputs.ElementAtOrDefault(0)?.Zero.Contains(factor) == true;
            case ZeroRule.Any: return operands.Any(o => o?.Zero.Contains(factor) == true);
            case ZeroRule.All when record.Info.Proto.OpType == "Concat":
                // Operands without the factor have no position in its units.
                return record.Inputs.All(o => o is null || !Carries(o, factor) || o.Zero.Contains(factor));
            case ZeroRule.All:
            case ZeroRule.Affine:
                return operands.All(o => o is null || o.Zero.Contains(factor));
            case ZeroRule.Contraction:
                return record.Inputs.Take(2).Any(o => o?.Zero.Contains(factor) == true)
                    && (record.Inputs.ElementAtOrDefault(2) is not { } bias || bias.Zero.Contains(factor));
            default: return false;
        }
    }

    private static bool Carries(TensorState tensor, Factor factor) => tensor.Terms?.Any(t => t.Leaves.Contains(factor)) == true;
}
