using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Onnx.Tests;

/// <summary>What ONNX Runtime says of a model before it runs.</summary>
internal static class Runtime
{
    private static readonly Lazy<SessionOptions> Options = new(() => new()
    {
        IntraOpNumThreads = 1,
        InterOpNumThreads = 1,
        GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
        LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
    });

    // What it says where the structure is at fault, and not a type, a shape, a kernel or an operator that it does not have.
    private static readonly string[] Structural =
    [
        "is not a graph input, initializer", "Duplicate definition", "not acyclic", "two nodes with same node name", "input size",
            "output size", "marked single",
        "Unrecognized attribute", "Mismatched attribute type", "Required attribute", "appeared multiple times",
            "type field and data field mismatch", "more than one value field",
        "is required but missing", "is required to be non-empty", "is expected to have field", "does not exist in the graph",
            "topologically sorted", "single static assignment", "name is not unique", "No opset import", "No opset registered",
        "Missing opset", "Missing model IR", "is deprecated", "outer scope value being returned", "different number of outputs",
            "If node has", "Size mismatch validating subgraph inputs",
        "returned type information for", "zero input and zero output", "infinite recursion", "Invalid input count",
            "Invalid output count", "node_arg was false",
    ];

    /// <summary>Why it does not take the model; null when it does.</summary>
    public static string? Refusal(ModelProto model)
    {
        try
        {
            using var session = new InferenceSession(model.ToByteArray(), Options.Value);
            return null;
        }
        catch (OnnxRuntimeException e)
        {
            return e.Message;
        }
    }

    /// <summary>Why it does not run the model on numbers of which all are 0; null when it does.</summary>
    public static string? RunRefusal(ModelProto model)
    {
        try
        {
            using var session = new InferenceSession(model.ToByteArray(), Options.Value);
            using var run = new RunOptions();
            var inputs = session.InputMetadata.ToDictionary(i => i.Key,
                i => OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, i.Value.ElementDataType,
                    [.. i.Value.Dimensions.Select(d => (long)d)]));
            foreach (var value in inputs.Values) value.GetTensorMutableRawData().Clear();
            session.Run(run, inputs, session.OutputNames).Dispose();
            foreach (var value in inputs.Values) value.Dispose();
            return null;
        }
        catch (OnnxRuntimeException e)
        {
            return e.Message;
        }
    }

    public static bool IsStructural(string refusal) => Structural.Any(s => refusal.Contains(s, StringComparison.Ordinal));
}
