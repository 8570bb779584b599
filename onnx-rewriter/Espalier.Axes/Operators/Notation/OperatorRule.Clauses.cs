using System.Globalization;
using Espalier.Axes.Graph;

namespace Espalier.Axes.Operators.Notation;

// The clauses of a rule, each with its parser. Variables, operands and results that a clause names must be there.
internal sealed partial class OperatorRule
{
    private static readonly string[] Geometries = ["conv", "deform", "deconv", "pool", "unpool", "global", "open"];

    private static readonly Dictionary<string, Action<OperatorRule, Clause>> Clauses = new(StringComparer.Ordinal)
    {
        ["bind"] = (r, c) => r.AddBinding(c),
        ["const"] = (r, c) => r.AddConstant(c),
        ["count"] = (r, c) => r.Counts.Add((r.Known(c, c.Pair(c.Value).Left), c.Pair(c.Value).Right.Split('/'))),
        ["when"] = (r, c) => r.Conditions.Add(c.Condition()),
        ["role"] = (r, c) => r.Roles.Add((c.Word<Role>(c.Pair(c.Value).Left), r.Known(c, c.Pair(c.Value).Right))),
        ["macs"] = (r, c) => r.AddCost(c),
        ["length"] = (r, c) => r.Lengths.Add(r.Known(c, c.Pair(c.Value).Left), r.AllKnown(c, c.Pair(c.Value).Right, '+')),
        ["sum"] = (r, c) => r.Sums.Add((r.Known(c, c.Pair(c.Value).Left), r.OperandsOf(c, c.Pair(c.Value).Right))),
        ["quant"] = (r, c) => r.AddQuantized(c),
        ["packed"] = (r, c) => r.AddPacked(c),
        ["norm"] = (r, c) => r.Normalised = r.AllKnown(c, c.Value),
        ["rms"] = (r, c) => r.SetRootMeanSquare(c),
        ["fix"] = (r, c) => r.Fixed = r.AllKnown(c, c.Value),
        ["zero"] = (r, c) => r.AddZero(c),
        ["held"] = (r, c) => r.Held = r.AllKnown(c, c.Value),
        ["whole"] = (r, c) => r.Whole = r.AllKnown(c, c.Value),
        ["draws"] = (r, c) => r.Drawn = r.AllKnown(c, c.Value),
        ["pole"] = (r, c) => r.Poles = r.OperandsOf(c, c.Value),
        ["grouped"] = (r, c) => r.Grouped = r.AllKnown(c, c.Value, '*'),
        ["scale"] = (r, c) => r.Scale = (c.Pair(c.Value).Left, r.Known(c, c.Pair(c.Value).Right)),
        ["fused"] = (r, _) => r.Fused = true,
        ["top"] = (r, c) => r.Chosen = (r.Known(c, c.Pair(c.Value).Left), c.Pair(c.Value).Right),
        ["contract"] = (r, c) => r.Contract = r.OperandsOf(c, c.Value) is { Length: 2 or 3 } product ? product
            : throw c.Error("has not two operands and a bias"),
        ["geometry"] = (r, c) => r.Geometry = Geometries.Contains(c.Value) ? c.Value : throw c.Error("is no geometry"),
        ["variadic"] = (r, _) => r.Variadic = true,
        ["since"] = (r, c) => r.Since = c.Number(c.Value),
        ["until"] = (r, c) => r.Until = c.Number(c.Value),
    };

    private void AddBinding(Clause clause)
    {
        var (attribute, variables, fallback) = clause.Assignment();
        var (name, index) = clause.Element(attribute);
        Bindings.Add((name, index, AllKnown(clause, variables, '*'), fallback));
    }

    /// <summary>The variable may be one that only costs speak of.</summary>
    private void AddConstant(Clause clause)
    {
        var (variable, attribute, fallback) = clause.Assignment();
        var (name, index) = clause.Element(attribute);
        _names.Add(variable);
        Constants.Add((variable, name, index, fallback));
    }

    /// <summary>Factors may be numbers, or attributes.</summary>
    private void AddCost(Clause clause)
    {
        string[] factors = clause.Value.Split(',');
        foreach (string name in factors)
            if (!name.StartsWith('@') && !long.TryParse(name, CultureInfo.InvariantCulture, out _)) Known(clause, name);
        Macs.Add((factors, clause.Argument < 0 ? -1 : Operand(clause, clause.Argument)));
    }

    private void AddQuantized(Clause clause)
    {
        var (operand, rest) = clause.Pair(clause.Value);
        var (scale, point) = clause.Pair(rest, ',');
        Quantized.Add(new(Place(operand), Place(scale), Place(point)));

        // A number, y or y1 for a result, - for none.
        int Place(string name) => name == "-" ? QuantizedOperand.None
            : name[0] != 'y' ? Operand(clause, clause.Number(name))
            : ~clause.Index(name.Length == 1 ? "0" : name[1..], Results.Length);
    }

    private void AddPacked(Clause clause)
    {
        var (operands, bits, width) = clause.Assignment();
        var (operand, scale) = clause.Pair(operands, ',');
        Packed.Add((Operand(clause, clause.Number(operand)), Operand(clause, clause.Number(scale)), bits, width ?? 8));
    }

    private void SetRootMeanSquare(Clause clause)
    {
        var (variable, rest) = clause.Pair(clause.Value);
        var (scale, operands) = clause.Pair(rest);
        RootMeanSquare = (Known(clause, variable), Operand(clause, clause.Number(scale)), OperandsOf(clause, operands));
    }

    private void AddZero(Clause clause)
    {
        var (rest, results) = Clause.Optional(clause.Value, '@');
        var (name, operands) = Clause.Optional(rest, '=');
        var zero = (Rule: clause.Word<ZeroRule>(name), Operands: operands is null ? null : OperandsOf(clause, operands));
        if (results is null) (Zero, ZeroOperands) = zero;
        else foreach (int result in clause.Indices(results, Results.Length)) ResultZeros[result] = zero;
    }

    private string Known(Clause clause, string variable)
        => _names.Contains(variable) ? variable : throw clause.Error($"names the variable '{variable}', which no pattern has");

    private string[] AllKnown(Clause clause, string variables, char sign = ',')
        => [.. variables.Split(sign).Select(v => Known(clause, v))];

    private int Operand(Clause clause, int index)
        => index >= 0 && PatternOf(index) is not null ? index : throw clause.Error($"names the operand {index}, which is not there");

    private int[] OperandsOf(Clause clause, string operands) => [.. operands.Split(',').Select(n => Operand(clause, clause.Number(n)))];
}
