using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit;

/// <summary>Seeded random inputs that a model's signature and its embedding tables admit.</summary>
public static class RandomInputs
{
    /// <summary>Sizes that dynamic dimensions get where the caller names none: 2 on axis 0, 64 on the spatial axes of a rank-4 input, 12 elsewhere.</summary>
    private static long SizeOf(TypeProto.Types.Tensor type, int axis) => axis == 0 ? 2 : type.Shape.Dim.Count == 4 && axis >= 2 ? 64 : 12;

    /// <summary>One tensor per graph input that is no initializer; a map has the keys 0 to 4.</summary>
    /// <param name="model">The model.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="sizes">Sizes of dynamic dimensions by name.</param>
    public static Dictionary<string, OrtValue> For(OnnxModel model, int seed, IReadOnlyDictionary<string, long>? sizes = null)
    {
        var graph = model.Proto.Graph;
        var weights = graph.Initializer.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        var random = new Random(seed);
        var known = new Dictionary<string, long>(sizes ?? new Dictionary<string, long>(), StringComparer.Ordinal);
        var inputs = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
        foreach (var input in graph.Input.Where(i => !weights.Contains(i.Name)))
        {
            if (input.Type.MapType is not null)
            {
                inputs[input.Name] = OrtValue.CreateMap<long, float>([.. Enumerable.Range(0, 5).Select(k => (long)k)],
                    Fill(5, () => (float)Normal(random)));
                continue;
            }
            var type = input.Type.TensorType;
            var dims = new long[type.Shape?.Dim.Count ?? 0];
            for (int axis = 0; axis < dims.Length; axis++)
            {
                var dim = type.Shape!.Dim[axis];
                if (dim.HasDimValue && dim.DimValue > 0) dims[axis] = dim.DimValue;
                else if (dim.HasDimParam && known.TryGetValue(dim.DimParam, out var size)) dims[axis] = size;
                else if (known.TryGetValue($"{input.Name}:{axis}", out size)) dims[axis] = size;
                else
                {
                    dims[axis] = SizeOf(type, axis);
                    if (dim.HasDimParam) known[dim.DimParam] = dims[axis];
                }
            }
            inputs[input.Name] = Value(random, input.Name, (DataType)type.ElemType, dims, Bound(model, input.Name));
        }
        return inputs;
    }

    /// <summary>Integers stay below the rows of the table that they index; 2 (a mask) where they index none.</summary>
    private static long Bound(OnnxModel model, string input)
    {
        var graph = model.Proto.Graph;
        var names = new HashSet<string>(StringComparer.Ordinal) { input };
        foreach (var node in graph.Node)
        {
            if (node.OpType is "Cast" or "Reshape" or "Unsqueeze" or "Squeeze" or "Identity" or "Flatten" && names.Contains(node.Input[0])) names.Add(node.Output[0]);
            var (table, index) = node.OpType switch
            {
                "Gather" => (0, 1),
                "EmbedLayerNormalization" => (2, 0),
                _ => (-1, -1),
            };
            if (table >= 0 && names.Contains(node.Input[index]) && graph.Initializer.FirstOrDefault(t => t.Name == node.Input[table]) is { } weight) return weight.Dims[0];
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
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => dims.Length == 4 ? random.NextSingle() : (float)Normal(random)), dims);
            case DataType.Double:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => Normal(random)), dims);
            case DataType.Float16:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => (Float16)(float)Normal(random)), dims);
            case DataType.Bool:
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => random.Next(2) == 1), dims);
            case DataType.Int64:
                // A sampling rate is one of two numbers; a mask that hides a whole row would give NaN.
                if (bound == 16001) return OrtValue.CreateTensorValueFromMemory(Fill(count, () => 16000L), dims);
                if (name.Contains("mask", StringComparison.Ordinal)) return OrtValue.CreateTensorValueFromMemory(Mask<long>(dims, 1, 0), dims);
                return OrtValue.CreateTensorValueFromMemory(Fill(count, () => random.NextInt64(bound)), dims);
            case DataType.Int32:
                if (name.Contains("mask", StringComparison.Ordinal)) return OrtValue.CreateTensorValueFromMemory(Mask<int>(dims, 1, 0), dims);
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
