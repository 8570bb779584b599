using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Notation;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Table;

/// <summary>Applies one line of the operator table to one node.</summary>
internal sealed partial class RuleApplication
{
    /// <summary>Why features stay where an operator holds its weights itself.</summary>
    public const string Coefficients = "its coefficients are attributes";

    public const string Draws = "random numbers are drawn one after the other, and fewer are drawn along a shorter axis";

    private readonly NodeContext _context;
    private readonly OperatorRule _rule;
    private readonly Dictionary<string, Term> _variables = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Term>> _packs = new(StringComparer.Ordinal);
    // Window axes that pass unchanged.
    private HashSet<Term> _passing = [];
    // Per operand, per axis: the names of its variables; a pack's axes are named "x0", "x1"; those of the broadcast are counted
    // from the right.
    private readonly List<string[]>?[] _names;

    private RuleApplication(NodeContext context, OperatorRule rule)
    {
        (_context, _rule) = (context, rule);
        _names = new List<string[]>?[Math.Max(rule.Operands.Length, context.Inputs.Length) + 1];
    }

    /// <summary>Applies the first line that fits; false where none does.</summary>
    public static bool TryApply(NodeContext context)
    {
        foreach (var rule in OperatorTable.Find(context.Node.Domain, context.Node.OpType))
        {
            if (!Fits(context, rule)) continue;
            new RuleApplication(context, rule).Apply();
            return true;
        }
        return false;
    }

    private static bool Fits(NodeContext context, OperatorRule rule)
    {
        if (!rule.HoldsFor(context.Record)) return false;
        for (int k = 0; k < Math.Max(rule.Operands.Length, context.Inputs.Length); k++)
        {
            var input = context.Input(k);
            var pattern = rule.PatternOf(k);
            if (pattern is null)
            {
                if (input is not null) return false;
                continue;
            }
            if (input is null)
            {
                if (!pattern.Optional && k < rule.Operands.Length) return false;
                continue;
            }
            if (pattern.Absent) return false;
            if (!pattern.Opaque && !pattern.Ignored && (input.Terms is null || !pattern.MatchesRank(input.Terms.Length))) return false;
        }
        return true;
    }

    private void Apply()
    {
        _context.Record.Rule = _rule.Text;
        foreach (var (variable, attribute, index, fallback) in _rule.Constants)
            _variables[variable] = _context.Stated(_context.Number(attribute, index, fallback), $"its size is the attribute {attribute}");
        foreach (var (variable, lists) in _rule.Counts)
            _variables[variable] = _context.Stated(lists.Sum(_context.Length), $"it has the length of {string.Join(" or ", lists)}");
        foreach (var (attribute, index, variables, fallback) in _rule.Bindings)
            if (_context.Number(attribute, index, fallback) is > 0 and var size) BindAttribute(attribute, index, variables, size);

        // A product of two unknowns waits until other operands have told one of them.
        var waiting = new List<int>();
        for (int k = 0; k < _context.Inputs.Length; k++)
        {
            if (_context.Inputs[k] is not { } input) continue;
            var pattern = _rule.PatternOf(k)!;
            if (pattern.Ignored) continue;
            if (pattern.Opaque) _context.FreezeAll(input, $"operand {k} is read as it is");
            else if (pattern.Axes.Any(IsOpen)) waiting.Add(k);
            else Bind(k, pattern, input.Terms!);
        }
        foreach (int k in waiting) Bind(k, _rule.PatternOf(k)!, _context.Inputs[k]!.Terms!);
        if (_rule.Geometry.Length > 0) _passing = Windows.Infer(_context, _rule.Geometry, _packs, "y");

        for (int k = 0; k < _context.Record.Outputs.Length; k++)
        {
            if (k < _rule.Results.Length && !_rule.Results[k].Opaque)
            {
                _context.Output(k, Result(_rule.Results[k]));
                continue;
            }
            // What is not described must not change where someone reads it.
            var output = _context.Output(k, null);
            if (output.Name.Length == 0 || !_context.IsUsed(output.Name)) continue;
            output.Unknown = $"{_context.Info}: its result {k} is not described";
            foreach (var input in _context.Inputs) _context.FreezeAll(input, $"its result {k} is read, and the rule does not describe it");
        }
        State();
    }

    /// <summary>The attribute is the size of a product; of its variables all but one must be known.</summary>
    private void BindAttribute(string attribute, int index, string[] variables, long size)
    {
        var (known, open) = (1L, (string?)null);
        foreach (string name in variables)
        {
            if (_variables.TryGetValue(name, out var term)) known *= term.Size ?? 0;
            else open = name;
        }
        if (open is not null)
            _variables[open] = known > 0 && size % known == 0
                ? _context.Fresh(size / known)
                : _context.Constant(null, $"the attribute {attribute} is {size}, which {known} does not divide");
        var product = Term.Product(variables.Select(v => _variables[v]));
        if (!product.IsOne && product.Size == size) _context.UseAttribute(attribute, index, product);
        else if (product.Size != size) _context.Freeze(product, $"the attribute {attribute} is {size}, not {product.Size}");
    }

    private void Bind(int operand, OperandPattern pattern, Term[] axes)
    {
        var names = new List<string[]>();
        int at = 0, lead = pattern.HasPack ? axes.Length - (pattern.Axes.Length - 1) : 0;
        int first = pattern.HasPack ? 0 : Math.Max(0, pattern.Axes.Length - axes.Length);
        foreach (var axis in pattern.Axes[first..])
        {
            switch (axis)
            {
                case AxisPattern.Pack { Name: "" }:
                    BindBroadcast(axes[at..(at + lead)]);
                    for (int k = 0; k < lead; k++) names.Add([Broadcasting(lead - 1 - k)]);
                    at += lead;
                    break;
                case AxisPattern.Pack pack:
                    var run = axes[at..(at + lead)];
                    if (_packs.TryGetValue(pack.Name, out var known) && known.Count == lead)
                        for (int k = 0; k < lead; k++) _context.Same(known[k], run[k]);
                    else _packs[pack.Name] = [.. run];
                    for (int k = 0; k < lead; k++) names.Add([pack.Name + k.ToString(CultureInfo.InvariantCulture)]);
                    at += lead;
                    break;
                default:
                    names.Add([.. axis.Names]);
                    if (!(pattern.Broadcast && axes[at].IsOne)) BindAxis(axis, axes[at]);
                    at++;
                    break;
            }
        }
        _names[operand] = names;
    }

    private static string Broadcasting(int fromRight) => "..." + fromRight.ToString(CultureInfo.InvariantCulture);

    private void BindBroadcast(Term[] axes)
    {
        if (!_packs.TryGetValue("", out var known)) _packs[""] = [.. axes];
        else
        {
            while (known.Count < axes.Length) known.Insert(0, Term.One);
            for (int k = 1; k <= axes.Length; k++) known[^k] = _context.Broadcast(known[^k], axes[^k]);
        }
    }

    private void BindAxis(AxisPattern pattern, Term axis)
    {
        switch (pattern)
        {
            case AxisPattern.Variable { Name: var name }:
                if (_variables.TryGetValue(name, out var bound)) _context.Same(bound, axis);
                else _variables[name] = axis;
                break;
            case AxisPattern.Number { Size: var size }:
                if (axis.Size != size && axis.Size is not null) _context.Freeze(axis, $"expected size {size}");
                else if (size != 1) _context.Freeze(axis, "the positions of this axis have a meaning each");
                break;
            case AxisPattern.Product product:
                BindProduct(product, axis);
                break;
            case AxisPattern.Sum sum:
                BindSum(sum, axis);
                break;
        }
    }

    /// <summary>
    /// A concatenation: parts whose sizes are known are cut off one by one; one that is not known is what the others leave.
    /// </summary>
    private void BindSum(AxisPattern.Sum sum, Term axis)
    {
        var sizes = sum.Parts.Select(SizeOf).ToArray();
        int open = Array.IndexOf(sizes, null);
        if (open >= 0 && axis.Size is { } total) sizes[open] = total - sizes.Sum(s => s ?? 0);
        if (sizes.Any(s => s is null or < 0) || sizes.Sum() != axis.Size)
        {
            _context.Freeze(axis, $"its parts do not add up to {axis.Size?.ToString(CultureInfo.InvariantCulture) ?? "its size"}");
            for (int k = 0; k < sizes.Length; k++)
                BindAxis(sum.Parts[k], _context.Constant(sizes[k] > 0 ? sizes[k] : null, "the parts of its axis are not known"));
            return;
        }
        var parts = sizes.Select(s => _context.Fresh(s)).ToArray();
        _context.Same(Term.Sum(parts), axis);
        for (int k = 0; k < parts.Length; k++) BindAxis(sum.Parts[k], parts[k]);
    }

    private Term Nested(AxisPattern pattern, long size)
    {
        var term = _context.Fresh(size);
        BindAxis(pattern, term);
        return term;
    }

    /// <summary>Whether more than one part of a product, or of a sum, is not known yet.</summary>
    private bool IsOpen(AxisPattern pattern) => pattern switch
    {
        AxisPattern.Product p
            => p.Parts.Count(part => part is AxisPattern.Variable v ? !_variables.ContainsKey(v.Name) : SizeOf(part) is null) > 1,
        AxisPattern.Sum s => s.Parts.Count(part => SizeOf(part) is null) > 1,
        _ => false,
    };

    private long? SizeOf(AxisPattern pattern) => pattern switch
    {
        AxisPattern.Variable v => _variables.GetValueOrDefault(v.Name)?.Size,
        AxisPattern.Number n => n.Size,
        AxisPattern.Product p => p.Parts.Aggregate((long?)1, (a, part) => a * SizeOf(part)),
        AxisPattern.Sum s => s.Parts.Aggregate((long?)0, (a, part) => a + SizeOf(part)),
        _ => null,
    };

    private void BindProduct(AxisPattern.Product product, Term axis)
    {
        var parts = new Term?[product.Parts.Length];
        int open = -1, opens = 0;
        long? known = 1;
        for (int k = 0; k < parts.Length; k++)
        {
            parts[k] = product.Parts[k] switch
            {
                AxisPattern.Variable v => _variables.GetValueOrDefault(v.Name),
                AxisPattern.Number n => _context.Constant(n.Size, "the blocks of this axis have a meaning each"),
                var nested => SizeOf(nested) is { } inner ? Nested(nested, inner) : null,
            };
            if (parts[k] is { } part) known = known * part.Size;
            else (open, opens) = (k, opens + 1);
        }
        if (opens > 1 || (opens == 1 && known is null))
        {
            _context.Freeze(axis, "how the axis divides is not known");
            for (int k = 0; k < parts.Length; k++)
                if (parts[k] is null && product.Parts[k] is AxisPattern.Variable v)
                    _variables[v.Name] = _context.Constant(null, "how its axis divides is not known");
            return;
        }
        if (opens == 1)
        {
            if (product.Parts[open] is not AxisPattern.Variable { Name: var name })
            {
                _context.Freeze(axis, "how the axis divides is not known");
                return;
            }
            if (axis.Size is { } size && (known == 0 || size % known != 0))
            {
                _context.Freeze(axis, $"its size {size} is not a multiple of {known}");
                _variables[name] = _context.Constant(null, "its axis does not divide");
                return;
            }
            // Parts of size 1 do not divide the axis: the variable is the axis itself.
            parts[open] = known == 1 ? axis : _context.Fresh(axis.Size / known);
            _variables[name] = parts[open]!;
            if (known == 1) return;
        }
        _context.Same(Term.Product(parts!), axis);
    }

    private Term[] Result(OperandPattern pattern)
    {
        var axes = new List<Term>();
        foreach (var axis in pattern.Axes)
        {
            if (axis is AxisPattern.Pack pack) axes.AddRange(_packs.GetValueOrDefault(pack.Name) ?? []);
            else axes.Add(Build(axis));
        }
        return [.. axes];

        Term Build(AxisPattern axis)
        {
            switch (axis)
            {
                case AxisPattern.Variable { Name: var name }:
                    if (!_variables.TryGetValue(name, out var term))
                        _variables[name] = term = _context.Constant(null, "its size is known only at run time", Together(name));
                    return term;
                case AxisPattern.Number { Size: var size }:
                    return _context.Constant(size, "the positions of this axis have a meaning each");
                case AxisPattern.Product product: return Term.Product(product.Parts.Select(Build));
                case AxisPattern.Sum sum: return Term.Sum(sum.Parts.Select(Build));
                default: throw new InvalidOperationException();
            }
        }
    }

    /// <summary>The terms of a variable, of a pack, or of all broadcast axes.</summary>
    private IEnumerable<Term> Terms(string name)
    {
        if (name == "...") return _packs.GetValueOrDefault("") ?? [];
        if (_packs.TryGetValue(name, out var pack)) return pack;
        if (_variables.TryGetValue(name, out var term)) return [term];
        if (name[0] == '@') return [_context.Fresh(_context.Int(name[1..], 1))];
        if (_rule.Lengths.ContainsKey(name)) return [_context.Unifier.Fresh(null, null, Together(name))];
        return long.TryParse(name, CultureInfo.InvariantCulture, out long number) ? [_context.Fresh(number)] : [];
    }

    private void State()
    {
        var record = _context.Record;
        foreach (string name in _rule.Fixed)
            foreach (var term in Terms(name).Where(t => !_passing.Contains(t)))
                _context.Freeze(term, $"the positions along '{name}' have a meaning each");
        foreach (string name in _rule.Held)
            foreach (var term in Terms(name)) _context.Freeze(term, Coefficients);
        foreach (string name in _rule.Whole)
            foreach (var term in Terms(name))
                _context.Freeze(term, "it takes queries, keys and values of one size of head, which its kernels prescribe");
        foreach (string name in _rule.Normalised)
            foreach (var term in Terms(name)) _context.Inexact(term, "a statistic runs over this axis");
        if (_rule.RootMeanSquare is var (variable, scale, operands))
        {
            var terms = Terms(variable).ToArray();
            foreach (var term in terms)
                foreach (int operand in operands.Where(o => _context.Input(o) is not null)) record.Sums.Add((term, [operand]));
            _context.Mean(terms, scale);
        }
        foreach (string name in _rule.Drawn)
            foreach (var term in Terms(name)) _context.Inexact(term, Draws);
        foreach (var (role, name) in _rule.Roles)
            foreach (var term in Terms(name)) _context.State.Roles.Add((role, term));
        if (_rule.Chosen is var (chosen, count))
            foreach (var term in Terms(chosen))
                _context.Inexact(term, "the largest are chosen over this axis, and a zeroed unit may be among them",
                    _context.Int(count, 1));
        if (_rule.Grouped.Length > 0) record.Grouped = Term.Product(_rule.Grouped.SelectMany(Terms));
        if (_rule.Scale is var (attribute, scaled) && _context.Attribute(attribute) is not { F: not 0 })
            foreach (var term in Terms(scaled)) _context.KeepScale(attribute, term);
        // Of an optional operand that is absent, such as a bias, nothing is demanded.
        foreach (var (name, summed) in _rule.Sums.Where(s => s.Operands.Any(o => _context.Input(o) is not null)))
            foreach (var term in Terms(name)) record.Sums.Add((term, summed));
        foreach (var (variables, operand) in _rule.Macs)
            if (operand < 0 || _context.Input(operand) is not null) record.Macs.Add([.. variables.SelectMany(Terms)]);
        record.Zero = _rule.Zero;
        record.ZeroOperands = _rule.ZeroOperands;
        record.Quantized.AddRange(_rule.Quantized);
        record.Packed.AddRange(
            _rule.Packed.Select(p => new PackedOperand(p.Operand, p.Scale, QuantizedOperand.None, (int)_context.Int(p.Bits, p.Default))));
        record.ResultZeros = _rule.ResultZeros;
        record.Poles = _rule.Poles;
        record.IsFused = _rule.Fused;
        record.IsConvolution = _rule.Geometry is "conv" or "deconv" or "deform";
        if (_rule.Contract is { } contract) record.Contraction = Contract(contract);
    }

    /// <summary>
    /// The length of a variable that others make up together; a past that is not there has none. Null where it is not known.
    /// </summary>
    private long? Together(string name) => _rule.Lengths.GetValueOrDefault(name)?
        .Aggregate((long?)0, (sum, p) => sum + (_variables.TryGetValue(p, out var part) ? part.Nominal : 0));
}
