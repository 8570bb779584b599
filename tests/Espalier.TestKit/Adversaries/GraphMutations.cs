using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Google.Protobuf.Collections;
using static Espalier.Onnx.AttributeProto.Types;

namespace Espalier.TestKit.Adversaries;

/// <summary>Changes of one thing in a model, some of which leave it a model.</summary>
internal static class GraphMutations
{
    private static readonly string[] Operators =
        ["Relu", "Add", "Gemm", "Conv", "Concat", "Split", "Identity", "Upsample", "Sum", "Constant", "If", "Dropout"];

    private static readonly (string Name, Func<Random, ModelProto, bool> Change)[] List =
    [
        ("an input of no maker", (r, m) => Input(r, m, (n, k) => n.Input[k] = "no.such.tensor")),
        ("another input", (r, m) => Input(r, m, (n, k) => n.Input[k] = Pick(r, Names(m)))),
        ("an empty input", (r, m) => Input(r, m, (n, k) => n.Input[k] = "")),
        ("an input less", (r, m) => Input(r, m, (n, k) => n.Input.RemoveAt(k))),
        ("an input more", (r, m) => Node(r, m, n => n.Input.Add(r.Next(3) == 0 ? "" : Pick(r, Names(m))))),
        ("another output", (r, m) => Output(r, m, (n, k) => n.Output[k] = r.Next(3) == 0 ? "new.tensor" : Pick(r, Names(m)))),
        ("an empty output", (r, m) => Output(r, m, (n, k) => n.Output[k] = "")),
        ("an output less", (r, m) => Output(r, m, (n, k) => n.Output.RemoveAt(k))),
        ("an output more", (r, m) => Node(r, m, n => n.Output.Add(r.Next(2) == 0 ? "new.tensor" : Pick(r, Names(m))))),
        ("a node twice", (r, m) => List_(r, m, (nodes, k) => nodes.Add(nodes[k].Clone()))),
        ("a node less", (r, m) => List_(r, m, (nodes, k) => nodes.RemoveAt(k))),
        ("nodes in another place",
            (r, m) => List_(r, m, (nodes, k) => { var other = r.Next(nodes.Count); (nodes[k], nodes[other]) = (nodes[other], nodes[k]); })),
        ("another operator", (r, m) => Node(r, m, n => n.OpType = Pick(r, Operators))),
        ("an operator of no name", (r, m) => Node(r, m, n => n.OpType = "")),
        ("names of nodes", (r, m) => List_(r, m, (nodes, k) => { nodes[k].Name = "same"; nodes[r.Next(nodes.Count)].Name = "same"; })),
        ("an attribute of another kind", (r, m) => Attribute(r, m, (n, k) => n.Attribute[k] = Value(r, n.Attribute[k].Name))),
        ("an attribute of another tag", (r, m) => Attribute(r, m, (n, k) => n.Attribute[k].Type = (AttributeType)r.Next(16))),
        ("an attribute without a tag", (r, m) => Attribute(r, m, (n, k) => n.Attribute[k].ClearType())),
        ("an attribute of another name",
            (r, m) => Attribute(r, m, (n, k) => n.Attribute[k].Name = Pick(r, ["", "axis", "mine", "__mine", "axes", "value"]))),
        ("an attribute less", (r, m) => Attribute(r, m, (n, k) => n.Attribute.RemoveAt(k))),
        ("an attribute twice", (r, m) => Attribute(r, m, (n, k) => n.Attribute.Add(n.Attribute[k].Clone()))),
        ("an attribute more", (r, m) => Node(r, m, n => n.Attribute.Add(Value(r, Pick(r, ["axis", "mine", "pads", "body", "alpha"]))))),
        ("an initializer twice", (r, m) => Initializer(r, m, (list, k) => list.Add(list[k].Clone()))),
        ("an initializer less", (r, m) => Initializer(r, m, (list, k) => list.RemoveAt(k))),
        ("an initializer of another name",
            (r, m) => Initializer(r, m, (list, k) => list[k].Name = r.Next(3) == 0 ? "new.tensor" : Pick(r, Names(m)))),
        ("an initializer of a rank more", (r, m) => Initializer(r, m, (list, k) => list[k].Dims.Add(1))),
        ("an initializer of a rank less", (r, m) => Initializer(r, m, (list, k) => Flatten(list[k].Dims))),
        ("a graph's input twice", (r, m) => Graph(r, m, g => g.Input, (list, k) => list.Add(list[k].Clone()))),
        ("a graph's input less", (r, m) => Graph(r, m, g => g.Input, (list, k) => list.RemoveAt(k))),
        ("a graph's input of another name", (r, m) => Graph(r, m, g => g.Input, (list, k) => list[k].Name = Pick(r, Names(m)))),
        ("a graph's input more", (r, m) => Graph(r, m, g => g.Input, (list, _) => list.Add(SmallModels.Value("new.input", 2)))),
        ("a graph's output twice", (r, m) => Graph(r, m, g => g.Output, (list, k) => list.Add(list[k].Clone()))),
        ("a graph's output less", (r, m) => Graph(r, m, g => g.Output, (list, k) => list.RemoveAt(k))),
        ("a graph's output of another name",
            (r, m) => Graph(r, m, g => g.Output, (list, k) => list[k].Name = r.Next(3) == 0 ? "new.tensor" : Pick(r, Names(m)))),
        ("a graph without a name", (r, m) => Change(Pick(r, [.. m.Graph.WithSubgraphs()]), g => g.Name = "")),
        ("another operator set", (r, m) => Change(Pick(r, m.OpsetImport), o => o.Version = r.Next(-1, 30))),
        ("no operator set", (r, m) => Change(m.OpsetImport, o => o.RemoveAt(r.Next(o.Count)))),
        ("an operator set twice",
            (r, m) => Change(m.OpsetImport,
                o => o.Add(new OperatorSetIdProto { Domain = "ai.onnx", Version = r.Next(2) == 0 ? o[0].Version : 12 }))),
        ("another domain", (r, m) => Node(r, m, n => n.Domain = Pick(r, ["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "own", "nobody"]))),
        ("another IR version", (r, m) => Change(m, x => x.IrVersion = r.Next(1, 16))),
    ];

    /// <summary>Changes the model and says what was done; null where the change that was drawn does not apply to it.</summary>
    public static string? Apply(Random random, ModelProto model)
    {
        // What earlier changes emptied has nothing left to change.
        if (model.OpsetImport.Count == 0 || Names(model).Count == 0) return null;
        var (name, change) = List[random.Next(List.Length)];
        return change(random, model) ? name : null;
    }

    internal static T Pick<T>(Random random, IList<T> list) => list[random.Next(list.Count)];

    internal static List<RepeatedField<NodeProto>> Bodies(ModelProto model)
        => [.. model.Graph.WithSubgraphs().Select(g => g.Node), .. model.Functions.Select(f => f.Node)];

    internal static List<string> Names(ModelProto model)
        => [.. model.Graph.WithSubgraphs().SelectMany(g => g.Input.Select(i => i.Name).Concat(g.Initializer.Select(t => t.Name))),
            .. Bodies(model).SelectMany(b => b).SelectMany(n => n.Output).Where(o => o.Length > 0)];

    private static bool Change<T>(T what, Action<T> change)
    {
        change(what);
        return true;
    }

    private static bool List_(Random random, ModelProto model, Action<RepeatedField<NodeProto>, int> change)
        => Item(random, Pick(random, Bodies(model)), change);

    private static bool Node(Random random, ModelProto model, Action<NodeProto> change)
        => List_(random, model, (nodes, k) => change(nodes[k]));

    private static bool Input(Random random, ModelProto model, Action<NodeProto, int> change)
        => Any(random, model, n => n.Input.Count, change);

    private static bool Output(Random random, ModelProto model, Action<NodeProto, int> change)
        => Any(random, model, n => n.Output.Count, change);

    private static bool Attribute(Random random, ModelProto model, Action<NodeProto, int> change)
        => Any(random, model, n => n.Attribute.Count, change);

    private static bool Any(Random random, ModelProto model, Func<NodeProto, int> count, Action<NodeProto, int> change)
    {
        var all = Bodies(model).SelectMany(b => b).SelectMany(n => Enumerable.Range(0, count(n)).Select(k => (n, k))).ToList();
        return Item(random, all, (list, k) => change(list[k].n, list[k].k));
    }

    private static bool Initializer(Random random, ModelProto model, Action<RepeatedField<TensorProto>, int> change)
        => Graph(random, model, g => g.Initializer, change);

    private static bool Graph<T>(
        Random random, ModelProto model, Func<GraphProto, RepeatedField<T>> list, Action<RepeatedField<T>, int> change)
        => Item(random, list(Pick(random, [.. model.Graph.WithSubgraphs()])), change);

    private static bool Item<T>(Random random, T list, Action<T, int> change) where T : System.Collections.ICollection
    {
        if (list.Count == 0) return false;
        change(list, random.Next(list.Count));
        return true;
    }

    private static void Flatten(RepeatedField<long> dims)
    {
        long count = dims.Aggregate(1L, (a, b) => a * b);
        var rest = dims.Skip(2).ToList();
        long first = dims.Count > 1 ? dims[0] * dims[1] : count;
        dims.Clear();
        dims.Add(first);
        dims.AddRange(rest);
    }

    private static AttributeProto Value(Random random, string name) => random.Next(6) switch
    {
        0 => SmallModels.Int(name, 1),
        1 => SmallModels.Float(name, 1),
        2 => SmallModels.Ints(name, 1),
        3 => SmallModels.Text(name, "a"),
        4 => SmallModels.Tensor(name, SmallModels.Weight("", 2)),
        _ => SmallModels.Graph(name,
            SmallModels.Body("", "o", SmallModels.Node("Constant", "", "o", SmallModels.Tensor("value", SmallModels.Weight("", 1))))),
    };
}
