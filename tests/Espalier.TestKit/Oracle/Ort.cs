using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.TestKit.Oracle;

/// <summary>One output of a run, as doubles.</summary>
/// <param name="Name">Name.</param>
/// <param name="Shape">Shape.</param>
/// <param name="IsFloat">Whether the elements are floating-point.</param>
/// <param name="Values">Elements, row-major.</param>
internal sealed record OutputTensor(string Name, long[] Shape, bool IsFloat, double[] Values);

/// <summary>Runs models in ONNX Runtime.</summary>
internal static class Ort
{
    /// <summary>All outputs of one run.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">Inputs by name.</param>
    /// <param name="strict">Whether a stated shape that inference contradicts is an error.</param>
    /// <param name="plain">Whether the model runs without blocked layouts and fused kernels, which sum in another order.</param>
    public static IReadOnlyList<OutputTensor> Run(OnnxModel model, IReadOnlyDictionary<string, OrtValue> inputs, bool strict = false,
        bool plain = false)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = 1,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            GraphOptimizationLevel = plain ? GraphOptimizationLevel.ORT_ENABLE_BASIC : GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        if (strict) options.AddSessionConfigEntry("session.strict_shape_type_inference", "1");
        byte[] bytes = model.ToBytes();
        using var session = new InferenceSession(bytes, options);
        // What it takes must open here too.
        OnnxModel.Parse(bytes).Dispose();
        using var run = new RunOptions();
        var wanted = session.InputMetadata.Keys.Concat(session.OverridableInitializerMetadata.Keys).ToHashSet(StringComparer.Ordinal);
        var given = inputs.Where(i => wanted.Contains(i.Key)).ToDictionary(i => i.Key, i => i.Value);
        using var results = session.Run(run, given, session.OutputNames);
        return [.. session.OutputNames.Select((name, i) => Read(name, results[i]))];
    }

    private static OutputTensor Read(string name, OrtValue value)
    {
        if (value.OnnxType == OnnxValueType.ONNX_TYPE_SEQUENCE) return Maps(name, value);
        if (!value.IsTensor) throw new NotSupportedException($"output '{name}' is no tensor");
        var info = value.GetTensorTypeAndShape();
        return info.ElementDataType switch
        {
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float => new(name, info.Shape, true, Convert<float>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Double => new(name, info.Shape, true, Convert<double>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float16
                => new(name, info.Shape, true, Convert<Float16>(value, v => (float)v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int64 => new(name, info.Shape, false, Convert<long>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int32 => new(name, info.Shape, false, Convert<int>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int16 => new(name, info.Shape, false, Convert<short>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int8 => new(name, info.Shape, false, Convert<sbyte>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.UInt64 => new(name, info.Shape, false, Convert<ulong>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.UInt32 => new(name, info.Shape, false, Convert<uint>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.UInt16 => new(name, info.Shape, false, Convert<ushort>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.BFloat16
                => new(name, info.Shape, true, Convert<BFloat16>(value, v => (float)v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.UInt8 => new(name, info.Shape, false, Convert<byte>(value, v => v)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Bool => new(name, info.Shape, false, Convert<bool>(value, v => v ? 1 : 0)),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.String =>
                new(name, info.Shape, false, [.. value.GetStringTensorAsArray().Select(Number)]),
            var other => throw new NotSupportedException($"output '{name}' of type {other}"),
        };
    }

    /// <summary>A sequence of maps, as the matrix of their values in the order of their keys.</summary>
    private static OutputTensor Maps(string name, OrtValue value)
    {
        var rows = new List<(double Key, double Value)[]>();
        var allocator = OrtAllocator.DefaultInstance;
        value.ProcessSequence((map, _) => map.ProcessMap(Row, allocator), allocator);
        return new(name, [rows.Count, rows.FirstOrDefault()?.Length ?? 0], true, [.. rows.SelectMany(r => r.Select(p => p.Value))]);

        void Row(OrtValue keys, OrtValue values)
            => rows.Add([.. Read(name, keys).Values.Zip(Read(name, values).Values).OrderBy(p => p.First)]);
    }

    /// <summary>A number that stands for a text: equal texts have equal ones, and the short ones of tests different ones.</summary>
    private static double Number(string text) => text.Aggregate(0.0, (a, c) => ((a * 31) + c) % (1L << 40));

    private static double[] Convert<T>(OrtValue value, Func<T, double> convert) where T : unmanaged
    {
        var span = value.GetTensorDataAsSpan<T>();
        var result = new double[span.Length];
        for (int i = 0; i < span.Length; i++) result[i] = convert(span[i]);
        return result;
    }
}
