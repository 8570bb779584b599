using System.Globalization;
using static Espalier.Onnx.AttributeProto.Types;

namespace Espalier.Onnx.Checks;

/// <summary>How an operator takes one of its operands.</summary>
internal enum OperandUse
{
    /// <summary>It must have a name.</summary>
    Required,
    /// <summary>It may be left out, at the end or by an empty name.</summary>
    Optional,
    /// <summary>It and all that follow; there may be none.</summary>
    Rest,
    /// <summary>It and all that follow; there is one at least.</summary>
    RestOfOne,
}

/// <summary>One operand as a schema states it; where it states no rank, every rank fits.</summary>
internal readonly record struct Operand(OperandUse Use, int LeastRank, int MostRank)
{
    public bool Fits(int rank) => rank >= LeastRank && rank <= MostRank;

    public string Ranks => LeastRank == MostRank ? $"rank {LeastRank}" : $"rank {LeastRank} or more";
}

/// <summary>The operands of one side of an operator, in order.</summary>
internal sealed class Operands
{
    private readonly Operand[] _list;

    private Operands(Operand[] list)
    {
        _list = list;
        var takesRest = list is [.., { Use: OperandUse.Rest or OperandUse.RestOfOne }];
        Most = takesRest ? int.MaxValue : list.Length;
        // What stands before a list of any length must be there, even where its name may be empty.
        Least = takesRest ? list.Length - (list[^1].Use == OperandUse.Rest ? 1 : 0)
            : 1 + Array.FindLastIndex(list, o => o.Use == OperandUse.Required);
    }

    public int Least { get; }
    public int Most { get; }

    public bool Takes(int count) => count >= Least && count <= Most;

    /// <summary>Whether the operand may not be left out; false for one that there is not.</summary>
    public bool IsRequired(int index) => index < Most && this[index].Use == OperandUse.Required;

    public Operand this[int index] => _list[Math.Min(index, _list.Length - 1)];

    /// <summary>The number of operands in words.</summary>
    public string Count => Most == int.MaxValue ? $"{Least} or more" : Least == Most ? $"{Least}" : $"{Least} to {Most}";

    /// <summary>Reads the notation of the tables, as <c>!!3-?*</c>.</summary>
    public static Operands Parse(ReadOnlySpan<char> text)
    {
        var list = new List<Operand>();
        for (var at = 0; at < text.Length;)
        {
            var use = text[at++] switch
            {
                '!' => OperandUse.Required,
                '?' => OperandUse.Optional,
                '*' => OperandUse.Rest,
                '+' => OperandUse.RestOfOne,
                var other => throw new FormatException($"'{other}' is no use of an operand"),
            };
            var (least, most) = (0, int.MaxValue);
            if (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                least = most = text[at++] - '0';
                if (at < text.Length && text[at] == '-')
                {
                    (most, at) = (int.MaxValue, at + 1);
                }
            }
            list.Add(new(use, least, most));
        }
        return new([.. list]);
    }
}

/// <summary>An attribute as a schema states it.</summary>
internal readonly record struct SchemaAttribute(AttributeType Kind, bool IsRequired);

/// <summary>
/// What a node of an operator must look like from one operator set on, until the next schema of the same operator: numbers of operands,
/// kinds of attributes, ranks of weights. The files beside this one say it for every operator; their first lines explain the notation.
/// </summary>
internal sealed class OperatorSchema
{
    private const string Kinds = "fistgFISTGxXyY";
    private static readonly AttributeType[] Types =
    [
        AttributeType.Float, AttributeType.Int, AttributeType.String, AttributeType.Tensor, AttributeType.Graph,
        AttributeType.Floats, AttributeType.Ints, AttributeType.Strings, AttributeType.Tensors, AttributeType.Graphs,
        AttributeType.SparseTensor, AttributeType.SparseTensors, AttributeType.TypeProto, AttributeType.TypeProtos,
    ];

    private OperatorSchema(int since, bool isDeprecated, Operands inputs, Operands[] outputs, bool isOpen,
        Dictionary<string, SchemaAttribute> attributes)
        => (Since, IsDeprecated, Inputs, Outputs, IsOpen, Attributes) = (since, isDeprecated, inputs, outputs, isOpen, attributes);

    /// <summary>The first operator set that has it.</summary>
    public int Since { get; }
    /// <summary>Whether the operator is gone from this set on.</summary>
    public bool IsDeprecated { get; }
    public Operands Inputs { get; }
    /// <summary>The ways in which results may be asked for. Where there are several, each stands for just its number.</summary>
    public IReadOnlyList<Operands> Outputs { get; }
    /// <summary>The numbers of results in words.</summary>
    public string OutputCounts => Outputs.Count == 1 ? Outputs[0].Count : string.Join(" or ", Outputs.Select(way => way.Most));
    /// <summary>Whether attributes that are not stated are allowed.</summary>
    public bool IsOpen { get; }
    public IReadOnlyDictionary<string, SchemaAttribute> Attributes { get; }

    /// <summary>The results of a node that asks for so many; null where it may not.</summary>
    public Operands? OutputsOf(int count) => Outputs.FirstOrDefault(way => Outputs.Count == 1 ? way.Takes(count) : way.Most == count);

    /// <summary>Reads one line of a table: operator, operator set, inputs, outputs, attributes.</summary>
    public static OperatorSchema Parse(string line)
    {
        var fields = line.Split('\t');
        var since = int.Parse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture);
        var attributes = new Dictionary<string, SchemaAttribute>(StringComparer.Ordinal);
        var isOpen = false;
        foreach (var word in fields[4].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word == "...")
            {
                isOpen = true;
                continue;
            }
            var colon = word.IndexOf(':', StringComparison.Ordinal);
            attributes.Add(word[..colon], new(Types[Kinds.IndexOf(word[colon + 1], StringComparison.Ordinal)], word.EndsWith('!')));
        }
        var isDeprecated = fields[2] == "deprecated";
        Operands[] outputs = [.. fields[3].Split('|').Select(way => Operands.Parse(way))];
        return new(since, isDeprecated, Operands.Parse(isDeprecated ? "" : fields[2]), outputs, isOpen, attributes);
    }
}
