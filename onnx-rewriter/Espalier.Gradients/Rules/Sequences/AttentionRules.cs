using Espalier.Gradients.Writing;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Rules.Sequences;

/// <summary>
/// Y = P·V with P = softmax(scale·Q·Kᵀ + mask): dV = Pᵀ·dY, and with dS = P·(dP − Σ dP·P) of dP = dY·Vᵀ, dQ = scale·dS·K and
/// dK = scale·dSᵀ·Q.
/// </summary>
internal sealed class AttentionRules
{
    private readonly GradientContext _context;
    private readonly BackwardGraph _graph;
    private readonly bool _isFlat;
    private readonly long _queryHeads;
    private readonly long _keyHeads;

    private AttentionRules(GradientContext context)
    {
        (_context, _graph) = (context, context.Graph);
        _isFlat = context.InTerms(0).Length == 3;
        _queryHeads = _isFlat ? context.Int("q_num_heads", 0) : context.InSizes(0, 1)[0];
        _keyHeads = _isFlat ? context.Int("kv_num_heads", 0) : context.InSizes(1, 1)[0];
    }

    public static void Attention(GradientContext context) => new AttentionRules(context).Apply();

    private void Apply()
    {
        Require();
        string query = Headed(_context.In(0), _queryHeads), keys = Whole(1, 4), values = Whole(2, 5);
        string each = _graph.Number(Scale(), _context.Type);
        string scores = _graph.Mul(_graph.MatMul(query, Flipped(Shared(keys))), each);
        string shares = _graph.Op("Softmax", [Masked(scores)], BackwardGraph.Int("axis", -1));
        string dy = _context.Gradient(0) is { } given ? Headed(given, _queryHeads)
            : throw new NoGradientException("only what it computes beside its result is used");
        string dp = _graph.MatMul(dy, Flipped(Shared(values)));
        string inner = _graph.Mul(dp, shares);
        string ds = _graph.Sub(inner, _graph.Mul(shares, _graph.Sum(inner, [3], keep: true)));
        if (_context.Wants(3)) Mask(ds);
        // What is shown of the scores is that before the mask.
        if (_context.Gradient(3) is { } shown) ds = _graph.Add(ds, shown);
        string scaled = _graph.Mul(ds, each);
        if (_context.Wants(0)) _context.Give(0, Flat(_graph.MatMul(scaled, Shared(keys))));
        if (_context.Wants(1) || _context.Wants(4)) Give(1, 4, _graph.MatMul(Flipped(scaled), query));
        if (_context.Wants(2) || _context.Wants(5)) Give(2, 5, _graph.MatMul(Flipped(shares), dy));
    }

    private void Require()
    {
        if (_queryHeads == 0 || _keyHeads == 0) throw new NoGradientException("it does not say how many heads it has");
        if (_context.Real("softcap", 0) != 0) throw new NoGradientException("it caps its scores");
        if (_context.Has(6)) throw new NoGradientException("its keys have lengths of their own");
        if (_context.Gradient(3) is not null && _context.Int("qk_matmul_output_mode", 0) != 0)
            throw new NoGradientException("its scores are read behind the mask");
        if (_context.Int("is_causal", 0) != 0 && (_context.Has(4) || Length(0) != Length(1)))
            throw new NoGradientException("it is causal, and there are not as many keys as queries");
        if (!_context.Has(3)) return;
        var last = _context.InTerms(3)[^1];
        if (last.Size is { } size && !_context.Has(4) && size != 1 && size != Length(1))
            throw new NoGradientException("its mask is shorter than its keys");
    }

    private long Length(int operand) => _context.InSizes(operand, _isFlat ? 1 : 2)[0];

    private double Scale()
    {
        long width = _context.InSizes(0, _isFlat ? 2 : 3)[0];
        double stated = _context.Real("scale", 0);
        return stated != 0 ? stated : 1 / Math.Sqrt(_isFlat ? width / _queryHeads : width);
    }

    private string Masked(string scores)
    {
        string least = _graph.Number(float.MinValue, _context.Type);
        if (_context.Has(3))
            scores = _context.Record.Inputs[3]!.ElementType == (int)DataType.Bool
                ? _graph.Op("Where", [_context.In(3), scores, least]) : _graph.Add(scores, _context.In(3));
        if (_context.Int("is_causal", 0) == 0) return scores;
        // Queries see the keys up to their own position.
        string all = _graph.Counted(_graph.Size(scores, -1));
        return _graph.Op("Where", [_graph.Op("LessOrEqual", [all, _graph.Unsqueeze(all, [1])]), scores, least]);
    }

    // A mask of fewer axes, or of size 1 along some, is that of many scores.
    private void Mask(string scores)
    {
        var terms = _context.InTerms(3);
        long[] summed = [.. Enumerable.Range(0, 4 - terms.Length).Select(a => (long)a)];
        long[] kept = [.. Enumerable.Range(0, terms.Length).Where(a => terms[a].IsOne)
            .Select(a => (long)(a + 4 - terms.Length))];
        _context.Give(3, _graph.Sum(_graph.Sum(scores, kept, keep: true), summed, keep: false));
    }

    // A cache comes before.
    private string Whole(int operand, int past)
    {
        string own = Headed(_context.In(operand), _keyHeads);
        return _context.Has(past) ? _graph.Concat(2, _context.In(past), own) : own;
    }

    private void Give(int operand, int past, string shared)
    {
        // Heads that share a head of keys, which is read by them one behind the other.
        string gradient = _queryHeads == _keyHeads ? shared
            : _graph.Sum(_graph.Parted(shared, 1, _keyHeads, _queryHeads / _keyHeads), [2], keep: false);
        // The whole is a result too.
        if (_context.Gradient(operand) is { } direct) gradient = _graph.Add(gradient, direct);
        if (!_context.Has(past))
        {
            _context.Give(operand, Flat(gradient));
            return;
        }
        string from = _graph.Size(_context.In(past), 2), axis = _graph.Integers(2);
        _context.Give(past, _graph.Op("Slice", [gradient, _graph.Integers(0), from, axis]));
        _context.Give(operand, Flat(_graph.Op("Slice", [gradient, from, _graph.Integers(long.MaxValue), axis])));
    }

    private string Shared(string keys) => _queryHeads == _keyHeads ? keys : _graph.Op("Gather", [keys, _graph.Integers([.. Enumerable
        .Range(0, (int)_queryHeads).Select(h => h / (_queryHeads / _keyHeads))])], BackwardGraph.Int("axis", 1));

    // [batch, heads, length, units].
    private string Headed(string tensor, long heads)
        => _isFlat ? _graph.Transpose(_graph.Reshape(tensor, 0, 0, heads, -1), [0, 2, 1, 3]) : tensor;

    private string Flat(string tensor) => _isFlat ? _graph.Merged(_graph.Transpose(tensor, [0, 2, 1, 3]), 2) : tensor;

    private string Flipped(string tensor) => _graph.Transpose(tensor, [0, 1, 3, 2]);
}
