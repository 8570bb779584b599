using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Axes.Graph;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Operators.Notation;

/// <summary>
/// A line of facts, <c>Operator … | clauses</c>: what holds of operators whichever of their lines, or rule in code, is applied. The
/// clauses are listed in <c>OperatorTable</c>.
/// </summary>
internal sealed partial class OperatorFacts
{
    private static readonly Dictionary<string, Action<OperatorFacts, Clause>> Clauses = new(StringComparer.Ordinal)
    {
        ["when"] = (f, c) => f._conditions.Add(c.Condition()),
        ["moves"] = (f, c) => f.Moved = c.Value == "all" ? [] : c.Indices(c.Value, f._operands),
        ["affine"] = (f, c) => f.Affine = c.Indices(c.Value, f._operands) switch
        {
            [var scale] => (scale, -1),
            [var scale, var shift] => (scale, shift),
            _ => throw c.Error("does not name a scale and a shift"),
        },
        ["scaled"] = (f, c) => f.Scaled = Clause.Optional(c.Value, ','),
        ["attention"] = (f, c) => f.Attention = c.Indices(c.Value, f._operands) is [var q, var k, var v] ? (q, k, v)
            : throw c.Error("does not name queries, keys and values"),
        ["bias"] = (f, c) => f.Bias = c.Index(c.Value, f._operands),
        ["draws-if"] = (f, c) => f.DrawsIf = c.Index(c.Value, f._operands),
        ["activation"] = (f, _) => f.HasActivation = true,
        ["linear"] = (f, _) => f.IsLinear = true,
        ["zero-if"] = (f, c) => f.ZeroIf.Add(f.Condition(c)),
        ["type"] = (f, c) => f.AddType(c),
    };

    private readonly List<(string Attribute, string[] Values, string Default)> _conditions = [];
    private readonly List<(Func<NodeRecord, int>[] Sources, int[]? Results)> _types = [];
    private readonly int _operands;

    /// <param name="operands">How many operands each of its operators may have.</param>
    /// <exception cref="FormatException">Something is wrong with the line: the message has what, and the line.</exception>
    public OperatorFacts(TableLine line, int operands)
    {
        (_operands, Text) = (operands, line.Text[(line.Text.IndexOf('|') + 2)..]);
        foreach (var clause in line.Clauses)
            (Clauses.GetValueOrDefault(clause.Key) ?? throw clause.Error("is no clause of facts"))(this, clause);
    }

    /// <summary>The clauses as they stand in the table, with single spaces.</summary>
    public string Text { get; }
    /// <summary>Operands whose elements are only moved; empty for all.</summary>
    public int[]? Moved { get; private set; }
    /// <summary>Operands that a normalisation multiplies its result by, and that it adds; −1 where it adds none.</summary>
    public (int Scale, int Shift)? Affine { get; private set; }
    /// <summary>Attributes α and β of α·A·B + β·C.</summary>
    public (string Product, string? Bias)? Scaled { get; private set; }
    public (int Queries, int Keys, int Values)? Attention { get; private set; }
    /// <summary>A bias that stays whole where it is computed.</summary>
    public int? Bias { get; private set; }
    /// <summary>Random numbers are drawn where this operand is there and not a constant false.</summary>
    public int? DrawsIf { get; private set; }
    /// <summary>An attribute names what is applied to the result.</summary>
    public bool HasActivation { get; private set; }
    /// <summary>Each vector of operand 0 along an axis that no other operand has is mapped by itself, and linearly.</summary>
    public bool IsLinear { get; private set; }
    /// <summary>What must hold for the zero rule of the operator's line.</summary>
    public List<Predicate<NodeContext>> ZeroIf { get; } = [];

    public bool HoldsFor(NodeProto node) => NodeContext.Meets(node, _conditions);

    /// <summary>The element type of a result: 0 where it is not known, null where the line states none.</summary>
    public int? TypeOf(NodeRecord record, int result)
    {
        foreach (var (sources, results) in _types)
            if (results?.Contains(result) != false)
                return sources.Select(source => source(record)).FirstOrDefault(type => type != 0);
        return null;
    }

    /// <summary><c>source/source@results</c>, the first that gives one.</summary>
    private void AddType(Clause clause)
    {
        var (sources, results) = Clause.Optional(clause.Value, '@');
        _types.Add(([.. sources.Split('/').Select(s => Source(clause, s))],
            results is null ? null : clause.Indices(results, int.MaxValue)));
    }

    private Func<NodeRecord, int> Source(Clause clause, string text)
    {
        if (text.Contains('?'))
        {
            var (condition, type) = clause.Pair(text, '?');
            var (subject, value) = Clause.Optional(condition, '=');
            var source = Source(clause, type);
            if (value is null)
                return r => Attribute(r, subject) is { } a && a.Floats.Count + a.Ints.Count + a.Strings.Count > 0 ? source(r) : 0;
            var (given, wanted) = (Source(clause, subject), (int)clause.Word<DataType>(value));
            return r => given(r) == wanted ? source(r) : 0;
        }
        if (char.IsDigit(text[0]))
        {
            int operand = clause.Index(text, _operands);
            return r => r.Inputs.ElementAtOrDefault(operand)?.ElementType ?? 0;
        }
        if (Enum.TryParse<DataType>(text, ignoreCase: true, out var known)) return _ => (int)known;
        return r => Attribute(r, text) is not { } a ? 0 : a.HasI ? (int)a.I : a.T?.DataType ?? 0;
    }

    private static AttributeProto? Attribute(NodeRecord record, string name)
        => record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == name);

    /// <summary>
    /// <c>-attr</c>: the attribute is absent. <c>attr@operand>=number</c>: so is the attribute, or else the operand, which is one number;
    /// where neither is there, it holds.
    /// </summary>
    private Predicate<NodeContext> Condition(Clause clause)
    {
        if (clause.Value is ['-', .. var absent]) return context => context.Attribute(absent) is null;
        if (Comparison().Match(clause.Value) is not { Success: true } match) throw clause.Error("compares nothing with a number");
        string attribute = match.Groups["attribute"].Value;
        int operand = match.Groups["operand"] is { Success: true, Value: var index } ? clause.Index(index, _operands) : -1;
        float bound = float.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture);
        Predicate<float> holds = match.Groups["sign"].Value switch
        {
            ">=" => n => n >= bound,
            "<=" => n => n <= bound,
            ">" => n => n > bound,
            _ => n => n == bound,
        };
        return context => context.Attribute(attribute) is { } a ? holds(a.F)
            : operand < 0 || context.Input(operand) is not { } tensor
                || (tensor.Terms?.All(t => t.IsOne) == true && context.Floats(tensor.Data) is [var number] && holds(number));
    }

    [GeneratedRegex(@"^(?<attribute>\w*)(@(?<operand>\d+))?(?<sign>>=|<=|>|=)(?<number>-?[\d.]+)$")]
    private static partial Regex Comparison();
}
