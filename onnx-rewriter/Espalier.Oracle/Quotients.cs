using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Oracle;

/// <summary>
/// What weights alone compute and has no value where a removed unit is zero, such as 0/0 where a weight is divided by its own norm, is
/// zero by the definition of masking: the unit is gone, and so is what is made of it. Only nodes of which nothing but constants of the
/// file goes in are looked at, so that no quotient of activations is hidden.
/// </summary>
internal sealed class Quotients(OnnxModel dense)
{
    // Where and IsNaN exist from then on; older models keep what they compute.
    private const int FirstOpset = 9;

    /// <summary>Puts a zero in the place of values that are not finite.</summary>
    public void Settle(GraphProto graph)
    {
        if (dense.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version < FirstOpset) return;
        var constants = graph.Initializer.ToDictionary(t => t.Name, t => t.DataType, StringComparer.Ordinal);
        for (int k = 0; k < graph.Node.Count; k++)
        {
            var node = graph.Node[k];
            if (node.ConstantTensor() is { } constant) constants[node.Output[0]] = constant.DataType;
            else if (node.Input.Count > 0 && node.Output.Count > 0 && node.Input.All(i => i.Length == 0 || constants.ContainsKey(i)))
            {
                int type = node.OpType == "Cast"
                    ? (int)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0)
                    : constants[node.Input[0]];
                foreach (string output in node.Output) constants[output] = type;
                if (node.OpType is "Div" or "Reciprocal" or "Pow" or "Log"
                    && (DataType)type is DataType.Float or DataType.Double or DataType.Float16)
                    k += Repair(graph, k, (DataType)type);
            }
        }
    }

    private int Repair(GraphProto graph, int at, DataType type)
    {
        var node = graph.Node[at];
        string result = node.Output[0], raw = result + "/quotient", zero = result + "/zero";
        graph.Initializer.Add(dense.NewTensor(zero, type, [], TensorContent.FromFloats(type, [0])));
        node.Output[0] = raw;
        // x − x is no number where x is infinite or none.
        NodeProto[] repair =
        [
            new() { OpType = "Sub", Input = { raw, raw }, Output = { result + "/difference" } },
            new() { OpType = "IsNaN", Input = { result + "/difference" }, Output = { result + "/undefined" } },
            new() { OpType = "Where", Input = { result + "/undefined", zero, raw }, Output = { result } },
        ];
        for (int k = 0; k < repair.Length; k++) graph.Node.Insert(at + 1 + k, repair[k]);
        return repair.Length;
    }
}
