using System.Buffers;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Weights;

/// <summary>
/// The weights of a model by name, subgraphs included, and how often each name is read. Elements are read when asked for and not kept;
/// those of a quantised weight as the numbers that they stand for, with packed elements one by one.
/// </summary>
internal sealed class WeightTable
{
    private readonly OnnxModel _model;
    private readonly PrunedWeights? _pruned;
    private readonly Dictionary<string, float[]> _now = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, Dequantization> _dequantizations;
    private readonly HashSet<string> _scales;
    private readonly Dictionary<string, Dequantizer> _dequantizers;
    private readonly float[] _block = new float[64 * 1024];
    private readonly Dictionary<string, TensorProto> _tensors;
    private readonly Dictionary<string, int> _uses;

    public WeightTable(AxisAnalysis analysis)
    {
        _model = analysis.Model;
        _dequantizations = analysis.Dequantizations;
        _scales = [.. _dequantizations.Values.SelectMany(d => new[] { d.Scale, d.ZeroPoint }).OfType<string>()];
        (_dequantizers, _tensors, _uses) = (new(StringComparer.Ordinal), new(StringComparer.Ordinal), new(StringComparer.Ordinal));
        foreach (var graph in _model.Proto.Graph?.WithSubgraphs() ?? [])
        {
            foreach (var tensor in graph.Initializer) _tensors.TryAdd(tensor.Name, tensor);
            foreach (var node in graph.Node)
            {
                foreach (string input in node.Input) CountUse(input);
                if (node.ConstantTensor() is { } tensor) _tensors.TryAdd(node.Output[0], tensor);
            }
            foreach (var output in graph.Output) CountUse(output.Name);
        }
    }

    private WeightTable(WeightTable dense, PrunedWeights pruned)
        => (_model, _pruned, _dequantizations, _scales, _dequantizers, _tensors, _uses)
            = (dense._model, pruned, dense._dequantizations, dense._scales, dense._dequantizers, dense._tensors, dense._uses);

    /// <summary>The weights where some are pruned: their slices are zero, and compensated weights count in place of the file's.</summary>
    public WeightTable After(PrunedWeights pruned) => new(this, pruned);

    /// <summary>Names of all weights, ordinal.</summary>
    public IEnumerable<string> Names => _tensors.Keys.Order(StringComparer.Ordinal);

    /// <summary>How many node inputs and graph outputs have this name.</summary>
    public int Uses(string name) => _uses.GetValueOrDefault(name);

    /// <summary>
    /// Shape of a weight, counted in elements where several are packed into a byte; null where there is none of that name.
    /// </summary>
    public int[]? Shape(string name)
    {
        if (!_tensors.TryGetValue(name, out var tensor)) return null;
        int[] shape = [.. tensor.Dims.Select(d => checked((int)d))];
        if (shape.Length > 0 && _dequantizations.TryGetValue(name, out var meaning) && meaning.PackedBits > 0)
            shape[^1] *= 8 / meaning.PackedBits;
        return shape;
    }

    /// <summary>
    /// The unit of each index of a weight's axis, counted in elements as <see cref="Shape"/> counts them; −1
    /// for those in none.
    /// </summary>
    public int[] UnitsOf(Occurrence place, Factor factor)
    {
        int[] units = place.Term.UnitMap(factor);
        int size = Shape(place.Tensor)![place.Axis], perIndex = size / Math.Max(1, units.Length);
        return size == units.Length ? units : [.. Enumerable.Range(0, size).Select(i => units[i / perIndex])];
    }

    /// <summary>
    /// Whether the weight holds numbers of which a norm may be taken: floating-point ones, or integers with a scale. What is
    /// itself a scale or zero point does not.
    /// </summary>
    public bool IsMeasurable(string name) => !_scales.Contains(name) && (_dequantizations.ContainsKey(name)
        || (_tensors.TryGetValue(name, out var tensor) && DataTypes.IsFloat((DataType)tensor.DataType)));

    /// <summary>Whether the weight holds integers, or floating-point codes, with a scale.</summary>
    public bool IsQuantized(string name) => _dequantizations.ContainsKey(name);

    /// <summary>Numbers of a weight.</summary>
    public float[] Floats(string name)
    {
        if (_pruned is not null) return (float[])Now(name).Clone();
        if (DequantizerOf(name) is not { } dequantizer) return _model.Content(_tensors[name]).ToFloats();
        var numbers = new float[dequantizer.Count];
        dequantizer.Read(0, numbers);
        return numbers;
    }

    /// <summary>Numbers of a weight of a model that is pruned already, in the dense layout.</summary>
    private float[] Now(string name)
    {
        if (_now.TryGetValue(name, out float[]? known)) return known;
        float[] numbers;
        if (_pruned!.Edited.TryGetValue(name, out float[]? edited)) numbers = (float[])Numbers(name, edited).Clone();
        else if (DequantizerOf(name) is { } dequantizer) dequantizer.Read(0, numbers = new float[dequantizer.Count]);
        else numbers = _model.Content(_tensors[name]).ToFloats();
        int[] shape = Shape(name)!;
        foreach (var (axis, indices) in _pruned.Removed.GetValueOrDefault(name) ?? new Dictionary<int, int[]>())
        {
            // What was removed is counted as the file holds it: several elements may be packed into one.
            int stored = (int)_tensors[name].Dims[axis];
            int inner = shape[(axis + 1)..].Aggregate(1, (a, b) => a * b) * (shape[axis] / Math.Max(1, stored)), step = inner * stored;
            foreach (int index in indices)
                for (int at = index * inner; at < numbers.Length; at += step) numbers.AsSpan(at, inner).Clear();
        }
        return _now[name] = numbers;
    }

    /// <summary>Fills a span with numbers of a weight, from an element on.</summary>
    public void Read(string name, long first, Span<float> numbers)
    {
        if (_pruned is not null) Now(name).AsSpan((int)first, numbers.Length).CopyTo(numbers);
        else if (DequantizerOf(name) is { } dequantizer) dequantizer.Read(first, numbers);
        else _model.Content(_tensors[name]).ReadFloats(first, numbers);
    }

    /// <summary>
    /// The elements that stand for numbers of a weight: themselves, or the nearest integers within the range that its elements span.
    /// </summary>
    /// <returns>Elements as the file holds them.</returns>
    public float[] Elements(string name, float[] numbers) => DequantizerOf(name)?.Quantize(numbers) ?? numbers;

    /// <summary>The numbers that elements, as the file holds them, stand for.</summary>
    public float[] Numbers(string name, float[] elements) => DequantizerOf(name)?.Dequantize(elements) ?? elements;

    /// <summary>Reads a weight in order, block by block, through one buffer: memory does not follow the weight's size.</summary>
    /// <param name="read">Gets each block and the index of its first element.</param>
    public void ReadBlocks(string name, ReadOnlySpanAction<float, long> read)
    {
        long count = DequantizerOf(name)?.Count ?? _model.Content(_tensors[name]).Count;
        for (long at = 0; at < count; at += _block.Length)
        {
            var block = _block.AsSpan(0, (int)Math.Min(_block.Length, count - at));
            Read(name, at, block);
            read(block, at);
        }
    }

    private Dequantizer? DequantizerOf(string name)
    {
        if (!_dequantizations.TryGetValue(name, out var meaning)) return null;
        if (_dequantizers.TryGetValue(name, out var known)) return known;
        var made = new Dequantizer(_model.Content(_tensors[name]), Content(meaning.Scale), Content(meaning.ZeroPoint), meaning);
        return _dequantizers[name] = made.Fits ? made
            : throw new EspalierException($"Weight '{name}' has scales or zero points that do not fit its shape. Export the model again.");

        TensorContent? Content(string? weight) => weight is null ? null : _model.Content(_tensors[weight]);
    }

    private void CountUse(string name)
    {
        if (name.Length > 0) _uses[name] = _uses.GetValueOrDefault(name) + 1;
    }
}
