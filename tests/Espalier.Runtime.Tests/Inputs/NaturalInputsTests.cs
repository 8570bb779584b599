using System.Numerics;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Inputs;

/// <summary>Inputs with natural statistics have them, and nothing but the seed decides.</summary>
public class NaturalInputsTests
{
    private static OnnxModel Images(int channels = 3)
    {
        var g = new GraphBuilder();
        g.Output(g.Rename(g.Relu(g.Input("image", 1, channels, 64, 64)), "y"), 1, channels, 64, 64);
        return g.Build();
    }

    /// <summary>
    /// By octaves of frequency the energy of images is even: a power of 1/f². White noise has four times as much in each.
    /// </summary>
    [Fact]
    public void Images_have_a_spectrum_of_one_over_f()
    {
        using var model = Images();
        double[] natural = Octaves(NaturalInputs.Many(model, 24, 1)),
            noise = Octaves(Espalier.Calibration.Inputs.RandomInputs.Many(model, 24, 1));
        for (int k = 1; k < natural.Length; k++)
        {
            Assert.InRange(natural[k] / natural[k - 1], 0.6, 1.7);
            Assert.InRange(noise[k] / noise[k - 1], 2.5, 6);
        }
    }

    /// <summary>Energy of rows and columns of frequencies in [2, 4), [4, 8), [8, 16), of the first channels.</summary>
    private static double[] Octaves(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        const int n = 64;
        var energy = new double[3];
        // A window, because what does not repeat at the border would leak into all frequencies.
        double[] window = [.. Enumerable.Range(0, n).Select(i => Math.Pow(Math.Sin(Math.PI * (i + 0.5) / n), 2))];
        foreach (var sample in samples)
        {
            var values = (float[])sample["image"].Values;
            for (int u = -16; u <= 16; u++)
            {
                var along = Enumerable.Range(0, n)
                    .Select(y => Enumerable.Range(0, n)
                        .Aggregate(Complex.Zero, (s, x) => s
                            + (window[x] * window[y] * values[(y * n) + x] * Complex.Exp(new(0, -2 * Math.PI * u * x / n))))).ToArray();
                for (int v = 0; v <= 16; v++)
                {
                    int octave = (int)Math.Floor(Math.Log2(Math.Sqrt((u * u) + (v * v)))) - 1;
                    if (octave is < 0 or > 2) continue;
                    energy[octave] += Math.Pow(Enumerable.Range(0, n)
                        .Aggregate(Complex.Zero, (s, y) => s + (along[y] * Complex.Exp(new(0, -2 * Math.PI * v * y / n)))).Magnitude, 2);
                }
            }
        }
        return energy;
    }

    [Fact]
    public void Images_are_like_the_data_in_mean_deviation_and_range()
    {
        using var model = Images(1);
        var own = NaturalInputs.Many(model, 40, 3);
        float[] plain = [.. own.SelectMany(s => (float[])s["image"].Values)];
        Assert.Equal(0, plain.Average(), 0.1);
        Assert.Equal(1, Math.Sqrt(plain.Average(v => v * v)), 0.1);
        float[] data = [.. Enumerable.Range(0, 64 * 64).Select(i => (float)(2 + Math.Sin(i)))];
        float[] like = [.. NaturalInputs.Many(model, 40, 3,
            like: [new Dictionary<string, NamedTensor> { ["image"] = new("image", "float32", [1, 1, 64, 64], data) }])
                .SelectMany(s => (float[])s["image"].Values)];
        Assert.Equal(2, like.Average(), 0.1);
        Assert.InRange(Math.Sqrt(like.Average(v => (v - 2) * (v - 2))), 0.5, 0.75);
        Assert.InRange(like.Min(), 1, 1.01);
        Assert.InRange(like.Max(), 2.99, 3);
        Assert.Equal(own[7]["image"].Values, NaturalInputs.Many(model, 8, 3)[7]["image"].Values);
        Assert.NotEqual(own[7]["image"].Values, NaturalInputs.Many(model, 8, 4)[7]["image"].Values);
        Assert.NotEqual(own[7]["image"].Values, own[6]["image"].Values);
    }

    /// <summary>The id of rank r has a share in proportion to 1/(r + 2.7), and no id is out of its table; masks stay ones.</summary>
    [Fact]
    public void Ids_follow_the_law_of_zipf()
    {
        const int rows = 50;
        var g = new GraphBuilder();
        string ids = g.Input("ids", TensorProto.Types.DataType.Int64, 1, 2000),
            mask = g.Input("attention_mask", TensorProto.Types.DataType.Int64, 1, 2000);
        g.Output(g.Rename(g.Node("Gather", [g.Weight("table", rows, 4), g.Add(ids, g.Node("Sub", [mask, mask]))]), "y"), 1, 2000, 4);
        // The sum hides the table: then ids are 0 or 1.
        using (var hidden = g.Build())
            Assert.All(NaturalInputs.Many(hidden, 2, 5), s => Assert.InRange(((long[])s["ids"].Values).Max(), 0, 1));
        g = new GraphBuilder();
        g.Output(g.Rename(g.Node("Gather", [g.Weight("table", rows, 4), g.Input("ids", TensorProto.Types.DataType.Int64, 1, 2000)]),
            "y"), 1, 2000, 4);
        using var model = g.Build();
        long[] drawn = [.. NaturalInputs.Many(model, 50, 5).SelectMany(s => (long[])s["ids"].Values)];
        Assert.True(drawn.All(i => i is >= 0 and < rows));
        double all = Enumerable.Range(1, rows).Sum(r => 1 / (r + 2.7));
        double[] shares = [.. drawn.GroupBy(i => i).Select(s => (double)s.Count() / drawn.Length).OrderDescending()];
        Assert.Equal(rows, shares.Length);
        foreach (int rank in new[] { 1, 2, 3, 10, 30 }) Assert.Equal(1 / (rank + 2.7) / all, shares[rank - 1], 0.1 / (rank + 2.7) / all);
        // What is the most frequent is up to the seed, not to the order of the table.
        Assert.NotEqual(Top(5), Top(6));

        long Top(int seed)
            => NaturalInputs.Many(model, 4, seed).SelectMany(s => (long[])s["ids"].Values).GroupBy(i => i).MaxBy(s => s.Count())!.Key;
    }
}
