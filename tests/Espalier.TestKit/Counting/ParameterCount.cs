using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Counting;

/// <summary>A tensor that a file stores and that counts as parameters.</summary>
/// <param name="Name">Its name, of an initializer; that of the result, of a Constant node.</param>
/// <param name="Elements">Elements as stored: of packed bytes, the bytes.</param>
internal sealed record StoredTensor(string Name, long Elements);

/// <summary>
/// The parameters of a file, by its messages alone: floating-point initializers and constants of all graphs and functions, and integers
/// that some operator
/// takes for quantised numbers. Integers are followed forwards, from where they are stored to who reads them.
/// </summary>
internal static class ParameterCount
{
    /// <summary>Operands that are quantised numbers, by operator; from the operators' specifications.</summary>
    private static readonly Dictionary<string, int[]> Quantised = new(StringComparer.Ordinal)
    {
        ["DequantizeLinear"] = [0],
        ["MatMul"] = [0, 1],
        ["Gemm"] = [0, 1, 2],
        ["FusedMatMul"] = [0, 1],
        ["MatMulInteger"] = [0, 1],
        ["MatMulInteger16"] = [0, 1],
        ["ConvInteger"] = [0, 1],
        ["QLinearMatMul"] = [0, 3],
        ["QLinearConv"] = [0, 3, 8],
        ["QGemm"] = [0, 3, 6],
        ["QAttention"] = [0, 1],
        ["QMoE"] = [2, 5, 8],
        ["MatMulIntegerToFloat"] = [0, 1],
        ["DynamicQuantizeMatMul"] = [1],
        ["DynamicQuantizeLSTM"] = [1, 2],
        ["QEmbedLayerNormalization"] = [2, 3, 4, 5, 6],
        ["QLinearAdd"] = [0, 3],
        ["QLinearMul"] = [0, 3],
        ["QLinearWhere"] = [1, 4],
        ["QLinearSigmoid"] = [0],
        ["QLinearLeakyRelu"] = [0],
        ["QLinearAveragePool"] = [0],
        ["QLinearGlobalAveragePool"] = [0],
        ["QLinearSoftmax"] = [0],
        ["QLinearReduceMean"] = [0],
        ["MatMulNBits"] = [1],
        ["MatMulBnb4"] = [1],
        ["GatherBlockQuantized"] = [0],
    };

    /// <summary>Operators that only move elements, with the operands that they move; none listed means all.</summary>
    internal static readonly Dictionary<string, int[]> Moving = new(StringComparer.Ordinal)
    {
        ["Identity"] = [0],
        ["Reshape"] = [0],
        ["Transpose"] = [0],
        ["Squeeze"] = [0],
        ["Unsqueeze"] = [0],
        ["Flatten"] = [0],
        ["Slice"] = [0],
        ["Gather"] = [0],
        ["GatherElements"] = [0],
        ["GatherND"] = [0],
        ["Split"] = [0],
        ["Expand"] = [0],
        ["Tile"] = [0],
        ["Pad"] = [0],
        ["DepthToSpace"] = [0],
        ["SpaceToDepth"] = [0],
        ["Where"] = [1, 2],
        ["Concat"] = [],
    };

    /// <summary>Every tensor that counts, in the order of the file.</summary>
    public static IReadOnlyList<StoredTensor> List(ModelProto model)
    {
        var counted = new List<StoredTensor>();
        var readers = new Readers(model);
        foreach (var scope in readers.Scopes)
        {
            foreach (var tensor in scope.Initializers) Count(scope, tensor.Name, tensor.DataType, tensor.Dims);
            foreach (var sparse in scope.Sparse
                .Where(s => s.Values is not null)) Count(scope, sparse.Values.Name, sparse.Values.DataType, sparse.Values.Dims);
            foreach (var node in scope.Nodes.Where(n => n is { OpType: "Constant", Domain: "" or "ai.onnx" }))
            {
                foreach (var a in node.Attribute)
                {
                    if (a is { Name: "value", T: { } tensor }) Count(scope, node.Output[0], tensor.DataType, tensor.Dims);
                    else if (a is { Name: "sparse_value", SparseTensor.Values: { } values }) Count(scope,
                        node.Output[0], values.DataType, values.Dims);
                    else if (a.Name == "value_float") Count(scope, node.Output[0], (int)DataType.Float, []);
                    else if (a.Name == "value_floats") Count(scope, node.Output[0], (int)DataType.Float, [a.Floats.Count]);
                }
            }
        }
        return counted;

        void Count(Scope scope, string name, int type, IEnumerable<long> dims)
        {
            if (IsReal((DataType)type)
                || IsQuantised(readers, scope, name, (DataType)type)) counted.Add(new(name, dims.Aggregate(1L, (a, d) => a * d)));
        }
    }

    private static bool IsReal(DataType type)
        => type is DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16 or DataType.Float8E4M3Fn
            or DataType.Float8E4M3Fnuz
        or DataType.Float8E5M2 or DataType.Float8E5M2Fnuz or DataType.Float8E8M0 or DataType.Float4E2M1;

    private static bool IsQuantised(Readers readers, Scope scope, string name, DataType type)
    {
        if (type is DataType.Bool or DataType.String or DataType.Complex64 or DataType.Complex128) return false;
        bool isSmall = type is DataType.Int8 or DataType.Uint8 or DataType.Int4 or DataType.Uint4 or DataType.Int2 or DataType.Uint2;
        var seen = new HashSet<(Scope, string)> { (scope, name) };
        for (var open = new Queue<(Scope Scope, string Name)>(seen); open.TryDequeue(out var value);)
        {
            foreach (var (reader, node, operand) in readers.Of(value.Scope, value.Name))
            {
                if (Quantised.GetValueOrDefault(node.OpType)?.Contains(operand) == true
                    || (node.OpType == "QLinearConcat" && operand >= 2 && operand % 3 == 2)) return true;
                var to = node.OpType == "Cast" ? (DataType)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0) : 0;
                // Integers of eight bits and less that become numbers to compute with were such numbers before.
                if (isSmall && IsReal(to)) return true;
                bool moves = to is DataType.Int8 or DataType.Uint8 or DataType.Int32 or DataType.Int64
                    || (Moving.GetValueOrDefault(node.OpType) is { } moved && (moved.Length == 0 || moved.Contains(operand)));
                foreach (var next in moves ? node.Output.Select(o => (reader, o)) : []) if (seen.Add(next)) open.Enqueue(next);
                foreach (var next in readers.Into(reader, node, operand)) if (seen.Add(next)) open.Enqueue(next);
            }
            foreach (var next in readers.OutOf(value.Scope, value.Name)) if (seen.Add(next)) open.Enqueue(next);
        }
        return false;
    }

    /// <summary>A graph or the body of a function.</summary>
    private sealed class Scope(IReadOnlyList<string> inputs, IReadOnlyList<NodeProto> nodes, IReadOnlyList<string> outputs)
    {
        private HashSet<string>? _own;

        /// <summary>The scope of the node that this one is a body of, and that node; null for the main graph and functions.</summary>
        public Scope? Outer { get; init; }

        public NodeProto? Holder { get; init; }
        public IReadOnlyList<TensorProto> Initializers { get; init; } = [];
        public IReadOnlyList<SparseTensorProto> Sparse { get; init; } = [];
        public IReadOnlyList<string> Inputs => inputs;
        public IReadOnlyList<NodeProto> Nodes => nodes;
        public IReadOnlyList<string> Outputs => outputs;

        private HashSet<string> Own => _own ??= [.. inputs, .. Initializers.Select(t => t.Name), .. nodes.SelectMany(n => n.Output)];

        public Scope? Owner(string name) => Own.Contains(name) ? this : Outer?.Owner(name);

        public static Scope Create(GraphProto graph, Scope? outer = null, NodeProto? holder = null)
            => new(Names(graph.Input), graph.Node, Names(graph.Output))
            {
                Outer = outer,
                Holder = holder,
                Initializers = graph.Initializer,
                Sparse = graph.SparseInitializer,
            };

        private static List<string> Names(IEnumerable<ValueInfoProto> values) => [.. values.Select(v => v.Name)];
    }

    /// <summary>Who reads what, in all graphs and functions.</summary>
    private sealed class Readers
    {
        private readonly Dictionary<(Scope, string), List<(Scope, NodeProto, int)>> _readers = [];
        private readonly Dictionary<(string, string), Scope> _functions = [];
        private readonly List<(Scope Scope, NodeProto Node)> _calls = [];

        public Readers(ModelProto model)
        {
            foreach (var f in model.Functions) _functions[(f.Domain, f.Name)] = Enter(new(f.Input, f.Node, f.Output));
            Enter(Scope.Create(model.Graph));
        }

        public List<Scope> Scopes { get; } = [];

        public IEnumerable<(Scope Scope, NodeProto Node, int Operand)> Of(Scope scope, string name)
            => _readers.GetValueOrDefault((scope, name)) ?? [];

        /// <summary>What an operand is called inside of the function that is called, or of the loop's body.</summary>
        public IEnumerable<(Scope, string)> Into(Scope scope, NodeProto node, int operand)
        {
            if (_functions.TryGetValue((node.Domain, node.OpType), out var function)
                && operand < function.Inputs.Count) yield return (function, function.Inputs[operand]);
            if (node.OpType is not ("Loop" or "Scan")) yield break;
            foreach (var body in Scopes
                .Where(s => ReferenceEquals(s.Holder, node) && operand < s.Inputs.Count)) yield return (body, body.Inputs[operand]);
        }

        /// <summary>What the result of a branch, or of a function, is called outside.</summary>
        public IEnumerable<(Scope, string)> OutOf(Scope scope, string name)
        {
            int at = scope.Outputs.ToList().IndexOf(name);
            if (at < 0) yield break;
            if (scope is { Holder.OpType: "If", Outer: { } outer }) yield return (outer, scope.Holder.Output[at]);
            foreach (var (caller, node) in _calls
                .Where(c => _functions.GetValueOrDefault((c.Node.Domain, c.Node.OpType)) == scope
                    && at < c.Node.Output.Count)) yield return (caller, node.Output[at]);
        }

        private Scope Enter(Scope scope)
        {
            Scopes.Add(scope);
            foreach (var node in scope.Nodes)
            {
                _calls.Add((scope, node));
                for (int k = 0; k < node.Input.Count; k++)
                {
                    if (scope.Owner(node.Input[k]) is not { } owner) continue;
                    if (!_readers.TryGetValue((owner, node.Input[k]), out var list)) _readers[(owner, node.Input[k])] = list = [];
                    list.Add((scope, node, k));
                }
                foreach (var graph in node.Attribute.SelectMany(a => a.G is null ? [.. a.Graphs] : new[] { a.G }))
                    Enter(Scope.Create(graph, scope, node));
            }
            return scope;
        }
    }
}
