namespace Espalier;

/// <summary>Elements and shape of one tensor, as the generated inputs and outputs hold them.</summary>
/// <typeparam name="T">Element: float, double, <see cref="Half"/>, an integer type, bool or string; <c>ushort</c> bits for
/// bfloat16.</typeparam>
/// <param name="Values">Elements, row-major. The runtime reads them in place and never writes to them.</param>
/// <param name="Shape">Size of every axis; the product equals the number of elements.</param>
public readonly record struct TensorData<T>(ReadOnlyMemory<T> Values, IReadOnlyList<long> Shape)
{
    /// <summary>A tensor of the given elements and shape.</summary>
    /// <param name="values">Elements, row-major.</param>
    /// <param name="shape">Size of every axis.</param>
    public TensorData(ReadOnlyMemory<T> values, params long[] shape) : this(values, (IReadOnlyList<long>)shape) { }

    /// <summary>One row of elements: a tensor of rank 1.</summary>
    public static implicit operator TensorData<T>(T[] values) => new(values, [values.Length]);
}

/// <summary>One tensor by name, with the type of its elements as a value: what crosses from typed code to a session.</summary>
/// <param name="Name">Name of the model's input or output.</param>
/// <param name="ElementType">ONNX's name of the element type: <c>float32</c>, <c>float64</c>, <c>float16</c>, <c>bfloat16</c>,
/// <c>int8</c>…<c>int64</c>, <c>uint8</c>…<c>uint64</c>, <c>bool</c>, <c>string</c>.</param>
/// <param name="Shape">Size of every axis.</param>
/// <param name="Values">Elements, row-major, as the one-dimensional array of the C# type: <c>float[]</c>, <c>long[]</c>,
/// <c>Half[]</c> …; <c>ushort[]</c> bits for bfloat16.</param>
public sealed record NamedTensor(string Name, string ElementType, IReadOnlyList<long> Shape, Array Values)
{
    /// <summary>A tensor of typed data; the array behind it is used as it is where it holds nothing else, and copied otherwise.</summary>
    /// <exception cref="EspalierException"><typeparamref name="T"/> is not the element type of any tensor.</exception>
    public static NamedTensor From<T>(string name, TensorData<T> data, string? elementType = null)
    {
        var array = System.Runtime.InteropServices.MemoryMarshal.TryGetArray(data.Values, out var segment)
            && segment.Array is { } whole && segment.Offset == 0 && segment.Count == whole.Length ? whole : data.Values.ToArray();
        return new NamedTensor(name, elementType ?? ElementTypes.NameOf(typeof(T))
            ?? throw new EspalierException($"Tensor '{name}': {typeof(T)} is no element type of a tensor."), data.Shape ?? [], array);
    }

    /// <summary>The elements as <typeparamref name="T"/>.</summary>
    /// <exception cref="EspalierException">The elements have another type.</exception>
    public TensorData<T> As<T>() => Values is T[] values
        ? new TensorData<T>(values, Shape)
        : throw new EspalierException(
            $"Tensor '{Name}' holds {ElementType}, not {ElementTypes.NameOf(typeof(T)) ?? typeof(T).ToString()}.");
}

/// <summary>Names of element types.</summary>
internal static class ElementTypes
{
    private static readonly (string Name, Type Type)[] All =
    [
        ("float32", typeof(float)), ("float64", typeof(double)), ("float16", typeof(Half)),
        ("int8", typeof(sbyte)), ("int16", typeof(short)), ("int32", typeof(int)), ("int64", typeof(long)),
        ("uint8", typeof(byte)), ("uint16", typeof(ushort)), ("uint32", typeof(uint)), ("uint64", typeof(ulong)),
        ("bool", typeof(bool)), ("string", typeof(string)), ("bfloat16", typeof(ushort)),
    ];

    /// <summary>ONNX's name of a C# type; null where there is none. <c>ushort</c> is <c>uint16</c>.</summary>
    public static string? NameOf(Type type) => All.FirstOrDefault(e => e.Type == type).Name;

    /// <summary>The C# type of the elements; null for an unknown name.</summary>
    public static Type? TypeOf(string name) => All.FirstOrDefault(e => e.Name == name).Type;
}

/// <summary>Generated inputs of a model.</summary>
public interface IModelInputs
{
    /// <summary>The inputs by the model's own names; optional inputs that are absent are left out.</summary>
    IReadOnlyList<NamedTensor> ToTensors();
}

/// <summary>Generated outputs of a model.</summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IModelOutputs<TSelf> where TSelf : IModelOutputs<TSelf>
{
    /// <summary>Makes the outputs from what the session returned, by the model's own names.</summary>
    static abstract TSelf FromTensors(IReadOnlyDictionary<string, NamedTensor> tensors);
}
