using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Axes.Graph;

/// <summary>What inference knows of one tensor.</summary>
internal sealed class TensorState(string name, int scope)
{
    public string Name { get; } = name;
    public int Scope { get; } = scope;
    /// <summary>One term per axis; null where the rank is unknown.</summary>
    public Term[]? Terms { get; set; }
    /// <summary>Why the rank is unknown: the first barrier on the way here.</summary>
    public string? Unknown { get; set; }
    /// <summary>Elements, where they are sizes or small integer constants.</summary>
    public SizeTensor? Value { get; set; }
    /// <summary>The constant in the file: an initializer or the value of a Constant node.</summary>
    public TensorProto? Data { get; set; }
    /// <summary>True where the value follows from constants of the file alone.</summary>
    public bool IsConstant { get; set; }
    /// <summary>True where a product made it: what is computed from constants alone is still no weight.</summary>
    public bool IsProduct { get; set; }
    /// <summary>A weight of the file, or one that was only rearranged, cast or scaled.</summary>
    public bool IsWeight => IsConstant && !IsProduct;
    /// <summary>Element type; 0 where unknown.</summary>
    public int ElementType { get; set; }
    /// <summary>Ordinal of the node that computes it; −1 for inputs and initializers.</summary>
    public int Producer { get; set; } = -1;
    /// <summary>Weights count as parameters: data of the file that is sliced with its axes.</summary>
    public bool IsParameter { get; set; }
    /// <summary>The tensor that one reader sees as its own; null for the tensor itself.</summary>
    public TensorState? Source { get; init; }
    /// <summary>The reader and its operand, for a view.</summary>
    public (NodeInfo Node, int Operand)? Reader { get; init; }
    /// <summary>The views of this tensor.</summary>
    public List<TensorState> Views => field ??= [];
    /// <summary>Factors for whose removed units the tensor is zero in the masked dense model.</summary>
    public ZeroSet Zero { get; set; } = new();
    /// <summary>What "zero" means for a quantised tensor: equal to this zero point; null for plain zero.</summary>
    public ZeroPoint? Point { get; set; }

    public bool IsFloating => ElementType is (int)TensorProto.Types.DataType.Float or (int)TensorProto.Types.DataType.Float16
        or (int)TensorProto.Types.DataType.Double or (int)TensorProto.Types.DataType.Bfloat16;
}
