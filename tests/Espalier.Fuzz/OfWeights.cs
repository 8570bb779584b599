using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Limits;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Fuzz;

/// <summary>
/// A model whose inputs become weights, so that there is something of a single operator that could go.
/// </summary>
internal static class OfWeights
{
    /// <summary>
    /// Half of everything exact removed, and compared with the masked model. Nothing for a file that does not
    /// open.
    /// </summary>
    public static IEnumerable<(string Kind, string What)> Slimmed(string path)
    {
        if (Of(path) is not { } model) return [];
        using (model)
        {
            try
            {
                return [Slimmed(model)];
            }
            // Whatever it is, it is an exception of a file that opened, and is listed with all others.
            catch (Exception e)
            {
                return [("DIFFERENT", e.ToString())];
            }
        }
    }

    private static (string Kind, string What) Slimmed(OnnxModel model)
    {
        try
        {
            var inputs = SeededInputs.For(model, 1);
            Ort.Run(model, inputs);
            foreach (var value in inputs.Values) value.Dispose();
        }
        catch (Exception e) when (e is OnnxRuntimeException or NotSupportedException)
        {
            return ("not run by ONNX Runtime", e.Message);
        }
        var analysis = AxisAnalysis.Run(model);
        var selection = SlimOracle.Pick(analysis, 0.5, 1);
        if (selection.Kept.All(k => k.Value.Length == analysis.Groups[k.Key].Size))
            return Why(analysis) is { } why ? ("nothing to remove", why)
                : ("NO REASON", string.Join(", ", model.Proto.Graph.Node.Select(n => n.OpType)));
        var result = SlimOracle.Measure(analysis, selection);
        if (result.IsExact && result.IsTwin) return (result.Effect > 0 ? "slim = masked" : "slim = masked, not seen", "");
        return ("DIFFERENT", SlimOracle.Describe(result));
    }

    /// <summary>The first reason, without the names of this model.</summary>
    private static string? Why(AxisAnalysis analysis)
    {
        if (analysis.Groups.FirstOrDefault(g => g.Exactness != Exactness.Exact)?.Reason is { Length: > 0 } group) return Kind(group);
        if (analysis.Frozen.FirstOrDefault().Reason is { Length: > 0 } axis) return Kind(axis);
        return analysis.Groups.Count > 0 ? "so few units that all must stay"
            : analysis.Model.Proto.Graph.Initializer.All(t => t.Dims.All(d => d < 2)) ? "no axis has two positions"
            : analysis.Model.Proto.Graph.Initializer.All(t => t.Dims.All(d => d < 2)
                || (t.Dims.Count == 1 && (DataType)t.DataType is DataType.Int64 or DataType.Int32))
                ? "vectors of integers are numbers, and no weights" : null;

        // What is behind the node's name.
        static string Kind(string reason) => reason.StartsWith("graph output", StringComparison.Ordinal)
            ? "graph output: its shape is the model's interface"
            : reason.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var at
                ? new([.. reason[(at + 2)..].Where(c => !char.IsAsciiDigit(c))]) : reason;
    }

    /// <summary>
    /// The model with its data, or seeded random numbers, in the place of its inputs; null where it does not
    /// open.
    /// </summary>
    private static OnnxModel? Of(string path)
    {
        try
        {
            using var model = OnnxModel.Open(path);
            var edited = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
            var weights = edited.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
            var inputs = edited.Graph.Input.Where(i => !weights.Contains(i.Name)).ToList();
            for (int k = 0; k < inputs.Count; k++)
            {
                if (inputs[k].Type?.TensorType is not { } type || Data(path, k, type) is not { } data) continue;
                data.Name = inputs[k].Name;
                edited.Graph.Initializer.Add(data);
                edited.Graph.Input.Remove(inputs[k]);
            }
            return OnnxModel.Parse(edited.ToByteArray());
        }
        catch (OnnxFormatException)
        {
            return null;
        }
    }

    private static TensorProto? Data(string path, int input, TypeProto.Types.Tensor type)
    {
        var file = Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0",
            string.Create(CultureInfo.InvariantCulture, $"input_{input}.pb"));
        if (File.Exists(file)) return TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
        long[] dims = [.. type.Shape.Dim.Select(d => d.HasDimValue ? d.DimValue : 2)];
        var random = new Random(input);
        var numbers = new float[dims.Aggregate(1L, (a, d) => a * d)];
        for (int k = 0; k < numbers.Length; k++) numbers[k] = (2 * random.NextSingle()) - 1;
        return (DataType)type.ElemType == DataType.Float ? GraphBuilder.Tensor("", DataType.Float, dims,
            System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(numbers).ToArray()) : null;
    }
}
