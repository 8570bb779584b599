using Espalier.Onnx;

namespace Espalier.TestKit.Adversaries;

/// <summary>Changes that make a model longer, wider or deeper, or give it parts of another one.</summary>
internal static class GrowthMutations
{
    private static readonly (string Name, Func<Random, ModelProto, ModelProto, bool> Change)[] List =
    [
        ("a node of another model", Splice),
        ("nodes of another model", (r, m, o) => Enumerable.Range(0, r.Next(2, 6)).Count(_ => Splice(r, m, o)) > 0),
        ("the operator of another model", Operator),
        ("attributes of another model", Attributes),
        ("a long chain", (r, m, _) => Chain(r, m, r.Next(4) == 0 ? 3000 : r.Next(2, 40))),
        ("a node of many operands", (r, m, _) => Wide(r, m)),
        ("a node of many outputs", (r, m, _) => Node(r, m, n
            => n.Output.AddRange(Enumerable.Range(0, r.Next(2, 2000)).Select(k => $"{n.Output.FirstOrDefault()}.{k}")))),
        ("a tensor with itself, over and over", (r, m, _) => Doubled(r, m)),
        ("a long name", (r, m, _) => Node(r, m, n => n.Name = new string('n', r.Next(2) == 0 ? 300 : 70_000))),
        ("a node inside of a branch", (r, m, _) => Nest(r, m, 1)),
        ("branches inside of branches", (r, m, _) => Nest(r, m, r.Next(2, 32))),
        ("a node as a function", Function),
        ("functions that call functions", (r, m, _) => Calls(r, m)),
        ("quantized and back", (r, m, _) => Quantized(r, m)),
        ("a shape from a shape", (r, m, _) => Reshaped(r, m)),
    ];

    /// <summary>
    /// Changes the model and says what was done; null where the change that was drawn does not apply to it.
    /// </summary>
    /// <param name="random">What is drawn from.</param>
    /// <param name="model">The model.</param>
    /// <param name="other">Another model, which gives parts; it is not changed.</param>
    public static string? Apply(Random random, ModelProto model, ModelProto other)
    {
        if (GraphMutations.Names(model).Count == 0) return null;
        var (name, change) = List[random.Next(List.Length)];
        return change(random, model, other) ? name : null;
    }

    /// <summary>
    /// A node of the other model stands behind one of this one's tensors; a reader of that tensor gets what
    /// it makes.
    /// </summary>
    private static bool Splice(Random random, ModelProto model, ModelProto other)
    {
        if (other.Graph.Node.Count == 0) return false;
        var added = GraphMutations.Pick(random, other.Graph.Node).Clone();
        var weights = other.Graph.Initializer.DistinctBy(t => t.Name).ToDictionary(t => t.Name, StringComparer.Ordinal);
        var names = GraphMutations.Names(model);
        string prefix = $"s{model.Graph.Node.Count}.";
        for (int k = 0; k < added.Input.Count; k++)
        {
            if (weights.TryGetValue(added.Input[k], out var weight) && weight.CalculateSize() < 1 << 16)
            {
                var copy = weight.Clone();
                copy.Name = prefix + copy.Name;
                if (model.Graph.Initializer.All(t => t.Name != copy.Name)) model.Graph.Initializer.Add(copy);
                added.Input[k] = copy.Name;
            }
            else if (added.Input[k].Length > 0) added.Input[k] = GraphMutations.Pick(random, names);
        }
        for (int k = 0; k < added.Output.Count; k++) if (added.Output[k].Length > 0) added.Output[k] = prefix + added.Output[k];
        added.Name = prefix + added.Name;
        foreach (var set in other.OpsetImport.Where(s => model.OpsetImport.All(own
            => own.Domain != s.Domain))) model.OpsetImport.Add(set.Clone());
        Insert(random, model, added, added.Input.FirstOrDefault(n => names.Contains(n)));
        return true;
    }

    /// <summary>
    /// The node comes in front of a reader of the tensor, which reads it instead; at the end where there is
    /// none.
    /// </summary>
    private static void Insert(Random random, ModelProto model, NodeProto added, string? tensor)
    {
        var nodes = model.Graph.Node;
        var readers = Enumerable.Range(0, nodes.Count).Where(n => tensor is not null && nodes[n].Input.Contains(tensor)).ToList();
        if (readers.Count == 0 || added.Output.Count == 0)
        {
            nodes.Add(added);
            return;
        }
        int at = GraphMutations.Pick(random, readers);
        nodes[at].Input[nodes[at].Input.IndexOf(tensor!)] = added.Output[0];
        nodes.Insert(at, added);
    }

    private static bool Operator(Random random, ModelProto model, ModelProto other)
    {
        if (other.Graph.Node.Count == 0) return false;
        var from = GraphMutations.Pick(random, other.Graph.Node);
        return Node(random, model, n => (n.OpType, n.Domain) = (from.OpType, from.Domain));
    }

    private static bool Attributes(Random random, ModelProto model, ModelProto other)
    {
        var with = other.Graph.Node.Where(n => n.Attribute.Count > 0).ToList();
        if (with.Count == 0) return false;
        var from = GraphMutations.Pick(random, with);
        return Node(random, model, n =>
        {
            if (n.OpType != from.OpType && random.Next(2) == 0) n.OpType = from.OpType;
            n.Attribute.Clear();
            n.Attribute.AddRange(from.Attribute.Select(a => a.Clone()));
        });
    }

    private static bool Chain(Random random, ModelProto model, int length)
    {
        var tensor = GraphMutations.Pick(random, GraphMutations.Names(model));
        string op = GraphMutations.Pick(random, ["Relu", "Add", "Identity", "Transpose", "Concat", "MatMul", "Shape", "Softmax",
            "Unsqueeze"]);
        var reader = model.Graph.Node.FirstOrDefault(n => n.Input.Contains(tensor));
        string from = tensor;
        int at = reader is null ? model.Graph.Node.Count : model.Graph.Node.IndexOf(reader);
        for (int k = 0; k < length; k++)
        {
            var node = SmallModels.Node(op, "", $"chain.{at}.{k}");
            node.Input.Add(from);
            if (op is "Add" or "Concat" or "MatMul") node.Input.Add(random.Next(2) == 0 ? from : tensor);
            if (op == "Concat") node.Attribute.Add(SmallModels.Int("axis", 0));
            model.Graph.Node.Insert(at + k, node);
            from = node.Output[0];
        }
        if (reader is not null) reader.Input[reader.Input.IndexOf(tensor)] = from;
        return true;
    }

    private static bool Wide(Random random, ModelProto model) => Node(random, model, n =>
    {
        var names = GraphMutations.Names(model);
        for (int k = random.Next(3, 1500); k > 0; k--) n.Input.Add(n.Input.Count > 0 && random.Next(4) > 0 ? n.Input[0]
            : GraphMutations.Pick(random, names));
    });

    private static bool Doubled(Random random, ModelProto model)
    {
        var tensor = GraphMutations.Pick(random, GraphMutations.Names(model));
        string op = GraphMutations.Pick(random, ["Concat", "Add", "Mul", "Tile", "Expand", "Where"]);
        string from = tensor;
        for (int k = random.Next(4, 40); k > 0; k--)
        {
            var node = SmallModels.Node(op, "", $"double.{model.Graph.Node.Count}");
            node.Input.Add([from, from]);
            if (op == "Where") node.Input.Add(from);
            if (op == "Concat") node.Attribute.Add(SmallModels.Int("axis", random.Next(3) - 1));
            Insert(random, model, node, from);
            from = node.Output[0];
        }
        return true;
    }

    private static bool Nest(Random random, ModelProto model, int depth)
    {
        if (model.Graph.Node.Count == 0) return false;
        int at = random.Next(model.Graph.Node.Count);
        var node = model.Graph.Node[at];
        if (node.Output.Count == 0) return false;
        var condition = new TensorProto
        {
            Name = $"condition.{at}",
            DataType = (int)TensorProto.Types.DataType.Bool,
            RawData =
            Google.Protobuf.ByteString.CopyFrom(1)
        };
        if (model.Graph.Initializer.All(t => t.Name != condition.Name)) model.Graph.Initializer.Add(condition);
        for (int level = 0; level < depth; level++)
        {
            var inner = node.Clone();
            for (int k = 0; k < inner.Output.Count; k++) if (inner.Output[k].Length > 0) inner.Output[k] += $".in{level}";
            var outer = SmallModels.Node("If", condition.Name, "");
            outer.Output.AddRange(node.Output);
            GraphProto Branch(string suffix)
            {
                var body = new GraphProto { Name = suffix };
                var copy = inner.Clone();
                for (int k = 0; k < copy.Output.Count; k++) if (copy.Output[k].Length > 0) copy.Output[k] += suffix;
                body.Node.Add(copy);
                body.Output.AddRange(copy.Output.Select(o => new ValueInfoProto { Name = o }));
                return body;
            }
            // Both branches would double with every level.
            outer.Attribute.Add(SmallModels.Graph("then_branch", Branch("t")));
            outer.Attribute.Add(SmallModels.Graph("else_branch", depth == 1 ? Branch("e") : Same(node.Output)));
            node = outer;
        }
        model.Graph.Node[at] = node;
        return true;

        static GraphProto Same(IEnumerable<string> outputs)
        {
            var body = new GraphProto { Name = "same" };
            foreach (var output in outputs)
            {
                body.Node.Add(SmallModels.Node("Constant", "", "c" + output, SmallModels.Tensor("value", SmallModels.Weight("", 2))));
                body.Output.Add(new ValueInfoProto { Name = "c" + output });
            }
            return body;
        }
    }

    private static bool Function(Random random, ModelProto model, ModelProto other) => Node(random, model, n =>
    {
        var body = new FunctionProto { Name = $"F{model.Functions.Count}", Domain = "own.functions" };
        body.Input.AddRange(Enumerable.Range(0, n.Input.Count).Select(k => $"i{k}"));
        body.Output.AddRange(Enumerable.Range(0, n.Output.Count).Select(k => $"o{k}"));
        body.OpsetImport.AddRange(model.OpsetImport.Select(s => s.Clone()));
        var inner = n.Clone();
        inner.Input.Clear();
        inner.Input.AddRange(body.Input.Select((name, k) => n.Input[k].Length == 0 ? "" : name));
        inner.Output.Clear();
        inner.Output.AddRange(body.Output);
        body.Node.Add(inner);
        model.Functions.Add(body);
        (n.OpType, n.Domain) = (body.Name, body.Domain);
        n.Attribute.Clear();
        if (model.OpsetImport.All(s => s.Domain != body.Domain)) model.OpsetImport.Add(new OperatorSetIdProto
        {
            Domain =
            body.Domain,
            Version = 1
        });
    });

    /// <summary>Functions of which each calls the next one twice, or the last one the first.</summary>
    private static bool Calls(Random random, ModelProto model)
    {
        int count = random.Next(2, 40);
        bool circle = random.Next(3) == 0;
        string domain = $"calls{model.Functions.Count}";
        var imports = model.OpsetImport.Append(new OperatorSetIdProto { Domain = domain, Version = 1 }).ToList();
        for (int k = 0; k < count; k++)
        {
            var body = new FunctionProto { Name = $"C{k}", Domain = domain, Input = { "i" }, Output = { "o" } };
            body.OpsetImport.AddRange(imports.Select(s => s.Clone()));
            string called = k + 1 < count ? $"{domain}:C{k + 1}" : circle ? $"{domain}:C0" : "Relu";
            body.Node.Add(SmallModels.Node(called, "i", "m"));
            body.Node.Add(SmallModels.Node(called, "m", "o"));
            model.Functions.Add(body);
        }
        model.OpsetImport.Add(imports[^1].Clone());
        var tensor = GraphMutations.Pick(random, GraphMutations.Names(model));
        Insert(random, model, new NodeProto { OpType = "C0", Domain = domain, Input = { tensor }, Output = { $"{domain}.out" } }, tensor);
        return true;
    }

    private static bool Quantized(Random random, ModelProto model)
    {
        var tensor = GraphMutations.Pick(random, GraphMutations.Names(model));
        string id = $"q{model.Graph.Node.Count}";
        var scale = SmallModels.Weight($"{id}.scale", random.Next(2) == 0 ? [] : [random.Next(1, 17)]);
        model.Graph.Initializer.Add(scale);
        var quantize = SmallModels.Node("QuantizeLinear", "", $"{id}.q");
        quantize.Input.Add([tensor, scale.Name]);
        var back = SmallModels.Node("DequantizeLinear", $"{id}.q {id}.scale", $"{id}.d");
        if (random.Next(2) == 0) foreach (var node in (NodeProto[])[quantize, back]) node.Attribute.Add(SmallModels.Int("axis",
            random.Next(-2, 3)));
        Insert(random, model, back, tensor);
        model.Graph.Node.Insert(model.Graph.Node.IndexOf(back), quantize);
        return true;
    }

    private static bool Reshaped(Random random, ModelProto model)
    {
        var names = GraphMutations.Names(model);
        var tensor = GraphMutations.Pick(random, names);
        string id = $"r{model.Graph.Node.Count}";
        var shape = SmallModels.Node("Shape", "", $"{id}.s");
        shape.Input.Add(random.Next(3) > 0 ? tensor : GraphMutations.Pick(random, names));
        var reshape = SmallModels.Node(GraphMutations.Pick(random,
            ["Reshape", "Expand", "Tile", "ConstantOfShape", "Slice", "Gather"]), "", $"{id}.o");
        reshape.Input.Add([tensor, $"{id}.s"]);
        if (reshape.OpType == "ConstantOfShape") reshape.Input.RemoveAt(0);
        Insert(random, model, reshape, tensor);
        model.Graph.Node.Insert(model.Graph.Node.IndexOf(reshape), shape);
        return true;
    }

    private static bool Node(Random random, ModelProto model, Action<NodeProto> change)
    {
        var all = GraphMutations.Bodies(model).SelectMany(b => b).ToList();
        if (all.Count == 0) return false;
        change(GraphMutations.Pick(random, all));
        return true;
    }
}
