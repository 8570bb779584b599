namespace Espalier.Onnx.Payloads;

/// <summary>A tensor where it stands.</summary>
/// <param name="IsInitializer">Whether it is an initializer of a graph; else it is in an attribute or in a sparse tensor.</param>
internal readonly record struct TensorPlace(TensorProto Tensor, bool IsInitializer);

/// <summary>
/// All tensors of a model: initializers, attributes, subgraphs, functions, training graphs, sparse tensors. Without recursion.
/// </summary>
internal static class ModelTensors
{
    public static IEnumerable<TensorPlace> Enumerate(ModelProto model)
    {
        var open = new Stack<object>();
        void Push(object? message)
        {
            if (message is not null)
            {
                open.Push(message);
            }
        }
        Push(model.Graph);
        foreach (var training in model.TrainingInfo)
        {
            Push(training.Initialization);
            Push(training.Algorithm);
        }
        foreach (var function in model.Functions)
        {
            PushAttributes(function.AttributeProto, Push);
            PushNodes(function.Node, Push);
        }
        while (open.TryPop(out var message))
        {
            switch (message)
            {
                case TensorProto tensor:
                    yield return new(tensor, false);
                    break;
                case SparseTensorProto sparse:
                    Push(sparse.Values);
                    Push(sparse.Indices);
                    break;
                case GraphProto graph:
                    foreach (var tensor in graph.Initializer)
                    {
                        yield return new(tensor, true);
                    }
                    foreach (var sparse in graph.SparseInitializer)
                    {
                        Push(sparse);
                    }
                    PushNodes(graph.Node, Push);
                    break;
            }
        }
    }

    private static void PushNodes(IEnumerable<NodeProto> nodes, Action<object?> push)
    {
        foreach (var node in nodes)
        {
            PushAttributes(node.Attribute, push);
        }
    }

    private static void PushAttributes(IEnumerable<AttributeProto> attributes, Action<object?> push)
    {
        foreach (var attribute in attributes)
        {
            push(attribute.T);
            push(attribute.G);
            push(attribute.SparseTensor);
            foreach (var message in attribute.Tensors.Cast<object>().Concat(attribute.Graphs).Concat(attribute.SparseTensors))
            {
                push(message);
            }
        }
    }
}
