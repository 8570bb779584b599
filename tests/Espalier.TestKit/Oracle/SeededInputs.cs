using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Oracle;

/// <summary>Seeded random inputs that a model's signature and its embedding tables admit.</summary>
internal static class SeededInputs
{
    /// <summary>
    /// Sizes that dynamic dimensions get where the caller names none: 2 on axis 0, 64 on the spatial axes of a rank-4 input, 12 elsewhere.
    /// </summary>
    private static long SizeOf(TypeProto.Types.Tensor type, int axis) => axis == 0 ? 2 : type.Shape.Dim.Count == 4 && axis >= 2 ? 64 : 12;

    /// <summary>One tensor per graph input that is no initializer; a map has the keys 0 to 4.</summary>
    /// <param name="model">The model.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="sizes">Sizes of dynamic dimensions by name, or as <c>input:axis</c>.</param>
    public static Dictionary<string, OrtValue> For(OnnxModel model, int seed, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var random = new Random(seed);
        var known = Sizes(model, sizes);
        var inputs = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
        foreach (var input in Inputs(model))
        {
            if (input.Type.MapType is not null)
            {
                inputs[input.Name] = OrtValue.CreateMap<long, float>([.. Enumerable.Range(0, 5).Select(k => (long)k)],
                    Fill(5, () => (float)Normal(random)));
                continue;
            }
            if (input.Type.TensorType is not { } type)
                throw new NotSupportedException($"input '{input.Name}' is neither a tensor nor a map");
            long[] dims = [.. (type.Shape?.Dim ?? [])
                .Select((dim, axis) => dim.HasDimValue && dim.DimValue > 0 ? dim.DimValue : known[Key(input, axis)])];
            inputs[input.Name] = Value(random, input.Name, (DataType)type.ElemType, dims, Bound(model, input.Name));
        }
        return inputs;
    }

    /// <summary>Sizes of all dynamic dimensions of the inputs, by name, or as <c>input:axis</c> for one without a name.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sizes">Those that are given.</param>
    public static Dictionary<string, long> Sizes(OnnxModel model, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var known = new Dictionary<string, long>(sizes ?? new Dictionary<string, long>(), StringComparer.Ordinal);
        foreach (var input in Inputs(model))
        {
            var type = input.Type?.TensorType;
            for (int axis = 0; axis < type?.Shape?.Dim.Count; axis++)
                if (type.Shape.Dim[axis] is not { HasDimValue: true, DimValue: > 0 })
                    known.TryAdd(Key(input, axis), known.TryGetValue($"{input.Name}:{axis}", out long own) ? own : SizeOf(type, axis));
        }
        return known;
    }

    private static IEnumerable<ValueInfoProto> Inputs(OnnxModel model)
    {
        var weights = model.Proto.Graph.Initializer.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        return model.Proto.Graph.Input.Where(i => !weights.Contains(i.Name));
    }

    private static string Key(ValueInfoProto input, int axis)
        => input.Type.TensorType.Shape.Dim[axis] is { HasDimParam: true, DimParam: { Length: > 0 } name } ? name : $"{input.Name}:{axis}";

    /// <summary>Integers stay below the rows of the table that they index; 2 (a mask) where they index none.</summary>
    private static long Bound(OnnxModel model, string input)
    {
        var graph = model.Proto.Graph;
        var names = new HashSet<string>(StringComparer.Ordinal) { input };
        foreach (var node in graph.Node)
        {
            if (node.OpType is "Cast" or "Reshape" or "Unsqueeze" or "Squeeze" or "Identity" or "Flatten" && names.Contains(node.Input[0]))
                names.Add(node.Output[0]);
            var (table, index) = node.OpType switch
            {
                "Gather" => (0, 1),
                "EmbedLayerNormalization" => (2, 0),
                _ => (-1, -1),
            };
            if (table >= 0 && names.Contains(node.Input[index])
                && graph.Initializer.FirstOrDefault(t => t.Name == node.Input[table]) is { } weight) return weight.Dims[0];
        }
        return input.Contains("sr", StringComparison.Ordinal) ? 16001 : 2;
    }

    private static OrtValue Value(Random random, string name, DataType type, long[] dims, long bound)
    {
        int count = checked((int)dims.Aggregate(1L, (a, b) => a * b));
        switch (type)
        {
            case DataType.Float:
                // Images are brightness; far outside of it trained networks saturate, and rounding decides.
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => dims.Length == 4
                    ? random.NextSingle()
                    : (float)Normal(random)), dims);
            case DataType.Double:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => Normal(random)), dims);
            case DataType.Float16:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => (Float16)(float)Normal(random)), dims);
            case DataType.Bool:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => random.Next(2) == 1), dims);
            case DataType.Int64:
                // A sampling rate is one of two numbers; a mask that hides a whole row would give NaN.
                if (bound == 16001) return OrtValue.CreateTensorValueFromMemory(Fill(count, () => 16000L), dims);
                if (name.Contains("mask", StringComparison.Ordinal))
                    return OrtValue.CreateTensorValueFromMemory(Mask<long>(dims, 1, 0), dims);
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => random.NextInt64(bound)), dims);
            case DataType.Int32:
                if (name.Contains("mask", StringComparison.Ordinal))
                    return OrtValue.CreateTensorValueFromMemory(Mask<int>(dims, 1, 0), dims);
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => (int)random.NextInt64(bound)), dims);
            default:
                throw new NotSupportedException($"input '{name}' of type {type}");
        }
    }

    /// <summary>The last quarter of the last axis is padding in every other row.</summary>
    private static T[] Mask<T>(long[] dims, T shown, T hidden)
    {
        long width = dims[^1], rows = dims.Aggregate(1L, (a, b) => a * b) / width;
        var mask = new T[rows * width];
        for (long i = 0; i < mask.Length; i++) mask[i] = i / width % 2 == 1 && i % width >= width - width / 4 ? hidden : shown;
        return mask;
    }

    private static T[] Fill<T>(int count, Func<T> next)
    {
        var values = new T[count];
        for (int i = 0; i < count; i++) values[i] = next();
        return values;
    }

    private static double Normal(Random random)
    {
        double u = 1 - random.NextDouble(), v = random.NextDouble();
        return Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v);
    }
}
