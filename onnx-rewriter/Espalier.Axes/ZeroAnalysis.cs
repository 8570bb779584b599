namespace Espalier.Axes;

/// <summary>
/// The proof that removal equals masking. In the masked dense model every parameter of a removed unit is zero; a sum over the unit
/// then loses nothing exactly if one of its operands is zero there. This pass finds, tensor by tensor, for which factors that holds.
/// Zero of a quantised tensor is its zero point (see <see cref="ZeroDemands"/>).
/// </summary>
internal static class ZeroAnalysis
{
    public static void Run(InferenceState state)
    {
        var demands = new ZeroDemands(state);
        var parameters = new HashSet<TensorState>();
        Walk(0, state.Records.Count);
        foreach (var record in state.Records)
        {
            foreach (var (term, operands) in record.Sums)
            {
                foreach (var leaf in term.Leaves)
                    if (!operands.Any(o => IsZeroAt(state, record, o, leaf, null)))
                        state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it sums values that a removed unit does not leave zero", Node: record.Info.Ordinal));
            }
            foreach (int pole in record.Poles)
            {
                foreach (var leaf in record.Inputs.ElementAtOrDefault(pole) is { Point: null } tensor ? tensor.Zero : [])
                    state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it is infinite or undefined where a removed unit is zero", Node: record.Info.Ordinal));
            }
        }

        void Walk(int from, int to)
        {
            for (int at = from; at < to; at++)
            {
                var record = state.Records[at];
                foreach (var input in record.Inputs)
                    if (input is { IsParameter: true } && parameters.Add(input)) SetParameter(input);
                if (record.Bodies is { } bodies)
                {
                    Steps(at + 1, bodies);
                    at = bodies.End - 1;
                }
                for (int k = 0; k < record.Outputs.Length; k++)
                {
                    if (record.Bodies is { } graphs) SetResult(record.Outputs[k], graphs.Outputs.ElementAtOrDefault(k) ?? []);
                    else if (!record.Outputs[k].IsParameter) SetOutput(state, record, k);
                    else if (parameters.Add(record.Outputs[k])) SetParameter(record.Outputs[k]);
                }
            }
        }

        // A state is zero in every step if it is at first and if, where it is in one step, it is in the next.
        void Steps(int first, NodeBodies bodies)
        {
            const int MaxRounds = 8;
            foreach (var (inner, outer, _) in bodies.Inputs) inner.Zero = outer.Point is null ? [.. outer.Zero.Intersect(Leaves(inner))] : [];
            for (int round = 0; ; round++)
            {
                Walk(first, bodies.End);
                bool holds = true;
                foreach (var (inner, _, next) in bodies.Inputs)
                {
                    if (next is null || (next.Point is null && inner.Zero.IsSubsetOf(next.Zero))) continue;
                    if (round >= MaxRounds || next.Point is not null) inner.Zero = [];
                    else inner.Zero = [.. inner.Zero.Intersect(next.Zero)];
                    holds = false;
                }
                if (holds) return;
            }
        }

        void SetParameter(TensorState tensor)
        {
            if (demands.IsUnmasked(tensor)) return;
            if (demands.TryPoint(tensor, out var point))
            {
                tensor.Point = point;
                tensor.Zero = Leaves(tensor);
                return;
            }
            foreach (var leaf in Leaves(tensor))
                state.Inexact.Add(new(Term.Of(leaf), $"weight '{tensor.Name}': its readers do not agree on a zero point that it could be masked with"));
        }
    }

    private static HashSet<Factor> Leaves(TensorState tensor) => [.. (tensor.Terms ?? []).SelectMany(t => t.Leaves)];

    /// <summary>What comes out of graphs is zero where it is in each of them.</summary>
    private static void SetResult(TensorState output, TensorState[] results)
    {
        output.Zero = results.Length == 0 || results.Any(r => r.Point is not null) ? []
            : [.. Leaves(output).Where(leaf => leaf.Size is not null && results.All(r => r.Zero.Contains(leaf)))];
    }

    private static void SetOutput(InferenceState state, NodeRecord record, int index)
    {
        var output = record.Outputs[index];
        (output.Zero, output.Point) = ([], null);
        if (output.Terms is null) return;
        if (record.Quantized.FirstOrDefault(q => q.Operand == ~index) is { } quantized) output.Point = ZeroPoint.Of(state, record, quantized);
        else if (index == 0 && ZeroDemands.Moved(record) is { } moved)
        {
            var points = moved.Select(k => record.Inputs.ElementAtOrDefault(k)).Where(t => t?.Zero.Count > 0).Select(t => t!.Point).Distinct().ToList();
            if (points.Count > 1 || points is [{ IsUniform: false }]) return;
            output.Point = points.FirstOrDefault();
            if (!record.FillKeeps(output.Point)) return;
        }
        var (rule, operands) = record.ResultZeros.TryGetValue(index, out var own) ? own : (record.Zero, record.ZeroOperands);
        foreach (var leaf in output.Terms.SelectMany(t => t.Leaves).Distinct())
        {
            if (leaf.Size is not null && IsZero(state, record, leaf, output.Point, rule, operands)) output.Zero.Add(leaf);
        }
    }

    private static bool IsZero(InferenceState state, NodeRecord record, Factor factor, ZeroPoint? point, ZeroRule rule, int[]? chosen)
    {
        if (record.ZeroTerms.Any(t => t.Leaves.Contains(factor)) && (point is null || record.Fill is not null)
            && (record.Inputs.ElementAtOrDefault(0) is not { } data || !Carries(data, factor) || Zero(0))) return true;
        IEnumerable<int> operands = chosen ?? Enumerable.Range(0, record.Inputs.Length);
        switch (rule)
        {
            case ZeroRule.First: return Zero(0);
            case ZeroRule.Any: return operands.Any(Zero);
            case ZeroRule.All when record.Info.Proto.OpType is "Concat" or "QLinearConcat":
                // Operands without the factor have no position in its units.
                return operands.All(k => record.Inputs[k] is not { } part || !Carries(part, factor) || Zero(k));
            case ZeroRule.All:
            case ZeroRule.Affine:
                return operands.All(k => record.Inputs.ElementAtOrDefault(k) is null || Zero(k));
            case ZeroRule.Contraction or ZeroRule.Scaled:
                var (left, right, bias) = record.Contraction is { } product ? (product.Left, product.Right, product.Bias) : (0, 1, 2);
                if (rule == ZeroRule.Scaled) right = 2;
                return (Zero(left) || Zero(right)) && (record.Inputs.ElementAtOrDefault(bias) is null || Zero(bias));
            default: return false;
        }

        bool Zero(int operand) => IsZeroAt(state, record, operand, factor, point);
    }

    /// <summary>Whether an operand is, at removed units, what the operator takes for zero there.</summary>
    /// <param name="state">The state.</param>
    /// <param name="record">The node.</param>
    /// <param name="operand">Index of the operand.</param>
    /// <param name="factor">The factor.</param>
    /// <param name="moved">The zero point of the result, for operators that only move elements.</param>
    private static bool IsZeroAt(InferenceState state, NodeRecord record, int operand, Factor factor, ZeroPoint? moved)
    {
        if (record.Inputs.ElementAtOrDefault(operand) is not { } tensor || !tensor.Zero.Contains(factor)) return false;
        var expected = record.Quantized.FirstOrDefault(q => q.Operand == operand) is { } quantized ? ZeroPoint.Of(state, record, quantized)
            : ZeroDemands.Moved(record)?.Contains(operand) == true ? moved : null;
        return Equals(tensor.Point, expected);
    }

    private static bool Carries(TensorState tensor, Factor factor) => tensor.Terms?.Any(t => t.Leaves.Contains(factor)) == true;
}
