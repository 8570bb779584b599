namespace Espalier;

/// <summary>A tensor: its elements in row-major order, and its shape.</summary>
/// <typeparam name="T">The element: <see cref="float"/>, <see cref="long"/>, <see cref="bool"/>, <see cref="Half"/>, <see cref="string"/> …</typeparam>
/// <param name="Values">Elements, row-major; as many as the product of <paramref name="Shape"/>.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar.</param>
public readonly record struct TensorData<T>(ReadOnlyMemory<T> Values, IReadOnlyList<long> Shape)
{
    /// <summary>A tensor of the given elements and shape.</summary>
    /// <param name="values">Elements, row-major.</param>
    /// <param name="shape">Sizes, outermost first.</param>
    public TensorData(ReadOnlyMemory<T> values, params long[] shape) : this(values, (IReadOnlyList<long>)shape) { }

    /// <summary>A vector.</summary>
    /// <param name="values">Its elements.</param>
    public static implicit operator TensorData<T>(T[] values) => new(values, [values.LongLength]);

    /// <summary>Elements.</summary>
    public ReadOnlySpan<T> Span => Values.Span;
}

/// <summary>A tensor with its name in the model and its ONNX element type: what crosses between generated code and the runtime.</summary>
/// <param name="Name">Name of the graph's input or output.</param>
/// <param name="ElementType">ONNX name of the element type: <c>float32</c>, <c>int64</c> … (<see cref="ElementTypes"/>).</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Values">A one-dimensional array of the .NET type of the element, row-major.</param>
public sealed record NamedTensor(string Name, string ElementType, IReadOnlyList<long> Shape, Array Values)
{
    /// <summary>A named tensor of <paramref name="data"/>. The elements are not copied where they are a whole array.</summary>
    /// <typeparam name="T">The .NET type of the element.</typeparam>
    /// <param name="name">Name of the graph's input or output.</param>
    /// <param name="elementType">ONNX name of the element type.</param>
    /// <param name="data">Elements and shape.</param>
    /// <exception cref="EspalierException">The number of elements is not the product of the shape.</exception>
    public static NamedTensor Of<T>(string name, string elementType, TensorData<T> data)
    {
        long count = 1;
        foreach (var size in data.Shape ?? throw new EspalierException($"Tensor '{name}' has no shape: it is the default value. Give it elements and a shape."))
            count = checked(count * size);
        if (count != data.Values.Length)
            throw new EspalierException($"Tensor '{name}' has {data.Values.Length} elements, but its shape [{string.Join(", ", data.Shape)}] has {count}.");
        var whole = System.Runtime.InteropServices.MemoryMarshal.TryGetArray(data.Values, out var segment)
            && segment.Offset == 0 && segment.Count == segment.Array!.Length;
        return new(name, elementType, data.Shape, whole ? segment.Array! : data.Values.ToArray());
    }

    /// <summary>The tensor with elements of type <typeparamref name="T"/>.</summary>
    /// <typeparam name="T">The .NET type of the element.</typeparam>
    /// <exception cref="EspalierException">The elements are of another type.</exception>
    public TensorData<T> As<T>() => Values is T[] values
        ? new(values, Shape)
        : throw new EspalierException($"Tensor '{Name}' has elements of type {Values.GetType().GetElementType()?.Name}, not {typeof(T).Name}: the model is not the one that this code was generated for. Build the project again.");
}

/// <summary>Inputs of one run: implemented by the <c>Inputs</c> record that the generator writes for a policy.</summary>
public interface IModelInputs
{
    /// <summary>The tensors in the order of the graph's inputs.</summary>
    IReadOnlyList<NamedTensor> ToTensors();
}

/// <summary>ONNX element types by their names, and the .NET types that stand for them.</summary>
public static class ElementTypes
{
    /// <summary>The .NET type of an ONNX element type; null where .NET has none (4-bit and 8-bit floats, complex numbers).</summary>
    /// <param name="name">ONNX name: <c>float32</c>, <c>float64</c>, <c>float16</c>, <c>bfloat16</c>, <c>int8</c> … <c>int64</c>, <c>uint8</c> … <c>uint64</c>, <c>bool</c>, <c>string</c>.</param>
    /// <remarks><c>bfloat16</c> is held as its bits in <see cref="ushort"/>.</remarks>
    public static Type? ToType(string name) => name switch
    {
        "float32" => typeof(float),
        "float64" => typeof(double),
        "float16" => typeof(Half),
        "bfloat16" => typeof(ushort),
        "int8" => typeof(sbyte),
        "int16" => typeof(short),
        "int32" => typeof(int),
        "int64" => typeof(long),
        "uint8" => typeof(byte),
        "uint16" => typeof(ushort),
        "uint32" => typeof(uint),
        "uint64" => typeof(ulong),
        "bool" => typeof(bool),
        "string" => typeof(string),
        _ => null,
    };

    /// <summary>The name of an ONNX element type by its number in <c>TensorProto.DataType</c>; <c>type&lt;n&gt;</c> for one without a .NET type.</summary>
    /// <param name="number">The number.</param>
    public static string NameOf(int number) => number switch
    {
        1 => "float32",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        8 => "string",
        9 => "bool",
        10 => "float16",
        11 => "float64",
        12 => "uint32",
        13 => "uint64",
        16 => "bfloat16",
        _ => $"type{number}",
    };
}
