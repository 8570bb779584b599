using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Espalier.Runtime;

/// <summary>Between plain tensors and ONNX Runtime's values.</summary>
internal static class OrtTensors
{
    public static string NameOf(TensorElementType type) => type switch
    {
        TensorElementType.Float => "float32",
        TensorElementType.Double => "float64",
        TensorElementType.Float16 => "float16",
        TensorElementType.BFloat16 => "bfloat16",
        TensorElementType.Int8 => "int8",
        TensorElementType.Int16 => "int16",
        TensorElementType.Int32 => "int32",
        TensorElementType.Int64 => "int64",
        TensorElementType.UInt8 => "uint8",
        TensorElementType.UInt16 => "uint16",
        TensorElementType.UInt32 => "uint32",
        TensorElementType.UInt64 => "uint64",
        TensorElementType.Bool => "bool",
        TensorElementType.String => "string",
        _ => type.ToString(),
    };

    /// <summary>A value over the tensor's own array: pinned, not copied (strings excepted), until the value is disposed.</summary>
    public static OrtValue ToOrt(NamedTensor tensor)
    {
        long[] shape = [.. tensor.Shape];
        return tensor.ElementType switch
        {
            "float32" => OrtValue.CreateTensorValueFromMemory((float[])tensor.Values, shape),
            "float64" => OrtValue.CreateTensorValueFromMemory((double[])tensor.Values, shape),
            // ONNX Runtime has its own 16-bit types: the bits are the same, the array's type is not.
            "float16" => OverBits<Half, Float16>((Half[])tensor.Values, shape),
            "bfloat16" => OverBits<ushort, BFloat16>((ushort[])tensor.Values, shape),
            "int8" => OrtValue.CreateTensorValueFromMemory((sbyte[])tensor.Values, shape),
            "int16" => OrtValue.CreateTensorValueFromMemory((short[])tensor.Values, shape),
            "int32" => OrtValue.CreateTensorValueFromMemory((int[])tensor.Values, shape),
            "int64" => OrtValue.CreateTensorValueFromMemory((long[])tensor.Values, shape),
            "uint8" => OrtValue.CreateTensorValueFromMemory((byte[])tensor.Values, shape),
            "uint16" => OrtValue.CreateTensorValueFromMemory((ushort[])tensor.Values, shape),
            "uint32" => OrtValue.CreateTensorValueFromMemory((uint[])tensor.Values, shape),
            "uint64" => OrtValue.CreateTensorValueFromMemory((ulong[])tensor.Values, shape),
            "bool" => OrtValue.CreateTensorValueFromMemory((bool[])tensor.Values, shape),
            "string" => Strings((string[])tensor.Values, shape),
            _ => throw new EspalierException(
                $"Tensor '{tensor.Name}' has elements of type {tensor.ElementType}, which sessions do not take."),
        };
    }

    private static OrtValue OverBits<TFrom, TTo>(TFrom[] values, long[] shape) where TFrom : unmanaged where TTo : unmanaged
    {
        var copy = new TTo[values.Length];
        System.Runtime.InteropServices.MemoryMarshal.Cast<TFrom, TTo>(values.AsSpan()).CopyTo(copy);
        return OrtValue.CreateTensorValueFromMemory(copy, shape);
    }

    private static OrtValue Strings(string[] values, long[] shape)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
        for (int i = 0; i < values.Length; i++) value.StringTensorSetElementAt(values[i].AsSpan(), i);
        return value;
    }

    /// <summary>A copy of the value's elements.</summary>
    public static NamedTensor FromOrt(string name, OrtValue value)
    {
        if (value.OnnxType != OnnxValueType.ONNX_TYPE_TENSOR)
            throw new EspalierException($"Output '{name}' is no tensor but {value.OnnxType}; ask for the other outputs by name.");
        var info = value.GetTensorTypeAndShape();
        long[] shape = [.. info.Shape];
        Array values = info.ElementDataType switch
        {
            TensorElementType.Float => value.GetTensorDataAsSpan<float>().ToArray(),
            TensorElementType.Double => value.GetTensorDataAsSpan<double>().ToArray(),
            TensorElementType.Float16
                => System.Runtime.InteropServices.MemoryMarshal.Cast<Float16, Half>(value.GetTensorDataAsSpan<Float16>()).ToArray(),
            TensorElementType.BFloat16
                => System.Runtime.InteropServices.MemoryMarshal.Cast<BFloat16, ushort>(value.GetTensorDataAsSpan<BFloat16>()).ToArray(),
            TensorElementType.Int8 => value.GetTensorDataAsSpan<sbyte>().ToArray(),
            TensorElementType.Int16 => value.GetTensorDataAsSpan<short>().ToArray(),
            TensorElementType.Int32 => value.GetTensorDataAsSpan<int>().ToArray(),
            TensorElementType.Int64 => value.GetTensorDataAsSpan<long>().ToArray(),
            TensorElementType.UInt8 => value.GetTensorDataAsSpan<byte>().ToArray(),
            TensorElementType.UInt16 => value.GetTensorDataAsSpan<ushort>().ToArray(),
            TensorElementType.UInt32 => value.GetTensorDataAsSpan<uint>().ToArray(),
            TensorElementType.UInt64 => value.GetTensorDataAsSpan<ulong>().ToArray(),
            TensorElementType.Bool => value.GetTensorDataAsSpan<bool>().ToArray(),
            TensorElementType.String => value.GetStringTensorAsArray(),
            _ => throw new EspalierException($"Output '{name}' has elements of type {info.ElementDataType}, which sessions do not give."),
        };
        return new NamedTensor(name, NameOf(info.ElementDataType), shape, values);
    }
}
