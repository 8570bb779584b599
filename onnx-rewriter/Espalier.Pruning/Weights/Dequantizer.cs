using Espalier.Axes.Groups;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Weights;

/// <summary>Reads a quantised weight as the numbers that it stands for: (q − zero point) · scale (ONNX DequantizeLinear).</summary>
internal sealed class Dequantizer
{
    private readonly TensorContent _content;
    private readonly int _bits;
    private readonly long[] _dims, _strides, _blocks;
    private readonly float[] _scales, _points;

    /// <param name="scale">The scales; null for 1.</param>
    /// <param name="point">The zero points; null for 0, or for the middle of the range of packed elements.</param>
    /// <param name="meaning">Where scales and zero points lie.</param>
    public Dequantizer(TensorContent content, TensorContent? scale, TensorContent? point, Dequantization meaning)
    {
        (_content, _bits) = (content, meaning.PackedBits);
        _dims = [.. content.Dims];
        if (_bits > 0 && _dims.Length > 0) _dims[^1] *= 8 / _bits;
        Count = _dims.Aggregate(1L, (a, b) => a * b);
        (_strides, _blocks) = (new long[_dims.Length], [.. Enumerable.Repeat(1L, _dims.Length)]);
        _scales = scale?.ToFloats() ?? [1];
        if (_bits > 0) LeadingAxes();
        else Along(scale is { Count: > 1 } ? scale : point, meaning);
        _points = point is null ? [_bits > 0 ? 1 << (_bits - 1) : 0] : _bits > 0 ? Unpacked(point) : point.ToFloats();
        long last = 0;
        for (int axis = 0; axis < _dims.Length; axis++) last += (_dims[axis] - 1) / _blocks[axis] * _strides[axis];
        Fits = Count == 0 || (Has(_scales) && Has(_points));

        bool Has(float[] entries) => entries.Length == 1 || last < entries.Length;
    }

    /// <summary>Whether there are a scale and a zero point for every element.</summary>
    public bool Fits { get; }

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Fills a span with numbers, from an element on.</summary>
    public void Read(long first, Span<float> numbers)
    {
        Codes(first, numbers);
        Dequantize(first, numbers);
    }

    /// <summary>The numbers of codes.</summary>
    public float[] Dequantize(float[] codes)
    {
        var numbers = (float[])codes.Clone();
        Dequantize(0, numbers);
        return numbers;
    }

    private void Dequantize(long first, Span<float> codes)
    {
        for (int i = 0; i < codes.Length;)
        {
            var (entry, run) = Entry(first + i);
            int end = (int)Math.Min(codes.Length, i + run);
            var (scale, point) = (Of(_scales, entry), Of(_points, entry));
            for (; i < end; i++) codes[i] = (codes[i] - point) * scale;
        }
    }

    /// <summary>
    /// The nearest codes, within the range that the present ones span: a quantiser may have left a bit free for the sums of a kernel.
    /// </summary>
    public float[] Quantize(float[] numbers)
    {
        var codes = new float[numbers.Length];
        Codes(0, codes);
        var (low, high) = codes.Length == 0 ? (0, 0) : (codes.Min(), codes.Max());
        // Biases have room; the outermost of these that float32 can say.
        if (_content.Type == DataType.Int32) (low, high) = (-0x7FFFFF80, 0x7FFFFF80);
        for (int i = 0; i < codes.Length;)
        {
            var (entry, run) = Entry(i);
            int end = (int)Math.Min(codes.Length, i + run);
            var (scale, point) = (Of(_scales, entry), Of(_points, entry));
            for (; i < end; i++) codes[i] = Math.Clamp(MathF.Round((numbers[i] / scale) + point), low, high);
        }
        return codes;
    }

    private void Codes(long first, Span<float> codes)
    {
        if (_bits == 0)
        {
            _content.ReadFloats(first, codes);
            return;
        }
        int perByte = 8 / _bits, mask = (1 << _bits) - 1;
        long from = first / perByte;
        var bytes = new byte[((first + codes.Length - 1) / perByte) - from + 1];
        _content.ReadBytes(from, bytes);
        for (int i = 0; i < codes.Length; i++)
        {
            long at = first + i;
            codes[i] = (bytes[(at / perByte) - from] >> (int)(at % perByte * _bits)) & mask;
        }
    }

    private static float Of(float[] values, long entry) => values.Length == 1 ? values[0] : values[entry];

    /// <summary>Entry of the scales for an element, and how many elements from it on have the same.</summary>
    private (long Entry, long Run) Entry(long element)
    {
        long entry = 0, inner = 1, rest = element, run = Count - element;
        bool open = true;
        for (int axis = _dims.Length - 1; axis >= 0; axis--)
        {
            long index = rest % _dims[axis];
            rest /= _dims[axis];
            entry += index / _blocks[axis] * _strides[axis];
            if (open && _strides[axis] != 0)
                (run, open) = ((Math.Min(_blocks[axis] - (index % _blocks[axis]), _dims[axis] - index) * inner) - (element % inner), false);
            inner *= _dims[axis];
        }
        return (entry, run);
    }

    /// <summary>Entries in the order of the leading axes, as many elements to each as there are more of them.</summary>
    private void LeadingAxes()
    {
        long entries = 1;
        int axis = 0;
        while (axis < _dims.Length && entries * _dims[axis] <= _scales.Length) entries *= _dims[axis++];
        for (long stride = 1; --axis >= 0; stride *= _dims[axis]) (_strides[axis], _blocks[axis]) = (stride, 1);
    }

    private void Along(TensorContent? entries, Dequantization meaning)
    {
        if (entries is null || meaning.Axes.Length != entries.Dims.Count) return;
        long stride = 1;
        for (int k = meaning.Axes.Length - 1; k >= 0; k--)
        {
            int axis = meaning.Axes[k];
            if (entries.Dims[k] > 1) (_strides[axis], _blocks[axis]) = (stride, (_dims[axis] + entries.Dims[k] - 1) / entries.Dims[k]);
            stride *= entries.Dims[k];
        }
    }

    /// <summary>One zero point for every scale: as they are, or several to a byte, each row of the weight beginning at one.</summary>
    private float[] Unpacked(TensorContent point)
    {
        if (point.Count == _scales.Length) return point.ToFloats();
        if (Count == 0 || _dims.Length == 0 || _scales.Length % _dims[0] != 0) return [];
        int perByte = 8 / _bits, rows = (int)_dims[0], blocks = _scales.Length / rows, perRow = (blocks + perByte - 1) / perByte;
        if ((long)rows * perRow > point.ByteLength) return [];
        var bytes = new byte[point.ByteLength];
        point.ReadBytes(0, bytes);
        var points = new float[_scales.Length];
        for (int i = 0; i < points.Length; i++)
        {
            int block = i % blocks;
            points[i] = (bytes[(i / blocks * perRow) + (block / perByte)] >> (block % perByte * _bits)) & ((1 << _bits) - 1);
        }
        return points;
    }
}
