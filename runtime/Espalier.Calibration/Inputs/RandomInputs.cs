using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Inputs;

/// <summary>
/// Seeded random inputs from a model's signature: standard normal numbers for floats; for integers, indices that the tables they
/// look up have; ones for masks; 16000 for sample rates. The same seed gives the same inputs on every machine.
/// </summary>
public static class RandomInputs
{
    private static readonly long[] Spatial = [224, 320, 256, 640, 128, 64, 32];
    private static readonly long[] Sequence = [128, 512, 64, 32, 16, 8, 1];

    /// <summary>One sample: every input by name.</summary>
    /// <param name="dimensions">Sizes of dynamic dimensions, by their name or as <c>input:axis</c>. Others: 1 on axis 0, 224 on the spatial
    /// axes of a rank-4 input, 16 for a past, 128 elsewhere; a name such as <c>past + sequence</c> or <c>total_sequence</c> is
    /// the sum.</param>
    /// <param name="values">A number that fills an input, by the input's name.</param>
    /// <exception cref="EspalierException">An input is no tensor or of a type that cannot be made.</exception>
    public static IReadOnlyDictionary<string, NamedTensor> For(OnnxModel model, int seed,
        IReadOnlyDictionary<string, long>? dimensions = null, IReadOnlyDictionary<string, double>? values = null)
        => Draw(model, seed, dimensions, values, Noise);

    /// <summary>One sample of which an input's numbers are drawn in another way.</summary>
    internal static IReadOnlyDictionary<string, NamedTensor> Draw(OnnxModel model, int seed, IReadOnlyDictionary<string, long>? dimensions,
        IReadOnlyDictionary<string, double>? values, Numbers numbers)
        => Make(model, new InputSizes(GraphFacts.Inputs(model), dimensions, Spatial[0], Sequence[0]), values, new Random(seed), numbers);

    /// <summary>How the elements of an input are drawn, in order: real numbers, and indices below a number of rows.</summary>
    /// <param name="rows">Rows of the table that it looks up.</param>
    internal delegate (Func<double> Real, Func<long> Whole) Numbers(string name, long[] shape, long rows, Random random);

    /// <summary>Standard normal numbers and evenly drawn indices.</summary>
    internal static (Func<double> Real, Func<long> Whole) Noise(string name, long[] shape, long rows, Random random)
        => (() => Normal(random), () => random.NextInt64(rows));

    /// <summary>The seed of a sample.</summary>
    internal static int SeedOf(int seed, int sample) => unchecked(seed * 1_000_003 + sample);

    /// <summary>Several samples; see <see cref="For"/>.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Many(OnnxModel model, int count, int seed,
        IReadOnlyDictionary<string, long>? dimensions = null, IReadOnlyDictionary<string, double>? values = null)
        => [.. Enumerable.Range(0, count).Select(i => For(model, SeedOf(seed, i), dimensions, values))];

    /// <summary>
    /// Sizes of the dynamic dimensions with which the model runs: its defaults where they do, else the first of a short list of usual
    /// image sizes and lengths. For <see cref="For"/>, as <c>input:axis</c>.
    /// </summary>
    /// <exception cref="EspalierException">No candidate runs; the message has ONNX Runtime's for the defaults.</exception>
    public static IReadOnlyDictionary<string, long> Fit(OnnxModel model, IReadOnlyDictionary<string, long>? dimensions = null,
        IReadOnlyDictionary<string, double>? values = null, CancellationToken cancellationToken = default)
    {
        using var session = Sessions.Open(model);
        EspalierException? first = null;
        var tried = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (spatial, sequence) in Spatial.Select(s => (s, Sequence[0])).Concat(Sequence.Select(s => (Spatial[0], s))))
        {
            var sample = Make(model, new InputSizes(GraphFacts.Inputs(model), dimensions, spatial, sequence), values, new Random(0), Noise);
            if (!tried.Add(string.Join(';', sample.Values.Select(t => string.Join(',', t.Shape))))) continue;
            try
            {
                session.Run(sample.Values, cancellationToken);
                var found = new Dictionary<string, long>(dimensions ?? new Dictionary<string, long>(), StringComparer.Ordinal);
                foreach (var tensor in sample.Values)
                    for (int axis = 0; axis < tensor.Shape.Count; axis++) found[$"{tensor.Name}:{axis}"] = tensor.Shape[axis];
                return found;
            }
            catch (EspalierException e)
            {
                first ??= e;
            }
        }
        throw new EspalierException($"No inputs were found that the model runs on; say its dynamic dimensions. {first!.Message}", first);
    }

    private static Dictionary<string, NamedTensor> Make(OnnxModel model, InputSizes sizes, IReadOnlyDictionary<string, double>? values,
        Random random, Numbers numbers)
    {
        var inputs = GraphFacts.Inputs(model);
        var tables = new LookupTables(model);
        var sample = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
        foreach (var input in inputs)
        {
            if (input.Type?.TensorType is not { } type)
                throw new EspalierException($"Input '{input.Name}' is no tensor; random inputs cannot be made for it.");
            long[] shape = sizes.Shape(input);
            double? fill = values is not null && values.TryGetValue(input.Name, out double v)
                ? v
                : Usual(input.Name, (TensorProto.Types.DataType)type.ElemType);
            sample[input.Name] = Tensor(input.Name, GraphFacts.ElementName(type.ElemType), shape, fill,
                numbers(input.Name, shape, tables.Rows(input.Name) ?? 2, random));
        }
        return sample;
    }

    private static double? Usual(string input, TensorProto.Types.DataType type)
    {
        bool integer = type is not (TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Double
            or TensorProto.Types.DataType.Float16 or TensorProto.Types.DataType.Bfloat16);
        if (!integer) return null;
        if (input.Contains("mask", StringComparison.OrdinalIgnoreCase)) return 1;
        return input is "sr" or "sample_rate" or "sampling_rate" ? 16000 : null;
    }

    private static NamedTensor Tensor(string name, string type, long[] shape, double? fill, (Func<double> Real, Func<long> Whole) numbers)
    {
        long count = shape.Aggregate(1L, (a, b) => checked(a * b));
        double Real() => fill ?? numbers.Real();
        long Whole() => fill is { } f ? (long)f : numbers.Whole();
        Array values = type switch
        {
            "float32" => Fill(() => (float)Real()),
            "float64" => Fill(Real),
            "float16" => Fill(() => (Half)Real()),
            "bfloat16" => Fill(() => (ushort)(BitConverter.SingleToUInt32Bits((float)Real()) >> 16)),
            "int8" => Fill(() => (sbyte)Math.Min(Whole(), sbyte.MaxValue)),
            "int16" => Fill(() => (short)Math.Min(Whole(), short.MaxValue)),
            "int32" => Fill(() => (int)Math.Min(Whole(), int.MaxValue)),
            "int64" => Fill(Whole),
            "uint8" => Fill(() => (byte)Math.Min(Whole(), byte.MaxValue)),
            "uint16" => Fill(() => (ushort)Math.Min(Whole(), ushort.MaxValue)),
            "uint32" => Fill(() => (uint)Math.Min(Whole(), uint.MaxValue)),
            "uint64" => Fill(() => (ulong)Whole()),
            "bool" => Fill(() => Whole() != 0),
            _ => throw new EspalierException($"Input '{name}' has elements of type {type}; random inputs cannot be made for it."),
        };
        return new NamedTensor(name, type, shape, values);

        T[] Fill<T>(Func<T> next)
        {
            var array = new T[count];
            for (long i = 0; i < count; i++) array[i] = next();
            return array;
        }
    }

    internal static double Normal(Random random)
        => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
