using System.Text.Json;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Evaluation;

/// <summary>The measure of a model on held-out data.</summary>
internal static class Judge
{
    private const int Batch = 100;

    /// <summary>1 for each image that gets its label, else 0.</summary>
    public static double[] Images(OnnxModel model, Fashion data)
    {
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        string input = session.Inputs.Single().Name;
        var right = new double[data.Images.Count];
        foreach (int[] batch in Enumerable.Range(0, right.Length).Chunk(Batch))
        {
            float[] values = [.. batch.SelectMany(i => data.Images[i])];
            var logits = (float[])session.Run([new(input, "float32", [batch.Length, 1, 28, 28], values)]).Values.First().Values;
            int classes = logits.Length / batch.Length;
            for (int k = 0; k < batch.Length; k++)
                if (Largest(logits.AsSpan(k * classes, classes)) == data.Labels[batch[k]]) right[batch[k]] = 1;
        }
        return right;
    }

    /// <summary>1 for each verse that gets its class, else 0.</summary>
    public static double[] Verses(OnnxModel model, string assets, int length, IReadOnlyList<(int Class, string Text)> verses)
    {
        var samples = Tokens.Of([.. verses.Select(v => v.Text)], model, Path.Combine(assets, "bert-vocab.txt"), length);
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        return [.. samples.Zip(verses)
            .Select(p => Largest((float[])session.Run(p.First.Values).Values.First().Values) == p.Second.Class ? 1.0 : 0)];
    }

    /// <summary>Nats per character of each window.</summary>
    public static double[] Nats(OnnxModel model, IReadOnlyList<long[]> windows)
    {
        using var session = Sessions.Open(model, Environment.ProcessorCount);
        var nats = new List<double>();
        foreach (long[] window in windows)
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

    /// <summary>The text in windows of so many characters, as numbers of an alphabet.</summary>
    public static IReadOnlyList<long[]> Windows(string alphabetFile, string text, int length)
    {
        string alphabet = JsonSerializer.Deserialize<string>(File.ReadAllText(alphabetFile))!;
        return [.. Enumerable.Range(0, text.Length / length)
            .Select(w => text.AsSpan(w * length, length).ToArray().Select(c => (long)alphabet.IndexOf(c)).ToArray())];
    }

    /// <summary>Characters as the language models take them.</summary>
    public static IReadOnlyDictionary<string, NamedTensor> Sample(long[] ids)
        => new Dictionary<string, NamedTensor> { ["input_ids"] = new NamedTensor("input_ids", "int64", [1, ids.Length], ids) };

    private static int Largest(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int k = 1; k < row.Length; k++) if (row[k] > row[best]) best = k;
        return best;
    }
}
