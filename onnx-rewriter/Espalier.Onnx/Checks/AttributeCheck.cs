using static Espalier.Onnx.AttributeProto.Types;

namespace Espalier.Onnx.Checks;

/// <summary>Whether an attribute says one thing: a name, a kind, and a value of that kind.</summary>
internal static class AttributeCheck
{
    /// <summary>What is wrong with the attribute itself, as the rest of a sentence on its node; null when nothing is.</summary>
    /// <param name="isInFunction">Whether it may refer to an attribute of the function that its node is in.</param>
    public static string? Fault(AttributeProto attribute, bool isInFunction)
    {
        if (attribute.Name.Length == 0)
        {
            return "has an attribute without a name";
        }
        if (!attribute.HasType || attribute.Type == AttributeType.Undefined)
        {
            return $"has the attribute '{attribute.Name}' without its kind";
        }
        if (!Enum.IsDefined(attribute.Type))
        {
            return $"has the attribute '{attribute.Name}' of a kind ({(int)attribute.Type}) that ONNX does not have";
        }
        var held = Held(attribute);
        if (held.FirstOrDefault(kind => kind != attribute.Type) is var other && other != AttributeType.Undefined)
        {
            return $"has the attribute '{attribute.Name}', which says that it is {Word(attribute.Type)} and holds {Word(other)}";
        }
        if (attribute.RefAttrName.Length > 0)
        {
            return isInFunction ? null
                : $"has the attribute '{attribute.Name}', which refers to the attribute '{attribute.RefAttrName}' of a function "
                    + "and is in none";
        }
        // A number that is not stored is 0, a list that is not stored is empty; a message that is not stored is nothing.
        var mustHold = attribute.Type is AttributeType.Tensor or AttributeType.Graph or AttributeType.SparseTensor
            or AttributeType.TypeProto;
        return mustHold && held.Count == 0
            ? $"has the attribute '{attribute.Name}', which says that it is {Word(attribute.Type)} and holds none" : null;
    }

    /// <summary>A kind with its article.</summary>
    public static string Word(AttributeType kind) => kind switch
    {
        AttributeType.Float => "a float",
        AttributeType.Int => "an integer",
        AttributeType.String => "a string",
        AttributeType.Tensor => "a tensor",
        AttributeType.Graph => "a graph",
        AttributeType.Floats => "a list of floats",
        AttributeType.Ints => "a list of integers",
        AttributeType.Strings => "a list of strings",
        AttributeType.Tensors => "a list of tensors",
        AttributeType.Graphs => "a list of graphs",
        AttributeType.SparseTensor => "a sparse tensor",
        AttributeType.SparseTensors => "a list of sparse tensors",
        AttributeType.TypeProto => "a type",
        AttributeType.TypeProtos => "a list of types",
        _ => "of no kind",
    };

    private static List<AttributeType> Held(AttributeProto a)
    {
        var held = new List<AttributeType>(1);
        Add(a.HasF, AttributeType.Float);
        Add(a.HasI, AttributeType.Int);
        Add(a.HasS, AttributeType.String);
        Add(a.T is not null, AttributeType.Tensor);
        Add(a.G is not null, AttributeType.Graph);
        Add(a.Tp is not null, AttributeType.TypeProto);
        Add(a.SparseTensor is not null, AttributeType.SparseTensor);
        Add(a.Floats.Count > 0, AttributeType.Floats);
        Add(a.Ints.Count > 0, AttributeType.Ints);
        Add(a.Strings.Count > 0, AttributeType.Strings);
        Add(a.Tensors.Count > 0, AttributeType.Tensors);
        Add(a.Graphs.Count > 0, AttributeType.Graphs);
        Add(a.SparseTensors.Count > 0, AttributeType.SparseTensors);
        Add(a.TypeProtos.Count > 0, AttributeType.TypeProtos);
        return held;
        void Add(bool holds, AttributeType kind)
        {
            if (holds)
            {
                held.Add(kind);
            }
        }
    }
}
