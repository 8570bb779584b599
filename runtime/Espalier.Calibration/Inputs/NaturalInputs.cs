using System.Numerics.Tensors;
using Espalier.Onnx;

namespace Espalier.Calibration.Inputs;

/// <summary>
/// Seeded inputs that have the statistics of nature, and of a task at most mean, deviation and range of its images. Images are
/// Gaussian fields whose amplitude falls with 1/f, as that of natural images does (van der Schaaf and van Hateren 1996, Vision
/// Research 36; what networks learn from such noise: Baradad et al. 2021, arXiv:2106.05963); ids follow Zipf's law with
/// Mandelbrot's shift, P(rank r) ∝ 1/(r + 2.7) (Piantadosi 2014, Psychonomic Bulletin &amp; Review 21), with a
/// seeded rank for every id; everything else is as in <see cref="RandomInputs"/>. The same seed gives the same inputs on every machine.
/// </summary>
internal static class NaturalInputs
{
    /// <summary>Waves of a field: enough that their sum is nearly normal.</summary>
    private const int Waves = 96;

    /// <summary>
    /// Share of a channel's variance that all channels have in common: colours of natural images go along with their
    /// brightness. The number is ours.
    /// </summary>
    private const double Common = 0.8;

    private const double Shift = 2.7;

    /// <param name="dimensions">Sizes of dynamic dimensions, by their name or as <c>input:axis</c>.</param>
    /// <param name="values">A number that fills an input, by the input's name.</param>
    /// <param name="like">Samples whose mean, deviation and range images are to have; null for mean 0 and deviation 1.</param>
    /// <exception cref="EspalierException">An input is no tensor or of a type that cannot be made.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Many(OnnxModel model, int count, int seed,
        IReadOnlyDictionary<string, long>? dimensions = null,
        IReadOnlyDictionary<string, double>? values = null, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? like = null)
    {
        var scales = new Dictionary<string, Scale>(StringComparer.Ordinal);
        var laws = new Dictionary<long, Zipf>();
        return [.. Enumerable.Range(0, count)
            .Select(i => RandomInputs.Draw(model, RandomInputs.SeedOf(seed, i), dimensions, values, Numbers))];

        (Func<double>, Func<long>) Numbers(string name, long[] shape, long rows, Random random)
        {
            var noise = RandomInputs.Noise(name, shape, rows, random);
            if (!laws.TryGetValue(rows, out var law)) laws[rows] = law = new Zipf(rows, seed);
            if (ChannelAxis(shape) is not { } axis) return (noise.Real, () => law.Next(random));
            if (!scales.TryGetValue(name, out var scale)) scales[name] = scale = Scale.Like(name, like);
            float[]? field = null;
            int at = 0;
            return (() => scale.Of((field ??= Image(shape, axis, random))[at++]), () => law.Next(random));
        }
    }

    /// <summary>Whether a sample has images, which take what they can of samples that they are to be like.</summary>
    public static bool ScalesImages(IReadOnlyDictionary<string, NamedTensor> sample)
        => sample.Values.Any(t => t.Values is not (long[] or int[]) && ChannelAxis([.. t.Shape]) is not null);

    /// <summary>The axis of colours of a batch of images, 1 or 3; null for what is none.</summary>
    private static int? ChannelAxis(long[] shape) => shape.Length != 4 ? null
        : shape[2] > 1 && shape[3] > 1 && !(shape[3] <= 4 && shape[1] > 4) ? 1
        : shape[1] > 1 && shape[2] > 1 && shape[3] <= 4 ? 3 : null;

    private static float[] Image(long[] shape, int axis, Random random)
    {
        int batch = (int)shape[0], channels = (int)shape[axis], height = (int)shape[axis == 1 ? 2 : 1],
            width = (int)shape[axis == 1 ? 3 : 2];
        var image = new float[checked(batch * channels * height * width)];
        for (int n = 0; n < batch; n++)
        {
            float[] common = Field(height, width, random);
            for (int c = 0; c < channels; c++)
            {
                float[] own = Field(height, width, random);
                for (int p = 0; p < own.Length; p++)
                    image[axis == 1
                        ? (((n * channels) + c) * own.Length) + p
                        : (((n * own.Length) + p) * channels) + c] = (float)((Math.Sqrt(Common) * common[p])
                            + (Math.Sqrt(1 - Common) * own[p]));
            }
        }
        return image;
    }

    /// <summary>
    /// A sum of plane waves of equal amplitude whose frequencies are even on a logarithmic scale, from one per image to one per
    /// two pixels: so every octave has the same energy, which in two dimensions is a power of 1/f². Variance 1.
    /// </summary>
    private static float[] Field(int height, int width, Random random)
    {
        var field = new float[height * width];
        float[] cosine = new float[width], sine = new float[width];
        double amplitude = Math.Sqrt(2.0 / Waves), size = Math.Max(height, width);
        for (int wave = 0; wave < Waves; wave++)
        {
            double frequency = 2 * Math.PI / size * Math.Pow(size / 2, random.NextDouble()), angle = 2 * Math.PI * random.NextDouble(),
                phase = 2 * Math.PI * random.NextDouble();
            double x = frequency * Math.Cos(angle), y = frequency * Math.Sin(angle);
            for (int k = 0; k < width; k++)
                (cosine[k], sine[k]) = ((float)(amplitude * Math.Cos((x * k) + phase)), (float)(amplitude * -Math.Sin((x * k) + phase)));
            for (int r = 0; r < height; r++)
            {
                // cos(a + b) = cos a · cos b − sin a · sin b.
                var row = field.AsSpan(r * width, width);
                TensorPrimitives.MultiplyAdd(cosine, (float)Math.Cos(y * r), row, row);
                TensorPrimitives.MultiplyAdd(sine, (float)Math.Sin(y * r), row, row);
            }
        }
        return field;
    }

    /// <summary>Zipf's law over ids.</summary>
    private sealed class Zipf
    {
        private readonly double[] _cumulative;
        private readonly int[] _ids;

        public Zipf(long rows, int seed)
        {
            _cumulative = new double[rows];
            _ids = [.. Enumerable.Range(0, checked((int)rows))];
            new Random(seed).Shuffle(_ids);
            double sum = 0;
            for (int r = 0; r < _ids.Length; r++) _cumulative[r] = sum += 1 / (r + 1 + Shift);
        }

        public long Next(Random random)
        {
            int rank = Array.BinarySearch(_cumulative, random.NextDouble() * _cumulative[^1]);
            return _ids[Math.Min(rank < 0 ? ~rank : rank, _ids.Length - 1)];
        }
    }

    /// <summary>From standard numbers to those of an input.</summary>
    private sealed record Scale(double Mean, double Deviation, double Least, double Most)
    {
        public double Of(double standard) => Math.Clamp(Mean + (Deviation * standard), Least, Most);

        public static Scale Like(string name, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? samples)
        {
            double[] known = [.. (samples ?? []).SelectMany(s => !s.TryGetValue(name, out var tensor) ? [] : tensor.Values switch
            {
                float[] numbers => numbers.Select(v => (double)v),
                double[] numbers => numbers,
                Half[] numbers => numbers.Select(v => (double)v),
                byte[] numbers => numbers.Select(v => (double)v),
                _ => [],
            })];
            if (known.Length == 0 || !Array.TrueForAll(known, double.IsFinite))
                return new(0, 1, double.NegativeInfinity, double.PositiveInfinity);
            double mean = known.Average();
            return new(mean, Math.Sqrt(known.Average(v => (v - mean) * (v - mean))), known.Min(), known.Max());
        }
    }
}
