using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Axes.Tests.Naming;

/// <summary>All names that an analysis gave, and the same model under other numbers.</summary>
internal static partial class NameList
{
    /// <summary>Groups, blocks and aliases of weights, a line each, in graph order.</summary>
    /// <param name="files">With the names that the weights have in the file.</param>
    public static string Of(AxisAnalysis analysis, bool files)
    {
        var text = new StringBuilder();
        foreach (var g in analysis.Groups)
            text.Append(CultureInfo.InvariantCulture,
                $"{(g.Exactness == Exactness.Frozen ? "frozen " : "")}{g.Kind}  {g.Name}  {g.Size}\n");
        foreach (var b in analysis.Blocks)
            text.Append(CultureInfo.InvariantCulture, $"{(b.IsSublayer ? "sublayer" : "block")}  {b.Name}\n");
        foreach (var (tensor, alias) in analysis.Names.Aliases)
            text.Append(CultureInfo.InvariantCulture, $"weight  {alias}{(files ? "  " + tensor : "")}\n");
        return text.ToString();
    }

    /// <summary>Groups with different names, blocks too, and no alias that something else is called.</summary>
    public static void AreUnique(AxisAnalysis analysis)
    {
        Distinct(analysis.Groups.Select(g => g.Name));
        Distinct(analysis.Blocks.Where(b => b.IsSublayer).Select(b => b.Name));
        Distinct(analysis.Blocks.Where(b => !b.IsSublayer).Select(b => b.Name));
        // A block that is one sublayer has its name; no other shares one.
        foreach (var (block, sublayer) in analysis.Blocks.Where(b => !b.IsSublayer)
            .Join(analysis.Blocks.Where(b => b.IsSublayer), b => b.Name, s => s.Name, (b, s) => (b, s)))
            Assert.Equal([sublayer.Id], block.Sublayers);
        Distinct(analysis.Names.Aliases.Values.Concat(analysis.Model.Proto.Graph.Initializer.Select(t => t.Name)));
        Assert.All(analysis.Groups, g => Assert.NotEmpty(g.Name));
        Assert.All(analysis.Blocks, b => Assert.NotEmpty(b.Name));
    }

    /// <summary>The same model as an exporter would have written that counts otherwise: every number that it made up is another.</summary>
    public static OnnxModel Renumbered(OnnxModel model)
    {
        var clone = model.Proto.Clone();
        Rename(clone.Graph);
        foreach (var function in clone.Functions)
        {
            Rename(function.Node);
            Rename(function.Input);
            Rename(function.Output);
        }
        return model.Derive(clone);
    }

    /// <summary>How many names of a model's nodes and weights hold numbers that an exporter made up.</summary>
    public static int Numbers(OnnxModel model)
        => model.Proto.Graph.Initializer.Select(t => t.Name).Count(n => Other(n) != n)
            + model.Proto.Graph.Node.Count(n => OtherNode(n.Name) != n.Name);

    private static void Distinct(IEnumerable<string> names)
        => Assert.Empty(names.GroupBy(n => n, StringComparer.Ordinal).Where(n => n.Count() > 1).Select(n => n.Key));

    private static void Rename(GraphProto graph)
    {
        foreach (var tensor in graph.Initializer) tensor.Name = Other(tensor.Name);
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = Other(value.Name);
        foreach (var note in graph.QuantizationAnnotation) note.TensorName = Other(note.TensorName);
        Rename(graph.Node);
    }

    private static void Rename(IEnumerable<NodeProto> nodes)
    {
        foreach (var node in nodes)
        {
            node.Name = OtherNode(node.Name);
            Rename(node.Input);
            Rename(node.Output);
            foreach (var graph in node.Attribute.SelectMany(a => a.Graphs.Prepend(a.G)).OfType<GraphProto>()) Rename(graph);
        }
    }

    private static void Rename(IList<string> names)
    {
        for (int k = 0; k < names.Count; k++) names[k] = Other(names[k]);
    }

    private static string OtherNode(string name) => Last().Replace(name, m => m.Groups[1].Value + Scatter(long.Parse(m.Groups[2].Value,
        CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture));

    private static string Other(string name) => Number().Replace(name, m => m.Groups[1].Value + Scatter(long.Parse(m.Groups[2].Value,
        CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture) + m.Groups[3].Value);

    // No two numbers become one, and their order changes.
    private static long Scatter(long number) => 100_000 + (number * 7919 % 100_003);

    // Whatever ends a node's own name, behind the modules that it lies in.
    [GeneratedRegex(@"^((?:.*/)?[A-Za-z0-9]+_)(\d{1,6})$", RegexOptions.CultureInvariant)]
    private static partial Regex Last();

    // 927; onnx::MatMul_654; /encoder/MatMul_3 and /encoder/MatMul_3_output_0; MatMul_112; const_fold_opt__323; and in graphs of these
    // tests gemm_3_y.
    [GeneratedRegex(@"^(|onnx::\w+_|(?:.*/)?[A-Z][A-Za-z0-9]*_|(?:const_fold_opt_|val|const)_|[a-z0-9]+_(?=\d+_y))(\d{1,6})"
        + @"((?:_output_\d+|_y\d*)?)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
