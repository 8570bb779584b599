using Espalier.Onnx.Limits;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.Onnx.AttributeProto.Types;
using static Espalier.TestKit.Adversaries.SmallModels;

namespace Espalier.Onnx.Tests;

/// <summary>A graph is checked when it is opened: what is wrong with it, and where.</summary>
public class GraphCheckTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("no_inputs", "the node that makes 'u' (Upsample) has 0 inputs; Upsample of operator set 6 has 1")]
    [InlineData("attribute_of_wrong_kind",
        "the node that makes 'Z' (Slice) has the attribute 'starts' as a string; in Slice of operator set 9 it is a list of integers")]
    [InlineData("inputs_to_constant", "the node that makes 'K' (Constant) has 1 input; Constant of operator set 13 has 0")]
    [InlineData("cycle", "the node that makes 'p' (Add) reads 'q', which is computed from its own results: the graph has a cycle")]
    [InlineData("two_writers",
        "the name 'Y' is defined twice: an output of a node without name (Gemm) and an output of a node without name (Relu)")]
    [InlineData("conv_weight_rank",
        "the node that makes 'c' (Conv) reads 'CW' of rank 2 as input 1; Conv of operator set 13 wants rank 3 or more")]
    public void A_malformed_file_is_refused_with_what_and_where(string file, string what)
    {
        string path = Path.Combine(Assets.Root, "tests/assets/cases/malformed", file + ".onnx");
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(path));
        Assert.Equal(what, error.What);
        Assert.StartsWith($"{path}: {what}", error.Message, StringComparison.Ordinal);
    }

    private static readonly Dictionary<string, (Func<ModelProto> Model, Action<ModelProto> Change, string What)> Faults = new()
    {
        ["an input that nobody makes"] = (Dense, m => m.Graph.Node[1].Input[0] = "q",
            "the node that makes 'r' (Relu) reads 'q', which nothing makes"),
        ["a named node"] = (Dense, m => (m.Graph.Node[1].Name, m.Graph.Node[1].Input[0]) = ("act", "q"),
            "node 'act' (Relu) reads 'q', which nothing makes"),
        ["a graph output that nobody makes"] = (Dense, m => m.Graph.Output[0].Name = "q", "nothing makes the output 'q'"),
        ["two graph inputs"] = (Dense, m => m.Graph.Input.Add(Value("x", 2, 8)), "the name 'x' is defined twice: an input and an input"),
        ["two initializers"] = (Dense, m => m.Graph.Initializer.Add(Weight("w2", 16, 4)),
            "the name 'w2' is defined twice: an initializer and an initializer"),
        ["an initializer and a node"] = (Dense, m => m.Graph.Initializer.Add(Weight("r", 2, 16)),
            "the name 'r' is defined twice: an initializer and an output of a node without name (Relu)"),
        ["an input and a node"] = (Dense, m => m.Graph.Node[1].Output[0] = "x",
            "the name 'x' is defined twice: an input and an output of a node without name (Relu)"),
        ["two outputs of one node"] = (Dense, m => m.Graph.Node[1] = Node("Split", "a", "r r"),
            "the name 'r' is defined twice: an output of a node without name (Split) and an output of"),
        ["two nodes of one name"] = (Dense, m => m.Graph.Node[0].Name = m.Graph.Node[1].Name = "n", "two nodes have the name 'n'"),
        ["a node that reads itself"] = (Dense, m => m.Graph.Node[1].Input[0] = "r",
            "reads 'r', which is computed from its own results: the graph has a cycle"),
        ["no operator set"] = (Dense, m => m.OpsetImport.Clear(),
            "the node that makes 'a' (Gemm) is of the domain 'ai.onnx', of which no operator set is imported"),
        ["two operator sets"] = (Dense, m => m.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx", Version = 13 }),
            "the domain 'ai.onnx' is imported twice, as operator set 17 and as 13"),
        ["operator set 0"] = (Dense, m => m.OpsetImport[0].Version = 0, "operator set 0 of the domain '' is imported, and there is none"),
        ["a domain that is not imported"] = (Dense, m => m.Graph.Node[1].Domain = "own",
            "(own.Relu) is of the domain 'own', of which no operator set is imported"),
        ["no version of the format"] = (Dense, m => m.ClearIrVersion(), "it does not say of which version of the format it is"),
        ["no operator"] = (Dense, m => m.Graph.Node[1].OpType = "", "(no operator) has no operator"),
        ["too few inputs"] = (Dense, m => m.Graph.Node[3].Input.RemoveAt(1), "(Gemm) has 1 input; Gemm of operator set 17 has 2 to 3"),
        ["too many inputs"] = (Dense, m => m.Graph.Node[1].Input.Add(""), "(Relu) has 2 inputs; Relu of operator set 17 has 1"),
        ["an empty input"] = (Dense, m => m.Graph.Node[3].Input[1] = "", "(Gemm) leaves out input 1, which Gemm of operator set 17 needs"),
        ["an empty output"] = (Dense, m => m.Graph.Node.Add(Node("Relu", "x", "_")),
            "a node without name and results (Relu) leaves out output 0, which Relu of operator set 17 always gives"),
        ["too many outputs"] = (Dense, m => m.Graph.Node[1].Output.Add("v"), "(Relu) has 2 outputs; Relu of operator set 17 has 1"),
        ["an attribute twice"] = (Dense, m => m.Graph.Node[2].Attribute.Add(Int("axis", 1)), "(Softmax) has the attribute 'axis' twice"),
        ["an attribute of another operator"] = (Dense, m => m.Graph.Node[1].Attribute.Add(Int("axis", 1)),
            "(Relu) has the attribute 'axis', which Relu of operator set 17 does not have"),
        ["a graph where there is none"] = (Dense,
            m => m.Graph.Node[1].Attribute.Add(Graph("body", Body("", "o", Node("Relu", "x", "o")))),
            "has the attribute 'body', which Relu of operator set 17 does not have"),
        ["a list for a number"] = (Dense, m => m.Graph.Node[2].Attribute[0] = Ints("axis", 1),
            "as a list of integers; in Softmax of operator set 17 it is an integer"),
        ["a tag for another field"] = (Dense,
            m => m.Graph.Node[2].Attribute[0] = new() { Name = "axis", Type = AttributeType.Int, F = 1 },
            "'axis', which says that it is an integer and holds a float"),
        ["two fields"] = (Dense, m => m.Graph.Node[2].Attribute[0].Floats.Add(1),
            "'axis', which says that it is an integer and holds a list of floats"),
        ["no tag"] = (Dense, m => m.Graph.Node[2].Attribute[0].ClearType(), "(Softmax) has the attribute 'axis' without its kind"),
        ["an unknown tag"] = (Dense, m => m.Graph.Node[2].Attribute[0].Type = (AttributeType)99,
            "has the attribute 'axis' of a kind (99) that ONNX does not have"),
        ["no value"] = (Dense,
            m => m.Graph.Node[2] = Node("ConstantOfShape", "r", "s", new AttributeProto { Name = "value", Type = AttributeType.Tensor }),
            "'value', which says that it is a tensor and holds none"),
        ["a function's attribute without a function"] = (Dense,
            m => m.Graph.Node[2].Attribute[0] = new() { Name = "axis", Type = AttributeType.Int, RefAttrName = "k" },
            "refers to the attribute 'k' of a function and is in none"),
        ["a required attribute"] = (Dense, m => m.Graph.Node[2] = Node("Concat", "r", "s"),
            "(Concat) has no attribute 'axis', which Concat of operator set 17 needs"),
        ["an operator that is gone"] = (Dense, m => m.Graph.Node[2] = Node("Upsample", "r", "s"),
            "(Upsample) is of an operator that is gone since operator set 10; the model imports 17"),
        ["what an older set had"] = (Dense, m => m.Graph.Node[2] = Node("Squeeze", "r", "s", Ints("axes", 0)),
            "has the attribute 'axes', which Squeeze of operator set 17 does not have"),
        ["a weight of a wrong rank"] = (Dense, m => m.Graph.Initializer[0] = Weight("w1", 8, 4, 4),
            "reads 'w1' of rank 3 as input 1; Gemm of operator set 17 wants rank 2"),
        ["a constant of a wrong rank"] = (Dense,
            m => { m.Graph.Initializer.RemoveAt(0); m.Graph.Node.Add(Node("Constant", "", "w1", Tensor("value", Weight("", 8)))); },
            "reads 'w1' of rank 1 as input 1; Gemm of operator set 17 wants rank 2"),
        ["results that do not go together"] = (Dense, m => m.Graph.Node[2] = Node("BatchNormalization", "r b1 b1 b1 b1", "s t"),
            "(BatchNormalization) has 2 outputs; BatchNormalization of operator set 17 has 1 or 3"),
        ["a branch that reads what is nowhere"] = (Branches, m => Then(m).Node[0].Input[0] = "q",
            "the node that makes 'p' (Sigmoid) in then_branch of the node that makes 'z' (If) reads 'q', which nothing makes"),
        ["a branch that reads the other's"] = (Branches, m => Then(m).Node[0].Input[0] = "e", "reads 'e', which nothing makes"),
        ["a branch in no order"] = (Branches, m => (Then(m).Node[0], Then(m).Node[1]) = (Then(m).Node[1], Then(m).Node[0]),
            "the node that makes 't' (Add) in then_branch of the node that makes 'z' (If) reads 'p' before it is made"),
        ["a branch that reads what comes of it"] = (Branches, m => Then(m).Node[0].Input[0] = "y",
            "the node that makes 'z' (If) reads 'y', which is computed from its own results: the graph has a cycle"),
        ["a branch that makes an outer name"] = (Branches, m => Then(m).Node[0].Output[0] = Then(m).Node[1].Input[0] = "a",
            "makes 'a', which is already a tensor of the graph around it"),
        ["a branch that gives back an outer tensor"] = (Branches, m => Then(m).Output[0].Name = "r",
            "the output 'r' in then_branch of the node that makes 'z' (If) is a tensor of the graph around it"),
        ["a branch that gives nothing"] = (Branches, m => Then(m).Output[0].Name = "q", "nothing makes the output 'q' in then_branch"),
        ["two writers in a branch"] = (Branches, m => Then(m).Node.Add(Node("Relu", "x", "p")),
            "the name 'p' is defined twice in then_branch of the node that makes 'z' (If)"),
        ["a branch of two results"] = (Branches, m => Then(m).Output.Add(Value("p", 2, 8)),
            "(If) takes 1 outputs of then_branch, which gives 2"),
        ["a branch with an input"] = (Branches, m => Then(m).Input.Add(Value("q", 2, 8)),
            "(If) gives then_branch 0 inputs where it takes 1"),
        ["a branch too few"] = (Branches, m => m.Graph.Node[2].Attribute.RemoveAt(1),
            "(If) has no attribute 'else_branch', which If of operator set 17 needs"),
        ["a branch without a name"] = (Branches, m => Then(m).Name = "",
            "the graph in then_branch of the node that makes 'z' (If) has no name"),
        ["a function that reads the caller's"] = (Function, m => m.Functions[0].Node[0].Input[1] = "w1",
            "the node that makes 'p' (MatMul) in function 'own.Layer' reads 'w1', which nothing makes"),
        ["a function in no order"] = (Function,
            m => (m.Functions[0].Node[1], m.Functions[0].Node[2]) = (m.Functions[0].Node[2], m.Functions[0].Node[1]),
            "in function 'own.Layer' reads 'q' before it is made"),
        ["two writers in a function"] = (Function, m => m.Functions[0].Node.Add(Node("Relu", "v", "q")),
            "the name 'q' is defined twice in function 'own.Layer'"),
        ["two parameters of one name"] = (Function, m => m.Functions[0].Input.Add("v"),
            "the name 'v' is defined twice in function 'own.Layer'"),
        ["a function that gives nothing"] = (Function, m => m.Functions[0].Output[0] = "n",
            "nothing makes the output 'n' in function 'own.Layer'"),
        ["a function that nobody calls"] = (Function,
            m => { m.Functions.Add(m.Functions[0].Clone()); m.Functions[1].Name = "Other"; m.Functions[1].Node[2].Input.Add("q"); },
            "in function 'own.Other' has 2 inputs; Relu of operator set 17 has 1"),
        ["a function twice"] = (Function, m => m.Functions.Add(m.Functions[0].Clone()), "the function 'own.Layer' is there twice"),
        ["a function without operator set"] = (Function, m => m.Functions[0].OpsetImport.Clear(),
            "the node that makes 'p' (MatMul) in function 'own.Layer' is of the domain 'ai.onnx', of which no operator set is imported"),
        ["a function that calls itself"] = (Function,
            m =>
            {
                m.Functions[0].OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
                m.Functions[0].Node[2] = Node("own:Layer", "q w", "o");
            },
            "the functions 'own.Layer' and 'own.Layer' call each other without end"),
        ["a call of too many inputs"] = (Function, m => m.Graph.Node[0].Input.Add("x"), "(own.Layer) has 3 inputs; the function takes 2"),
        ["a call without what is needed"] = (Function, m => m.Graph.Node[0].Input.RemoveAt(1),
            "(own.Layer) leaves out input 1, which the function needs"),
        ["a call of too many outputs"] = (Function, m => m.Graph.Node[0].Output.Add("n"),
            "(own.Layer) has 2 outputs; the function gives 1"),
        ["a call with an attribute of a wrong kind"] = (Function, m => m.Graph.Node[0].Attribute[0] = Float("axis", 1),
            "gives the attribute 'axis' as a float; the function reads it as an integer"),
        ["a stripped weight"] = (Dense, m => m.Graph.Initializer[0].FloatData.Clear(), "the tensor 'w1' has none of its 128 elements"),
    };

    public static TheoryData<string> FaultNames() => [.. Faults.Keys];

    [Theory, MemberData(nameof(FaultNames))]
    public void A_fault_is_said_with_its_place(string fault)
    {
        var (make, change, what) = Faults[fault];
        var model = make();
        OnnxModel.Parse(model.ToByteArray()).Dispose();
        change(model);
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(model.ToByteArray()));
        output.WriteLine(error.Message);
        Assert.Contains(what, error.What, StringComparison.Ordinal);
        Assert.NotEmpty(error.Advice);
    }

    private static readonly Dictionary<string, (Func<ModelProto> Model, Action<ModelProto> Change)> Allowed = new()
    {
        ["nodes in no order"] = (Dense, m => (m.Graph.Node[0], m.Graph.Node[3]) = (m.Graph.Node[3], m.Graph.Node[0])),
        ["a branch before what it reads"] = (Branches, m => (m.Graph.Node[0], m.Graph.Node[2]) = (m.Graph.Node[2], m.Graph.Node[0])),
        ["an optional input that is empty"] = (Dense, m => m.Graph.Node[1] = Node("Clip", "a _ _", "r")),
        ["weights among the inputs"] = (Dense,
            m => { m.IrVersion = 3; m.Graph.Input.Add(m.Graph.Initializer.Select(t => Value(t.Name, [.. t.Dims]))); }
        ),
        ["an output twice"] = (Dense, m => m.Graph.Output.Add(Value("y", 2, 4))),
        ["an input that is an output"] = (Dense, m => m.Graph.Output.Add(Value("x", 2, 8))),
        ["the same operator set twice"] = (Dense, m => m.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx", Version = 17 })),
        ["a node of nothing"] = (Dense, m => m.Graph.Node.Add(Node("Relu", "", ""))),
        ["an attribute of a tool"] = (Dense, m => m.Graph.Node[1].Attribute.Add(Int("__mine", 1))),
        ["a list of nothing"] = (Dense, m => m.Graph.Node[1] = Node("ReduceSum", "a", "r", Int("noop_with_empty_axes", 1))),
        ["branches of the same names"] = (Branches, m => { Then(m).Node[1].Output[0] = Then(m).Output[0].Name = "e"; }
        ),
        ["a weight of a branch that hides an outer one"] = (Branches,
            m => { Then(m).Initializer.Add(Weight("w", 8, 8)); Then(m).Node[0] = Node("MatMul", "r w", "p"); }
        ),
        ["a result of a branch named as what comes after"] = (Branches, m => { Then(m).Node[1].Output[0] = Then(m).Output[0].Name = "y"; }
        ),
        ["a function for another operator set"] = (Function, m => m.Functions[0].OpsetImport[0].Version = 13),
        ["a call without its attribute"] = (Function, m => m.Graph.Node[0].Attribute.Clear()),
        ["two initializers that nobody reads"] = (Dense,
            m => { m.Graph.Initializer.Add(Weight("u", 2)); m.Graph.Initializer.Add(Weight("u", 2)); }
        ),
    };

    public static TheoryData<string> AllowedNames() => [.. Allowed.Keys];

    [Theory, MemberData(nameof(AllowedNames))]
    public void What_ONNX_Runtime_takes_is_opened(string name)
    {
        var model = Allowed[name].Model();
        Allowed[name].Change(model);
        Assert.Null(Runtime.Refusal(model));
        OnnxModel.Parse(model.ToByteArray()).Dispose();
    }

    [Fact]
    public void Operators_that_are_not_known_are_opened()
    {
        foreach (var (op, set) in new[] { ("NoSuchOperator", 17), ("own:Any", 17), ("ai.onnx.ml:NoSuch", 17),
            ("com.microsoft:NoSuch", 17), ("Relu", 99), ("SwiGLU", 28) })
        {
            var model = Dense();
            model.OpsetImport[0].Version = set;
            foreach (var domain in (string[])["own", "ai.onnx.ml", "com.microsoft"])
                model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = 1 });
            model.Graph.Node[1] = Node(op, "a _ x", "r more", Ints("any", 1), Graph("body", Body("u", "v", Node("Neg", "u", "v"))));
            OnnxModel.Parse(model.ToByteArray()).Dispose();
        }
    }

    [Fact]
    public void A_stripped_weight_is_named_where_its_name_is_known()
    {
        // In a tensor the shape comes first, and most writers put the name behind the elements. Here it is in front.
        byte[] tensor = [0x42, 1, (byte)'w', 0x08, 4, 0x10, 1];
        byte[] file = [0x3A, (byte)(tensor.Length + 5), 0x12, 1, (byte)'g', 0x2A, (byte)tensor.Length, .. tensor];
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(file));
        Assert.Equal("the tensor 'w' has none of its 4 elements", error.What);
        Assert.Contains("stripped", error.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Long_chains_and_many_names_take_time_in_proportion()
    {
        // A hundred thousand nodes, the last first; without recursion and without a walk per node it is a matter of seconds at most.
        var model = Dense();
        model.Graph.Node.Clear();
        const int Length = 100_000;
        for (int k = Length; k > 0; k--) model.Graph.Node.Add(Node("Relu", k == 1 ? "x" : $"t{k - 1}", $"t{k}"));
        model.Graph.Output[0].Name = $"t{Length}";
        OnnxModel.Parse(model.ToByteArray()).Dispose();
        model.Graph.Node[^1].Input[0] = $"t{Length}";
        Assert.Contains("cycle", Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(model.ToByteArray())).What,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Long_names_of_nodes_that_hold_many_graphs_take_no_memory()
    {
        var model = Branches();
        var inner = Node("If", "c", "n", Graph("then_branch", Body("", "k", Node("Neg", "x", "k"))),
            Graph("else_branch", Body("", "k", Node("Neg", "x", "k"))));
        model.Graph.Node[2].Name = new string('n', 60_000);
        for (int k = 0; k < 5000; k++)
        {
            var node = inner.Clone();
            node.Output[0] = $"n{k}";
            Then(model).Node.Add(node);
        }
        byte[] bytes = model.ToByteArray();
        long before = GC.GetAllocatedBytesForCurrentThread();
        OnnxModel.Parse(bytes).Dispose();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 100_000_000, $"{allocated} bytes for a file of {bytes.Length}");
    }

    [Fact]
    public void Every_network_at_hand_is_opened()
    {
        var files = Assets.Networks().Select(Assets.Path).Concat(Models.Names().Where(n => n.Length > 0).Select(Models.Path)).ToList();
        foreach (string file in files) OnnxModel.Open(file).Dispose();
        output.WriteLine($"{files.Count} files");
    }

    private static GraphProto Then(ModelProto model) => model.Graph.Node[2].Attribute[0].G;
}
