using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Calibration.Checks;

/// <summary>In how many digits a model computes.</summary>
public static class Precision
{
    /// <summary>
    /// Largest relative error that is rounding: 1e-4 in float32; four steps of float16 or bfloat16 where some operator reads
    /// such numbers and does not only widen them. There a number that surgery writes, the factor of a mean, is rounded by half
    /// a step wherever it stands. Choosing other units changes far more, which <c>PrecisionTests</c> measure.
    /// </summary>
    /// <param name="model">The graph and those inside of its nodes.</param>
    public static double Rounding(GraphProto model)
    {
        var types = new Dictionary<string, DataType>(StringComparer.Ordinal);
        double greatest = OracleResult.Rounding;
        foreach (var graph in model.WithSubgraphs())
        {
            foreach (var input in graph.Input) types[input.Name] = (DataType)(input.Type?.TensorType?.ElemType ?? 0);
            foreach (var tensor in graph.Initializer) types[tensor.Name] = (DataType)tensor.DataType;
            foreach (var node in graph.Node)
            {
                var type = node.OpType == "Constant" ? (DataType)(node.Attribute("value")?.T?.DataType ?? 0)
                    : node.OpType == "Cast" ? (DataType)node.Int("to", 0) : DataType.Undefined;
                if (node.Output.Count > 0 && type != DataType.Undefined) types[node.Output[0]] = type;
            }
        }
        foreach (var node in model.WithSubgraphs().SelectMany(g => g.Node).Where(n => n.OpType != "Cast"))
            foreach (string name in node.Input) greatest = Math.Max(greatest, 4 * Step(types.GetValueOrDefault(name)));
        return greatest;
    }

    /// <summary>Distance from 1 to the next number.</summary>
    private static double Step(DataType type) => type switch
    {
        DataType.Float16 => 1.0 / (1 << 10),
        DataType.Bfloat16 => 1.0 / (1 << 7),
        _ => 0,
    };
}
