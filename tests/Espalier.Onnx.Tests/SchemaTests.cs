using Espalier.Onnx.Checks;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.Onnx.AttributeProto.Types;

namespace Espalier.Onnx.Tests;

/// <summary>
/// The tables of operators against ONNX Runtime: every line is asked for, in the first and in the last operator set for which it
/// stands.
/// </summary>
public class SchemaTests(ITestOutputHelper output)
{
    // Other faults may be left in these nodes: tensors of wrong types, graphs that do not fit.
    private static readonly string[] OfSchemas =
        ["input size", "output size", "allowed output sizes", "marked single", "Unrecognized attribute", "Mismatched attribute type",
            "Required attribute", "is deprecated", "No Op registered"];

    public static TheoryData<string> Domains() => [.. OperatorSchemas.Domains];

    [Theory, MemberData(nameof(Domains))]
    public void Numbers_of_operands_and_kinds_of_attributes_are_those_of_ONNX_Runtime(string domain)
    {
        int questions = 0;
        var wrong = new List<string>();
        var lines = OperatorSchemas.InDomain(domain).GroupBy(l => l.Name).ToDictionary(g => g.Key, g => g.Select(l => l.Schema).ToList());
        foreach (var (name, schemas) in lines.OrderBy(l => l.Key, StringComparer.Ordinal))
        {
            // ONNX Runtime makes an initializer of a constant before it looks at it; what it says then is not of the schema.
            if (domain.Length == 0 && name == "Constant") continue;
            for (int k = 0; k < schemas.Count; k++)
            {
                int last = k + 1 < schemas.Count ? schemas[k + 1].Since - 1 : OperatorSchemas.Newest(domain)!.Value;
                foreach (int set in new[] { schemas[k].Since, last }.Distinct())
                    foreach (var (question, node, answer) in Questions(domain, name, schemas[k]))
                    {
                        questions++;
                        string? said = Runtime.Refusal(Model(domain, set, node));
                        if (!(answer is null ? !OfSchemas.Any(s => said?.Contains(s, StringComparison.Ordinal) ?? false)
                            : said?.Contains(answer, StringComparison.Ordinal) ?? false))
                            wrong.Add($"{name} of set {set}, {question}: {said ?? "taken"}");
                    }
            }
        }
        output.WriteLine($"{lines.Count} operators, {questions} questions");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Take(40)));
        Assert.True(questions > 200);
    }

    /// <summary>Nodes with what ONNX Runtime must say of them; null where it may say nothing of the schema.</summary>
    private static IEnumerable<(string Question, NodeProto Node, string? Answer)> Questions(string domain, string name,
        OperatorSchema schema)
    {
        NodeProto Node(int inputs, int outputs, bool whole = true)
        {
            var node = new NodeProto { OpType = name, Domain = domain, Name = "n" };
            node.Input.AddRange(Enumerable.Range(0, inputs).Select(i => $"x{i}"));
            node.Output.AddRange(Enumerable.Range(0, outputs).Select(i => $"y{i}"));
            if (whole) node.Attribute.AddRange(schema.Attributes.Where(a => a.Value.IsRequired)
                .Select(a => Attribute(a.Key, a.Value.Kind)));
            return node;
        }
        int inputs = schema.Inputs.Least, outputs = schema.Outputs.Count > 1 ? schema.Outputs[0].Most
            : Math.Max(1, schema.Outputs[0].Least);
        if (schema.IsDeprecated)
        {
            yield return ("gone", Node(1, 1), "is deprecated");
            yield break;
        }
        // Graphs would have to fit: their questions are those below.
        if (schema.Attributes.Values.All(a => !a.IsRequired || a.Kind != AttributeType.Graph))
            foreach (int more in new[] { inputs, Math.Min(schema.Inputs.Most, inputs + 3) })
                yield return ($"{more} inputs", Node(more, outputs), null);
        if (schema.Inputs.Most < int.MaxValue) yield return ("an input more", Node(schema.Inputs.Most + 1, outputs), "input size");
        if (inputs > 0) yield return ("an input less", Node(inputs - 1, outputs), "input size");
        if (schema.Outputs[^1].Most is var most && most < int.MaxValue)
            yield return ("an output more", Node(inputs, most + 1), "output size");
        for (int k = 1; k < Math.Min(schema.Outputs[^1].Most, 8); k++)
            yield return ($"{k} outputs", Node(inputs, k), schema.OutputsOf(k) is null ? "output size" : null);
        for (int k = 0; k < Math.Min(inputs, 4); k++)
        {
            var node = Node(inputs, outputs);
            node.Input[k] = "";
            yield return ($"input {k} empty", node, schema.Inputs[k].Use == OperandUse.Required ? "marked single" : null);
        }
        foreach (var (attribute, stated) in schema.Attributes)
        {
            var wrong = Node(inputs, outputs, whole: false);
            wrong.Attribute.Add(new AttributeProto
            {
                Name = attribute,
                Type = stated.Kind == AttributeType.Strings ? AttributeType.Ints
                : AttributeType.Strings
            });
            yield return ($"{attribute} of a wrong kind", wrong, "Mismatched attribute type");
            if (!stated.IsRequired) continue;
            var without = Node(inputs, outputs);
            without.Attribute.Remove(without.Attribute.First(a => a.Name == attribute));
            yield return ($"without {attribute}", without, "Required attribute");
        }
        var unknown = Node(inputs, outputs);
        unknown.Attribute.Add(new AttributeProto { Name = "no_such_attribute", Type = AttributeType.Int, I = 1 });
        yield return ("an unknown attribute", unknown, schema.IsOpen ? null : "Unrecognized attribute");
    }

    private static AttributeProto Attribute(string name, AttributeType kind) => kind switch
    {
        AttributeType.Float => SmallModels.Float(name, 1),
        AttributeType.Int => SmallModels.Int(name, 1),
        AttributeType.String => SmallModels.Text(name, "a"),
        AttributeType.Tensor => SmallModels.Tensor(name, SmallModels.Weight("", 1)),
        AttributeType.Graph
            => SmallModels.Graph(name,
                SmallModels.Body("", "o", SmallModels.Node("Constant", "", "o", SmallModels.Tensor("value", SmallModels.Weight("", 1))))),
        AttributeType.Ints => SmallModels.Ints(name, 1),
        AttributeType.Floats => new() { Name = name, Type = kind, Floats = { 1 } },
        AttributeType.Strings => new() { Name = name, Type = kind, Strings = { ByteString.CopyFromUtf8("a") } },
        AttributeType.TypeProto => new() { Name = name, Type = kind, Tp = SmallModels.Value("", TensorProto.Types.DataType.Float).Type },
        _ => throw new NotSupportedException($"{name} of kind {kind}"),
    };

    private static ModelProto Model(string domain, int set, NodeProto node)
    {
        var model = new ModelProto
        {
            IrVersion = 8,
            Graph = new()
            {
                Name = "g",
                Node = { node, SmallModels.Node("Identity", "z", "out") },
                Output = { SmallModels.Value("out", 2) }
            }
        };
        model.Graph.Input.AddRange(node.Input.Where(i => i.Length > 0).Append("z").Select(n => SmallModels.Value(n, 2)));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = domain.Length == 0 ? set : 17 });
        if (domain.Length > 0) model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = set });
        return model;
    }
}
