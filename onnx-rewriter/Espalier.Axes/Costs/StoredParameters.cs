using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Costs;

/// <summary>A stored tensor that counts as parameters.</summary>
/// <param name="Name">Its name, of an initializer; that of the result, of a Constant node.</param>
/// <param name="Data">The tensor; null for a Constant node that states numbers in another form.</param>
/// <param name="Elements">Elements as they are stored: of a byte that holds several numbers, one.</param>
internal sealed record StoredParameter(string Name, TensorProto? Data, long Elements);

/// <summary>
/// The parameters of a file: the elements of all tensors that it stores (initializers and Constant nodes; those of subgraphs and functions
/// too), if they are floating-point numbers or quantised weights, each once. A quantised weight is what an operator reads, maybe through
/// others that only move elements, as integers that stand for numbers, or multiplies; integers of eight bits and less are one too where
/// they are cast to numbers. Their zero points are none, nor are shapes, indices and masks. What the graph makes of a shape is not stored.
/// </summary>
internal static class StoredParameters
{
    /// <summary>All of them, in the order of the file.</summary>
    /// <param name="model">The messages of the file.</param>
    public static IReadOnlyList<StoredParameter> List(ModelProto model)
    {
        var quantized = new QuantizedValues(model);
        var found = new List<StoredParameter>();
        foreach (var scope in quantized.Scopes)
        {
            foreach (var tensor in scope.Graph?.Initializer ?? []) Add(scope, tensor.Name, tensor);
            foreach (var sparse in scope.Graph?.SparseInitializer ?? []) Add(scope, sparse.Values?.Name ?? "", sparse.Values);
            foreach (var node in scope.Nodes)
            {
                if (node.OpType != "Constant" || node.Domain is not ("" or "ai.onnx") || node.Output.Count == 0) continue;
                foreach (var attribute in node.Attribute)
                {
                    switch (attribute.Name)
                    {
                        case "value": Add(scope, node.Output[0], attribute.T); break;
                        case "sparse_value": Add(scope, node.Output[0], attribute.SparseTensor?.Values); break;
                        case "value_float": found.Add(new(node.Output[0], null, 1)); break;
                        case "value_floats": found.Add(new(node.Output[0], null, attribute.Floats.Count)); break;
                    }
                }
            }
        }
        return found;

        void Add(ValueScope scope, string name, TensorProto? tensor)
        {
            if (tensor is null) return;
            var type = (DataType)tensor.DataType;
            if (DataTypes.IsFloat(type) || (DataTypes.IsInteger(type) && type != DataType.Bool && quantized.Has(scope, name, type)))
                found.Add(new(name, tensor, tensor.Dims.Aggregate(1L, (product, d) => checked(product * d))));
        }
    }
}
