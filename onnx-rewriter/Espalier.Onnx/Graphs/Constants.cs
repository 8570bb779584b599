using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Onnx.Graphs;

internal static class Constants
{
    /// <summary>Tensor of a Constant node; null for any other node. Scalars and lists given as plain attributes count as tensors.</summary>
    public static TensorProto? ConstantTensor(this NodeProto node)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (node.OpType != "Constant" || node.Domain is not ("" or "ai.onnx") || node.Output.Count == 0) return null;
        foreach (var attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value":
                    return attribute.T;
                case "value_float":
                    return new TensorProto { DataType = (int)DataType.Float, FloatData = { attribute.F } };
                case "value_floats":
                    return new TensorProto
                    {
                        DataType = (int)DataType.Float,
                        Dims = { attribute.Floats.Count },
                        FloatData = { attribute.Floats }
                    };
                case "value_int":
                    return new TensorProto { DataType = (int)DataType.Int64, Int64Data = { attribute.I } };
                case "value_ints":
                    return new TensorProto
                    {
                        DataType = (int)DataType.Int64,
                        Dims = { attribute.Ints.Count },
                        Int64Data = { attribute.Ints }
                    };
            }
        }
        return null;
    }

    /// <summary>What a graph says of an input that has the type and the shape of a tensor, and its name.</summary>
    public static ValueInfoProto ToInput(this TensorProto tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var type = new TypeProto.Types.Tensor { ElemType = tensor.DataType, Shape = new TensorShapeProto() };
        foreach (long size in tensor.Dims) type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = size });
        return new ValueInfoProto { Name = tensor.Name, Type = new TypeProto { TensorType = type } };
    }
}
