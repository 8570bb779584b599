using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Zeros;

/// <summary>
/// The proof that removal equals masking. In the masked dense model every parameter of a removed unit is zero; a sum over the unit
/// then loses nothing exactly if one of its operands is zero there. This pass finds, tensor by tensor, for which factors that holds.
/// Zero of a quantised tensor is its zero point (see <see cref="ZeroDemands"/>).
/// </summary>
internal sealed class ZeroAnalysis
{
    // A body whose states do not settle by then is taken to keep nothing zero.
    private const int MostRounds = 8;

    private readonly InferenceState _state;

    private ZeroAnalysis(InferenceState state) => _state = state;

    public static void Run(InferenceState state)
    {
        var self = new ZeroAnalysis(state);
        self.SetParameters();
        self.Propagate(0, state.Records.Count);
        foreach (var record in state.Records) self.Judge(record);
    }

    /// <summary>Weights are zero at the removed units of all of their axes, or at their readers' zero point.</summary>
    private void SetParameters()
    {
        var demands = new ZeroDemands(_state);
        var seen = new HashSet<TensorState>();
        foreach (var record in _state.Records)
            foreach (var tensor in record.Inputs.Concat(record.Outputs))
            {
                if (tensor is not { IsParameter: true } || !seen.Add(tensor) || demands.IsUnmasked(tensor)) continue;
                if (demands.TryPoint(tensor, out var point))
                {
                    tensor.Point = point;
                    foreach (var term in tensor.Terms ?? []) tensor.Zero.Add(term);
                    continue;
                }
                foreach (var leaf in (tensor.Terms ?? []).SelectMany(t => t.Leaves).Distinct())
                    _state.Inexact.Add(new(Term.Of(leaf),
                        $"weight '{tensor.Name}': its readers do not agree on a zero point that it could be masked with",
                        Tensor: tensor.Name, OfMasking: true));
            }
    }

    /// <summary>Walks over the nodes from <paramref name="first"/> on; graphs inside nodes come right behind them.</summary>
    private void Propagate(int first, int end)
    {
        for (int n = first; n < end; n++)
        {
            var record = _state.Records[n];
            if (record.Body is { } body)
            {
                Settle(body, n + 1);
                n = body.End - 1;
                continue;
            }
            for (int k = 0; k < record.Outputs.Length; k++)
                if (!record.Outputs[k].IsParameter) SetOutput(_state, record, k);
        }
    }

    /// <summary>A state is zero where its first value is and where the body leaves it so: the greatest set for which that holds.</summary>
    private void Settle(BodyLinks body, int first)
    {
        foreach (var (operand, inner) in body.Slices) (inner.Zero, inner.Point) = (operand.Zero, operand.Point);
        foreach (var (value, inner, _, _) in body.States) (inner.Zero, inner.Point) = (value.Zero, value.Point);
        for (int round = 0; ; round++)
        {
            Propagate(first, body.End);
            bool holds = true;
            foreach (var (_, inner, next, _) in body.States)
            {
                var both = !Equals(inner.Point, next.Point) || round == MostRounds ? new ZeroSet() : inner.Zero.Intersect(next.Zero);
                if (both == inner.Zero || (both.IsEmpty && inner.Zero.IsEmpty)) continue;
                inner.Zero = both;
                holds = false;
            }
            if (holds) break;
        }
        foreach (var (_, inner, _, last) in body.States) (last.Zero, last.Point) = (inner.Zero, inner.Point);
        foreach (var (result, inner) in body.Results)
        {
            if (inner.Any(t => !Equals(t.Point, inner[0].Point))) continue;
            (result.Zero, result.Point) = (inner.Skip(1).Aggregate(inner[0].Zero, (all, t) => all.Intersect(t.Zero)), inner[0].Point);
        }
    }

    /// <summary>What the node sums, or divides by, at removed units.</summary>
    private void Judge(NodeRecord record)
    {
        foreach (var (term, operands) in record.Sums)
        {
            if (term.Resolved is not FactorTerm && operands.Any(o => IsZeroAt(_state, record, o, term, null))) continue;
            foreach (var leaf in term.Leaves)
                if (!operands.Any(o => IsZeroAt(_state, record, o, Term.Of(leaf), null)))
                    _state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it sums values that a removed unit does not leave zero",
                        Node: record.Info.Ordinal, OfMasking: true));
        }
        foreach (int pole in IsOfConstants(record) ? [] : record.Poles)
        {
            if (record.Inputs.ElementAtOrDefault(pole) is not { Point: null } tensor) continue;
            foreach (var leaf in tensor.Zero)
                _state.Inexact.Add(new(Term.Of(leaf), $"{record.Info}: it is infinite or undefined where a removed unit is zero",
                    Node: record.Info.Ordinal, OfMasking: true));
        }
    }

    private static void SetOutput(InferenceState state, NodeRecord record, int index)
    {
        var output = record.Outputs[index];
        (output.Zero, output.Point) = (new ZeroSet(), null);
        if (output.Terms is null) return;
        if (record.Quantized.FirstOrDefault(q => q.Operand == ~index) is { } quantized)
            output.Point = ZeroPoint.Find(state.Model, record, quantized);
        else if (index == 0 && record.Moved is { } moved)
        {
            var points = moved.Select(k => record.Inputs.ElementAtOrDefault(k)).Where(t => t?.Zero.IsEmpty == false).Select(t => t!.Point)
                .Distinct().ToList();
            if (points.Count > 1 || points is [{ IsUniform: false }]) return;
            output.Point = points.FirstOrDefault();
            if (!record.FillKeeps(output.Point)) return;
        }
        var (rule, operands) = record.ResultZeros.TryGetValue(index, out var own) ? own : (record.Zero, record.ZeroOperands);
        for (int axis = 0; axis < output.Terms.Length; axis++)
        {
            var term = output.Terms[axis].Resolved;
            if (term is not FactorTerm
                && (IsZero(state, record, term, output.Point, rule, operands) || AreParts(state, record, axis, output.Point, rule)))
            {
                output.Zero.Add(term);
                continue;
            }
            foreach (var leaf in term.Leaves)
                if (leaf.Size is not null && IsZero(state, record, Term.Of(leaf), output.Point, rule, operands))
                    output.Zero.Add(Term.Of(leaf));
        }
    }

    /// <summary>A concatenation is zero where each part is.</summary>
    private static bool AreParts(InferenceState state, NodeRecord record, int axis, ZeroPoint? point, ZeroRule rule)
        => rule == ZeroRule.Parts && record.ZeroOperands is null
            && Enumerable.Range(0, record.Inputs.Length)
                .All(k => record.Inputs[k] is { Terms: { } terms } && axis < terms.Length
                    && IsZeroAt(state, record, k, terms[axis], point));

    /// <summary>
    /// Whether a result is zero at the removed units of a factor, or of every factor of an axis (false then says nothing).
    /// </summary>
    private static bool IsZero(InferenceState state, NodeRecord record, Term factor, ZeroPoint? point, ZeroRule rule, int[]? chosen)
    {
        bool isFactor = factor.Resolved is FactorTerm;
        if (isFactor && record.ZeroTerms.Any(t => Has(t, factor)) && (point is null || record.Fill is not null)
            && (record.Inputs.ElementAtOrDefault(0) is not { } data || !Carries(data, factor) || Zero(0))) return true;
        // Weights divided by their own norm: what has no value where a removed unit is zero is zero, by the definition of masking.
        if (IsOfConstants(record) && record.Poles.Any(Zero)) return true;
        IEnumerable<int> operands = chosen ?? Enumerable.Range(0, record.Inputs.Length);
        switch (rule)
        {
            case ZeroRule.First: return Zero(0);
            case ZeroRule.Any: return operands.Any(Zero);
            case ZeroRule.Parts:
                if (!isFactor) return false;
                // Operands without the factor have no position in its units.
                return operands.All(k => record.Inputs.ElementAtOrDefault(k) is not { } part || !Carries(part, factor) || Zero(k));
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
    /// <param name="operand">Index of the operand.</param>
    /// <param name="factor">The factor, or an axis.</param>
    /// <param name="moved">The zero point of the result, for operators that only move elements.</param>
    private static bool IsZeroAt(InferenceState state, NodeRecord record, int operand, Term factor, ZeroPoint? moved)
    {
        if (record.Inputs.ElementAtOrDefault(operand) is not { } tensor || !tensor.Zero.Contains(factor)) return false;
        var expected = record.Quantized.FirstOrDefault(q => q.Operand == operand) is { } quantized
            ? ZeroPoint.Find(state.Model, record, quantized)
            : record.Moved?.Contains(operand) == true ? moved : null;
        return Equals(tensor.Point, expected);
    }

    /// <summary>Nothing but weights goes in.</summary>
    private static bool IsOfConstants(NodeRecord record)
        => record.Poles.Length > 0 && Array.TrueForAll(record.Inputs, i => i is null or { IsConstant: true });

    private static bool Carries(TensorState tensor, Term factor) => tensor.Terms?.Any(t => Has(t, factor)) == true;

    private static bool Has(Term term, Term factor) => factor.Resolved is FactorTerm leaf && term.Has(leaf.Factor);
}
