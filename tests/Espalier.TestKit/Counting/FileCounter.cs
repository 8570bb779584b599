using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.TestKit.Counting;

/// <summary>What a file holds and costs.</summary>
/// <param name="Parameters">Elements of all tensors that count as parameters.</param>
/// <param name="Macs">Multiply-accumulates of one run.</param>
/// <param name="Bytes">Bytes of the file and of those that its tensors are in.</param>
/// <param name="Uncounted">Branches that do not run on the inputs, with the reason: their multiply-accumulates are not in the sum.</param>
internal sealed record FileFigures(long Parameters, long Macs, long Bytes, IReadOnlyList<string> Uncounted)
{
    /// <summary>Multiply-accumulates by first result of the node.</summary>
    public IReadOnlyDictionary<string, double> ByNode { get; init; } = new Dictionary<string, double>();
}

/// <summary>
/// Counts what a report must say, from the file alone: the messages, and the shapes that ONNX Runtime gives them. It knows no terms and
/// shares no code with the rewriter.
/// </summary>
internal static class FileCounter
{
    /// <summary>Counts a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="inputs">Makes inputs of the sizes at which it is counted.</param>
    public static FileFigures Count(string path, Func<IReadOnlyDictionary<string, OrtValue>> inputs)
    {
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var others = External(model.Graph)
            .Select(t => t.ExternalData.First(e => e.Key == "location").Value).Distinct(StringComparer.Ordinal)
                .Select(f => Path.Combine(folder, f)).ToList();
        long parameters = ParameterCount.List(model).Sum(t => t.Elements);
        Inline(model.Graph, folder);
        var given = inputs();
        try
        {
            var trace = ShapeTrace.Run(model, given);
            return new(parameters, (long)Math.Round(trace.Nodes.Sum(MacFormulas.Evaluate)), new FileInfo(path).Length
                + others.Sum(f => new FileInfo(f).Length), trace.Uncounted)
            {
                ByNode = trace.Nodes.Where(n => n.Node.Output.Count > 0).GroupBy(n => n.Node.Output[0])
                    .ToDictionary(g => g.Key, g => g.Sum(MacFormulas.Evaluate), StringComparer.Ordinal),
            };
        }
        finally
        {
            foreach (var value in given.Values) value.Dispose();
        }
    }

    private static IEnumerable<TensorProto> External(GraphProto graph)
        => graph.WithSubgraphs()
            .SelectMany(g => g.Initializer.Concat(g.Node.SelectMany(n => n.Attribute).Select(a => a.T).OfType<TensorProto>()))
                .Where(t => t.DataLocation == TensorProto.Types.DataLocation.External);

    /// <summary>Brings tensors of other files in, so that the model runs from memory.</summary>
    private static void Inline(GraphProto graph, string folder)
    {
        foreach (var tensor in External(graph).ToList())
        {
            string Entry(string key, string absent) => tensor.ExternalData.FirstOrDefault(e => e.Key == key)?.Value ?? absent;
            using var file = File.OpenRead(Path.Combine(folder, Entry("location", "")));
            file.Position = long.Parse(Entry("offset", "0"), System.Globalization.CultureInfo.InvariantCulture);
            var bytes = new byte[long.Parse(Entry("length",
                (file.Length - file.Position).ToString(System.Globalization.CultureInfo.InvariantCulture)),
                    System.Globalization.CultureInfo.InvariantCulture)];
            file.ReadExactly(bytes);
            tensor.RawData = Google.Protobuf.ByteString.CopyFrom(bytes);
            tensor.ClearDataLocation();
            tensor.ExternalData.Clear();
        }
    }
}
