using Espalier.Axes;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>
/// A residual network of attention and feed-forward sublayers that is written twice: as an ONNX graph, and as loops over doubles
/// that share nothing with the product. What a paper's formula makes of the second must be what the preset makes of the first.
/// </summary>
internal sealed class TwiceWritten
{
    public const int Blocks = 3, Tokens = 5, Width = 8, Heads = 3, Dim = 4, Hidden = 12, Classes = 4, All = Heads * Dim;

    private readonly Dictionary<string, Matrix<double>> _weights = [];
    private readonly Dictionary<string, double[]> _biases = [];

    public TwiceWritten(int seed)
    {
        var random = new Random(seed);
        for (int b = 0; b < Blocks; b++)
        {
            foreach (string name in (string[])["q", "k", "v"]) _weights[$"b{b}.{name}"] = Normal(random, Width, All, 0.35);
            _weights[$"b{b}.o"] = Normal(random, All, Width, 0.15 * (b + 1));
            _weights[$"b{b}.up"] = Normal(random, Width, Hidden, 0.4);
            _weights[$"b{b}.down"] = Normal(random, Hidden, Width, 0.3 / (b + 1));
            foreach (var (name, size) in new[] { ("v", All), ("o", Width), ("up", Hidden), ("down", Width) })
                _biases[$"b{b}.{name}"] = [.. Normal(random, 1, size, 0.3).Enumerate()];
        }
        _weights["head"] = Normal(random, Width, Classes, 1);
        // Three numbers and a little noise make each row, so that features hang together and a refit has something to find.
        var mixed = Normal(random, 3, Width, 0.7);
        Inputs = [.. Enumerable.Range(0, 40).Select(_ => (Normal(random, Tokens, 3, 1) * mixed) + Normal(random, Tokens, Width, 0.2))
            .Select(x => x.Map(v => (double)(float)v))];
        Dense = Build();
        Analysis = AxisAnalysis.Run(Dense);
    }

    /// <summary>Calibration samples, each [tokens, width].</summary>
    public Matrix<double>[] Inputs { get; }
    public OnnxModel Dense { get; }
    public AxisAnalysis Analysis { get; }

    /// <summary>W [inputs, outputs], as float32 has it.</summary>
    public Matrix<double> Weight(string name) => _weights[name];
    public bool HasBias(string name) => _biases.ContainsKey(name);
    public double[] Bias(string name) => _biases.GetValueOrDefault(name) ?? new double[_weights[name].ColumnCount];

    public static readonly string[] Groups =
        [.. Enumerable.Range(0, Blocks).SelectMany(b => new[] { $"b{b}.o", $"b{b}.down" })];

    /// <summary>Products from the first that reads units on, in the order of the graph; those in one place read one activation.</summary>
    public static readonly string[][] Later =
    [
        .. Enumerable.Range(0, Blocks).SelectMany(b => (string[][])[[$"b{b}.q", $"b{b}.k", $"b{b}.v"], [$"b{b}.o"], [$"b{b}.up"],
            [$"b{b}.down"]]).Skip(1),
        ["head"],
    ];

    /// <summary>Units of the group that a product reads: heads of o, neurons of down.</summary>
    public static int Units(string reader) => IsHeads(reader) ? Heads : Hidden;
    public static bool IsHeads(string reader) => reader.EndsWith(".o", StringComparison.Ordinal);

    /// <summary>Features of a reader that belong to a unit.</summary>
    public static int[] Features(string reader, int unit) => IsHeads(reader) ? [.. Enumerable.Range(unit * Dim, Dim)] : [unit];
    public static int[] Features(string reader, IEnumerable<int> units) => [.. units.SelectMany(u => Features(reader, u))];

    /// <summary>Weights that make and read a unit: rows are the unit's slices.</summary>
    public IEnumerable<double[][]> Slices(string reader)
    {
        string block = reader[..2];
        string[] makers = IsHeads(reader) ? ["q", "k", "v"] : ["up"];
        foreach (string maker in makers)
            yield return [.. Enumerable.Range(0, Units(reader)).Select(u => (double[])
                [.. Features(reader, u).SelectMany(f => Weight($"{block}.{maker}").Column(f))])];
        yield return [.. Enumerable.Range(0, Units(reader)).Select(u => (double[])
            [.. Features(reader, u).SelectMany(f => Weight(reader).Row(f))])];
    }

    /// <summary>
    /// Multiply-accumulates of one sample with so many units per reader, by hand: three products that make heads and one that reads
    /// them, two products of activations; two products of the feed-forward layer; the last one.
    /// </summary>
    public static double Macs(Func<string, double> units) => (Tokens * Width * Classes) + Enumerable.Range(0, Blocks).Sum(b =>
        (units($"b{b}.o") * Dim * ((4 * Tokens * Width) + (2 * Tokens * Tokens))) + (units($"b{b}.down") * 2 * Tokens * Width));

    /// <summary>The network in loops.</summary>
    /// <param name="changes">What is removed and changed; null for the dense network.</param>
    public Trace Run(Changes? changes = null, IEnumerable<Matrix<double>>? inputs = null)
    {
        changes ??= new();
        var trace = new Trace();
        foreach (var input in inputs ?? Inputs)
        {
            var x = input;
            for (int b = 0; b < Blocks; b++)
            {
                string block = $"b{b}";
                if (!changes.Dropped.Contains($"{block}.o"))
                    x = Sublayer(x, $"{block}.o", Attend(Product(x, $"{block}.q"), Product(x, $"{block}.k"), Product(x, $"{block}.v")));
                if (!changes.Dropped.Contains($"{block}.down"))
                    x = Sublayer(x, $"{block}.down", Product(x, $"{block}.up").Map(v => Math.Max(0, v)));
            }
            trace.Outputs.Add(Product(x, "head"));
        }
        return trace;

        Matrix<double> Product(Matrix<double> x, string name)
        {
            var (w, bias) = (changes.Weights.GetValueOrDefault(name) ?? Weight(name), changes.Biases.GetValueOrDefault(name) ?? Bias(name));
            trace.Add($"{name} in", x);
            var y = x * w;
            trace.Add($"{name} product", y);
            var sum = y.MapIndexed((_, j, v) => v + bias[j]);
            trace.Add($"{name} out", sum);
            return sum;
        }

        Matrix<double> Sublayer(Matrix<double> x, string reader, Matrix<double> features)
        {
            if (changes.Kept.TryGetValue(reader, out int[]? kept))
            {
                var stays = Features(reader, kept).ToHashSet();
                features = features.MapIndexed((_, j, v) => stays.Contains(j) ? v : 0);
            }
            var y = x + Product(features, reader);
            trace.Add($"{reader} before", x);
            trace.Add($"{reader} after", y);
            return y;
        }
    }

    private static Matrix<double> Attend(Matrix<double> q, Matrix<double> k, Matrix<double> v)
    {
        var result = Matrix<double>.Build.Dense(Tokens, All);
        for (int h = 0; h < Heads; h++)
        {
            var weights = Head(q, h) * Head(k, h).Transpose() * 0.5;
            for (int t = 0; t < Tokens; t++)
            {
                var row = (weights.Row(t) - weights.Row(t).Maximum()).PointwiseExp();
                weights.SetRow(t, row / row.Sum());
            }
            result.SetSubMatrix(0, h * Dim, weights * Head(v, h));
        }
        return result;

        static Matrix<double> Head(Matrix<double> x, int h) => x.SubMatrix(0, Tokens, h * Dim, Dim);
    }

    private OnnxModel Build()
    {
        var g = new GraphBuilder();
        string x = g.Input("x", "batch", Tokens, Width);
        for (int b = 0; b < Blocks; b++)
        {
            string Heads3(string name) => g.SplitHeads(Product(x, $"b{b}.{name}"), Heads, Dim);
            string scores = g.Mul(g.MatMul(Heads3("q"), g.Transpose(Heads3("k"), 0, 1, 3, 2)), g.Scalar(g.Fresh("root"), 0.5f));
            x = g.Add(x, Product(g.MergeHeads(g.MatMul(g.Softmax(scores), Heads3("v")), All), $"b{b}.o"));
            x = g.Add(x, Product(g.Relu(Product(x, $"b{b}.up")), $"b{b}.down"));
        }
        g.Output(g.Rename(Product(x, "head"), "y"), "batch", Tokens, Classes);
        return g.Build();

        string Product(string x, string name)
        {
            var w = Weight(name);
            string y = g.MatMul(x, g.Floats($"{name}.weight", [.. w.ToRowMajorArray().Select(v => (float)v)], w.RowCount, w.ColumnCount));
            return _biases.TryGetValue(name, out double[]? bias)
                ? g.Add(y, g.Floats($"{name}.bias", [.. bias.Select(v => (float)v)], bias.Length))
                : y;
        }
    }

    /// <summary>The samples as the product gets them.</summary>
    public static List<IReadOnlyDictionary<string, NamedTensor>> Samples(IEnumerable<Matrix<double>> inputs)
        => [.. inputs.Select(x => (IReadOnlyDictionary<string, NamedTensor>)new Dictionary<string, NamedTensor>
        { ["x"] = new("x", "float32", [1, Tokens, Width], x.ToRowMajorArray().Select(v => (float)v).ToArray()) })];

    /// <summary>Numbers that float32 holds, so that both have the same.</summary>
    private static Matrix<double> Normal(Random random, int rows, int columns, double scale)
    {
        double[] values = [.. Seeded.Normals(random, rows * columns).Select(v => (double)(float)(v * scale))];
        return Matrix<double>.Build.DenseOfRowMajor(rows, columns, values);
    }
}

/// <summary>What is made of the network.</summary>
internal sealed class Changes
{
    /// <summary>By reader: units that stay; all where it is not named.</summary>
    public Dictionary<string, int[]> Kept { get; init; } = [];
    public Dictionary<string, Matrix<double>> Weights { get; init; } = [];
    public Dictionary<string, double[]> Biases { get; init; } = [];
    /// <summary>Sublayers that are gone, by reader.</summary>
    public HashSet<string> Dropped { get; init; } = [];
}

/// <summary>What was seen of a run: rows of activations by name, outputs by sample.</summary>
internal sealed class Trace
{
    private readonly Dictionary<string, List<double[]>> _rows = [];
    public List<Matrix<double>> Outputs { get; } = [];

    public void Add(string name, Matrix<double> rows)
    {
        if (!_rows.TryGetValue(name, out var all)) _rows[name] = all = [];
        all.AddRange(rows.ToRowArrays());
    }

    /// <summary>The same without every eighth sample, which fits do not see.</summary>
    public Trace Fitted() => Of(sample => sample % 8 != 7);

    /// <summary>Every eighth sample alone.</summary>
    public Trace HeldOut() => Of(sample => sample % 8 == 7);

    private Trace Of(Func<int, bool> samples)
    {
        var some = new Trace();
        foreach (var (name, rows) in _rows) some._rows[name] = [.. rows.Where((_, r) => samples(r / (rows.Count / Outputs.Count)))];
        some.Outputs.AddRange(Outputs.Where((_, s) => samples(s)));
        return some;
    }

    /// <summary>[rows, features]: what a product read (<c>b0.o in</c>), gave, or a sublayer had before and after.</summary>
    public Matrix<double> Rows(string name) => Matrix<double>.Build.DenseOfRowArrays(_rows[name]);
}
