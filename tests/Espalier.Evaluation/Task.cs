using System.Text.Json;
using Espalier.Calibration.Arrays;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Evaluation;

/// <summary>A trained network with its calibration data and the measure of its held-out data; the two are disjoint.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Model">File of the dense model.</param>
/// <param name="Axes">What is pruned.</param>
/// <param name="Calibration">Inputs for the statistics: the draw of that number out of all calibration data.</param>
/// <param name="Evaluate">The measure of a model on every held-out item: 1 or 0 for right or wrong, or nats per character of a
/// window.</param>
internal sealed record Task(string Name, string Model, Axis[] Axes,
    Func<OnnxModel, int, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>> Calibration, Func<OnnxModel, double[]> Evaluate)
{
    private const int Batch = 100;

    /// <summary>The networks, in the order of the page.</summary>
    public static readonly string[] Names = ["resnet", "seresnet", "vgg", "mobilenet", "densenet", "vit", "bert", "gpt", "moe"];

    /// <summary>Whether the measure is nats per character: lower is better.</summary>
    public static bool IsNats(string network) => network is "gpt" or "moe";

    /// <summary>Test images or verses that there are; 0 where all of the text is always used.</summary>
    public static int Items(string network) => IsNats(network) ? 0 : network == "bert" ? 2000 : 10000;

    /// <summary>What is measured.</summary>
    public static string MeasureOf(string network) => IsNats(network) ? "nats per character over held-out windows of 128 characters"
        : network == "bert" ? "accuracy on held-out verses" : "top-1 accuracy on Fashion-MNIST test images";

    /// <summary>
    /// What the default method is to keep at half of the multiply-accumulates: the share of the accuracy, or how many times the nats.
    /// </summary>
    public static double Goal(string network) => network switch
    {
        "resnet" or "seresnet" or "vgg" => 0.97,
        "mobilenet" or "densenet" => 0.93,
        "vit" or "bert" => 0.95,
        _ => 1.08,
    };

    /// <summary>All networks of the repository's assets.</summary>
    /// <param name="root">The repository.</param>
    /// <param name="most">Most test images or verses.</param>
    public static IEnumerable<Task> All(string root, int most)
    {
        string assets = Path.Combine(root, "tests", "assets"), examples = Path.Combine(root, "examples", "models");
        foreach (string name in (string[])["resnet", "seresnet", "vgg", "mobilenet", "densenet", "vit"])
            yield return new(name, Path.Combine(name == "resnet" ? examples : assets, name + ".onnx"),
                name == "vit" ? [Axis.Heads, Axis.Neurons] : [Axis.Channels, Axis.Neurons],
                (model, draw) =>
                    Draw(CalibrationData.Read(Path.Combine(examples, "calibration-images-idx3-ubyte.gz"), model,
                        new DataOptions { Samples = 1024 }), 256, draw),
                model => Images(model, examples, most));
        yield return new("bert", Path.Combine(assets, "bert.onnx"), [Axis.Heads, Axis.Neurons],
            (model, draw) =>
                Draw(CalibrationData.Read(Path.Combine(assets, "bert-calibration.tsv"), model,
                    new DataOptions { Samples = 512, Vocabulary = Path.Combine(assets, "bert-vocab.txt") }), 256, draw),
            model => Verses(model, assets, most));
        foreach (string name in (string[])["gpt", "moe"])
            yield return new(name, Path.Combine(assets, name + ".onnx"), [Axis.Heads, Axis.Neurons],
                (_, draw) =>
                    Draw([.. Windows(assets, name, "lm-calibration.txt")
                        .Select(w => (IReadOnlyDictionary<string, NamedTensor>)Sample(w[..^1]))], 48, draw),
                model => Nats(model, assets, name));
    }

    /// <summary>Some of the samples, chosen by a seed.</summary>
    private static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Draw(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> all,
        int count, int draw)
    {
        var order = Enumerable.Range(0, all.Count).ToArray();
        new Random(draw).Shuffle(order);
        return [.. order.Take(count).Order().Select(i => all[i])];
    }

    private static double[] Images(OnnxModel model, string folder, int most)
    {
        var samples = CalibrationData.Read(Path.Combine(folder, "t10k-images-idx3-ubyte.gz"), model, new DataOptions { Samples = most });
        var labels = Idx.Read(Path.Combine(folder, "t10k-labels-idx1-ubyte.gz")).Values;
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        var right = new double[samples.Count];
        for (int at = 0; at < samples.Count; at += Batch)
        {
            var batch = samples.Skip(at).Take(Batch).ToList();
            var logits = (float[])session.Run(Join(batch)).Values.First().Values;
            int classes = logits.Length / batch.Count;
            for (int k = 0; k < batch.Count; k++)
                if (Largest(logits.AsSpan(k * classes, classes))
                    == Convert.ToInt32(labels.GetValue(at + k), System.Globalization.CultureInfo.InvariantCulture)) right[at + k] = 1;
        }
        return right;
    }

    /// <summary>Single images as one batch.</summary>
    private static NamedTensor[] Join(List<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var first = samples[0].Values.Single();
        var values = samples.SelectMany(s => (float[])s.Values.Single().Values).ToArray();
        return [first with { Shape = [samples.Count, .. first.Shape.Skip(1)], Values = values }];
    }

    private static double[] Verses(OnnxModel model, string assets, int most)
    {
        string path = Path.Combine(assets, "bert-test.tsv");
        var samples =
            CalibrationData.Read(path, model, new DataOptions { Samples = most, Vocabulary = Path.Combine(assets, "bert-vocab.txt") });
        // The file's first column is the number of the class.
        var labels = File.ReadLines(path).Select(l => l.Split('\t')[0]).Take(samples.Count)
            .Select(l => int.Parse(l, System.Globalization.CultureInfo.InvariantCulture)).ToList();
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        return [.. samples.Zip(labels)
            .Select(p => Largest((float[])session.Run(p.First.Values).Values.First().Values) == p.Second ? 1.0 : 0)];
    }

    private static double[] Nats(OnnxModel model, string assets, string name)
    {
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        var nats = new List<double>();
        foreach (var window in Windows(assets, name, "lm-test.txt"))
        {
            var logits = (float[])session.Run(Sample(window[..^1]).Values).Values.First().Values;
            int classes = logits.Length / (window.Length - 1);
            double sum = 0;
            for (int k = 0; k < window.Length - 1; k++)
            {
                var row = logits.AsSpan(k * classes, classes);
                double top = row[Largest(row)], total = 0;
                foreach (float x in row) total += Math.Exp(x - top);
                sum += top + Math.Log(total) - row[(int)window[k + 1]];
            }
            nats.Add(sum / (window.Length - 1));
        }
        return [.. nats];
    }

    private static IEnumerable<long[]> Windows(string assets, string name, string file)
    {
        string alphabet = JsonSerializer.Deserialize<string>(File.ReadAllText(Path.Combine(assets, name + "-alphabet.json")))!;
        string text = File.ReadAllText(Path.Combine(assets, file));
        const int length = 129;
        for (int at = 0; at + length <= text.Length; at += length)
            yield return [.. text.AsSpan(at, length).ToArray().Select(c => (long)alphabet.IndexOf(c))];
    }

    private static Dictionary<string, NamedTensor> Sample(long[] ids)
        => new() { ["input_ids"] = new NamedTensor("input_ids", "int64", [1, ids.Length], ids) };

    private static int Largest(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int k = 1; k < row.Length; k++) if (row[k] > row[best]) best = k;
        return best;
    }
}
