using System.Numerics.Tensors;

namespace Espalier.Calibration.Gradients;

/// <summary>Adam with bias correction (Kingma and Ba, arXiv:1412.6980, algorithm 1), without weight decay.</summary>
internal sealed class Adam(double first = 0.9, double second = 0.999, double epsilon = 1e-8)
{
    private readonly Dictionary<string, (float[] Mean, float[] Square)> _moments = new(StringComparer.Ordinal);
    private float[] _buffer = [];
    private int _step;

    /// <summary>Begins a step: all weights that are updated until the next one belong to it.</summary>
    public void Begin() => _step++;

    /// <summary>Moves a weight against its gradient.</summary>
    public void Update(string name, Span<float> weight, ReadOnlySpan<float> gradient, double rate)
    {
        if (!_moments.TryGetValue(name, out var moments)) _moments[name] = moments = (new float[weight.Length], new float[weight.Length]);
        if (_buffer.Length < weight.Length) _buffer = new float[weight.Length];
        Span<float> mean = moments.Mean, square = moments.Square, buffer = _buffer.AsSpan(0, weight.Length);
        TensorPrimitives.Lerp(gradient, mean, (float)first, mean);
        TensorPrimitives.Multiply(gradient, gradient, buffer);
        TensorPrimitives.Lerp(buffer, square, (float)second, square);
        // m̂ / (√v̂ + ε) with both corrections in the factors.
        double correction = Math.Sqrt(1 - Math.Pow(second, _step));
        TensorPrimitives.Sqrt(square, buffer);
        TensorPrimitives.Add(buffer, (float)(epsilon * correction), buffer);
        TensorPrimitives.Divide(mean, buffer, buffer);
        TensorPrimitives.MultiplyAdd(buffer, (float)(-rate * correction / (1 - Math.Pow(first, _step))), weight, weight);
    }
}
