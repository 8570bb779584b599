using Espalier.Gradients.Notation;
using Espalier.Gradients.Writing;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Rules;

/// <summary>Writes what a line of the table says.</summary>
internal sealed class LineRule
{
    private static readonly Dictionary<string, string> Operators = new(StringComparer.Ordinal)
    {
        ["+"] = "Add",
        ["-"] = "Sub",
        ["*"] = "Mul",
        ["/"] = "Div",
        ["^"] = "Pow",
        ["neg"] = "Neg",
        ["exp"] = "Exp",
        ["log"] = "Log",
        ["sqrt"] = "Sqrt",
        ["sin"] = "Sin",
        ["cos"] = "Cos",
        ["sinh"] = "Sinh",
        ["cosh"] = "Cosh",
        ["tanh"] = "Tanh",
        ["erf"] = "Erf",
        ["abs"] = "Abs",
        ["sign"] = "Sign",
        ["sigmoid"] = "Sigmoid",
        ["softplus"] = "Softplus",
    };

    private static readonly Dictionary<string, string> Comparisons = new(StringComparer.Ordinal)
    {
        ["<"] = "Less",
        ["<="] = "LessOrEqual",
        [">"] = "Greater",
        [">="] = "GreaterOrEqual",
        ["=="] = "Equal",
    };

    private readonly GradientContext _context;
    private readonly GradientLine _line;
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly IReadOnlyList<long>? _dropped;

    // An operand that stands for all that follow.
    private int _rest = -1;

    private LineRule(GradientContext context, GradientLine line)
    {
        (_context, _line) = (context, line);
        // What a reduction dropped comes back as axes of size 1.
        _dropped = NodeAxes.Dropped(context);
    }

    private BackwardGraph Graph => _context.Graph;

    /// <summary>Gives the gradients of a node.</summary>
    /// <exception cref="NoGradientException">They cannot be written.</exception>
    public static void Apply(GradientContext context, GradientLine line) => new LineRule(context, line).Apply();

    private void Apply()
    {
        for (int k = Math.Max(1, _line.Results.Count); k < _context.Record.Outputs.Length; k++)
            if (_context.Gradient(k) is not null)
                throw new NoGradientException($"its result {k} is used, of whose gradient nothing is known");
        foreach (var (name, value) in _line.Definitions)
            if (IsUsed(name)) _values[name] = Write(value);
        for (int k = 0; k < _context.Record.Inputs.Length; k++)
        {
            if (!_context.Wants(k)) continue;
            string? name = _line.NameOf(k);
            if (name is null || !_line.Gradients.TryGetValue(name, out var value))
                throw new NoGradientException($"nothing is known of the gradient of its operand {k}");
            if (value is NumberExpression { Value: 0 }) continue;
            if (_line.IsVariadic && k >= _line.Operands.Count - 1) _rest = k;
            string gradient = Write(value);
            if (_line.Vectors.Contains(name)) _context.Give(k, AlongAxis(gradient));
            else _context.GiveSummed(k, gradient, Full(k));
        }
    }

    private bool IsUsed(string definition) => _line.Gradients.Any(g => _context.Record.Inputs.Index()
        .Any(i => _context.Wants(i.Index) && _line.NameOf(i.Index) == g.Key) && Reaches(g.Value, definition));

    private bool Reaches(Expression expression, string definition) => expression.Names.Any(n => n == definition
        || (_line.Definitions.Find(d => d.Name == n) is { Value: { } inner } && Reaches(inner, definition)));

    // The axes of what an expression gives: those of the result, of a reduction those of what is reduced.
    private Axes.Terms.Term[] Full(int operand)
        => _dropped is not null ? _context.InTerms(operand) : _context.OutTerms(0);

    private string Write(Expression expression) => expression switch
    {
        NumberExpression number => Graph.Number(number.Value, _context.Type),
        AttributeExpression attribute => Graph.Number(_context.Real(attribute.Attribute, attribute.Default), _context.Type),
        NameExpression name => Value(name.Name),
        CallExpression call => Write(call),
        _ => throw new InvalidOperationException(expression.ToString()),
    };

    private string Write(CallExpression call)
    {
        if (call.Function == "where")
            return Graph.Op("Where", [Condition(call.Arguments[0]), Write(call.Arguments[1]), Write(call.Arguments[2])]);
        var inputs = call.Arguments.Select(Write).ToArray();
        if (Operators.TryGetValue(call.Function, out var op)) return Graph.Op(op, inputs);
        if (Comparisons.TryGetValue(call.Function, out op)) return Graph.Cast(Graph.Op(op, inputs), _context.Type);
        return call.Function switch
        {
            "sum" => Graph.Sum(inputs[0], NodeAxes.Of(_context), keep: true),
            "prod" => Graph.Op("ReduceProd", [inputs[0], Graph.Integers([.. NodeAxes.Of(_context)])]),
            "mean" => Graph.Op("ReduceMean", [inputs[0], Graph.Integers([.. NodeAxes.Of(_context)])]),
            "like" => Graph.Op("Expand", [inputs[0], Graph.Shape(inputs[1])]),
            // How many elements of x there are for each of y.
            "count" => Graph.Op("Div", [Length(inputs[0]), Length(inputs[1])]),
            _ => throw new InvalidOperationException($"'{_line.Text}': no function '{call.Function}'."),
        };
    }

    private string Condition(Expression expression) => expression is CallExpression { Function: var function, Arguments: [var a, var b] }
        && Comparisons.TryGetValue(function, out var op) ? Graph.Op(op, [Write(a), Write(b)]) : Write(expression);

    private string Length(string x) => Graph.Cast(Graph.Op("Size", [x]), _context.Type);

    private string Value(string name)
    {
        if (_values.TryGetValue(name, out var known)) return known;
        int operand = _line.Operands.IndexOf(name);
        if (operand >= 0) return Operand(name, operand);
        bool isGradient = !_line.Results.Contains(name);
        int result = _line.Results.ToList().IndexOf(isGradient ? name[1..] : name);
        string value = isGradient ? _context.GradientOrZero(result) : _context.Out(result);
        return _values[name] = _dropped is null ? value : Graph.Unsqueeze(value, _dropped);
    }

    private string Operand(string name, int operand)
    {
        if (_rest >= 0 && operand == _line.Operands.Count - 1) return _context.In(_rest);
        if (!_context.Has(operand)) throw new NoGradientException($"its operand {operand} is absent");
        string value = _context.In(operand);
        if (!_context.Record.Inputs[operand]!.IsFloating && _context.Record.Inputs[operand]!.ElementType != (int)DataType.Bool)
            value = Graph.Cast(value, _context.Type);
        if (_line.Vectors.Contains(name))
            value = Graph.Unsqueeze(value, [.. Enumerable.Range(1, Math.Max(0, _context.InTerms(0).Length - 2)).Select(a => (long)a)]);
        return _values[name] = value;
    }

    private string AlongAxis(string gradient)
    {
        int rank = _context.InTerms(0).Length;
        return Graph.Sum(gradient, [.. Enumerable.Range(0, rank).Where(a => a != 1).Select(a => (long)a)], keep: false);
    }
}
