using Espalier.Gradients.Writing;
using Espalier.Onnx;

namespace Espalier.Gradients.Fused;

/// <summary>Activations that are fused with what stands before them.</summary>
internal static class FusedActivations
{
    /// <summary>FastGelu is the approximation with tanh.</summary>
    public static string BiasGelu(Expansion e)
        => e.Graph.Op("Gelu", [e.Plus(e.In(0), 1)], BackwardGraph.Text("approximate", e.Node.Node.OpType == "FastGelu" ? "tanh" : "none"));

    /// <summary>An activation by its name, with its parameters in the order of <c>activation_params</c>.</summary>
    public static string Apply(Expansion e, string activation, string x, IReadOnlyList<float> parameters)
    {
        AttributeProto Parameter(string name, int index, float otherwise)
            => BackwardGraph.Real(name, index < parameters.Count ? parameters[index] : otherwise);
        return activation switch
        {
            "" or "none" => x,
            "Relu" or "Sigmoid" or "Tanh" or "HardSwish" => e.Graph.Op(activation, [x]),
            "silu" => e.Graph.Op("Mul", [x, e.Graph.Op("Sigmoid", [x])]),
            "LeakyRelu" => e.Graph.Op("LeakyRelu", [x], Parameter("alpha", 0, 0.01f)),
            "HardSigmoid" => e.Graph.Op("HardSigmoid", [x], Parameter("alpha", 0, 0.2f), Parameter("beta", 1, 0.5f)),
            "Clip" when parameters.Count == 2 => e.Graph.Op("Clip", [x, e.Number(parameters[0]), e.Number(parameters[1])]),
            _ => throw new NoGradientException($"its activation is {activation}"),
        };
    }
}
