using System.Text;
using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>all-MiniLM-L6-v2: sentences to vectors, the mean over their tokens.</summary>
internal sealed class Encoder(Places places) : RealNetwork(places)
{
    /// <summary>
    /// Tokens of a sample of calibration data at most; shorter ones are padded and masked, as one array for all needs it.
    /// </summary>
    private const int CalibrationTokens = 64;

    private const int MostTokens = 128, Batch = 32;

    private Sentences? _sentences;

    public override string Name => "minilm";

    public override string Title => "all-MiniLM-L6-v2, a sentence encoder of 22.7 M parameters";

    public override string Explained => "Vectors of sentences (the mean over their tokens, of length 1) against the dense model's. A: 500 "
        + "sentences of the sources of calibration, fortunes and WordNet's definitions. B: 500 of others: OpenCV's tutorials for "
        + "validation, descriptions of Debian's packages and Bible verses for the test. cos: mean cosine with the dense vector. rho: "
        + "Spearman's correlation of the similarities of all pairs. r10: share of the dense model's ten nearest neighbours that stay "
        + "among the ten nearest. kNN: accuracy of the ten nearest of 780 descriptions of packages in 12 sections. R@1 and MRR: 400 "
        + "example sentences of nouns, each with its dictionary entry to be found among 400 (standard error about 0.02). Calibration: "
        + "1,024 sentences of at most 64 tokens in a draw, padded and masked as one array.";

    public override string Model => Packaged.Encoder(Places);

    public override Axis[] Axes => [Axis.Heads, Axis.Neurons];

    /// <summary>Not the pooled one, which sentences are not compared by.</summary>
    public override IReadOnlyList<string> Outputs => ["last_hidden_state"];

    public override int Samples => Sentences.Draw;

    public override int Draws => Sentences.Draws;

    public override IReadOnlyList<string> Figures => ["cos A", "rho A", "r10 A", "cos B", "rho B", "r10 B", "kNN", "R@1", "MRR"];

    private Sentences Texts => _sentences ??= Sentences.Read(Places);

    public override bool TakesBatches => true;

    public override string? Missing() => Packaged.Missing(Places) ?? Debian.Missing(Places);

    public override string Calibration(int samples, int draw)
    {
        string path = Places.Made("calibration", FormattableString.Invariant($"minilm-{samples}-{draw}.npz"));
        if (File.Exists(path)) return path;
        using var model = OnnxModel.Open(Model);
        var sentences = Tokens.Of(Texts.Calibrating(samples, draw), model, Packaged.Vocabulary(Places), CalibrationTokens);
        var joined = Padded(sentences);
        Arrays.WriteArchive(path, joined.Select(t => new Arrays.Parted(t.Name, [.. t.Shape], [t.Values])));
        return path;
    }

    public override IReadOnlyList<Figure> Measure(OnnxModel slim, Split split) => Measure(slim, Texts.Of(split), $"{split}");

    /// <summary>The same on given texts; a set without texts has no figures.</summary>
    /// <param name="kind">What the texts are, for the name of the file of the dense model's vectors.</param>
    public IReadOnlyList<Figure> Measure(OnnxModel slim, TextSplit texts, string kind)
    {
        string[] all = [.. texts.All];
        var dense = Sliced(Remembered(kind.ToLowerInvariant(), Encoding.UTF8.GetBytes(string.Join('\n', all)), m => Embed(m, all)), texts);
        var now = Sliced(Embed(slim, all), texts);
        var figures = new List<Figure>();
        foreach (var (name, a, b) in new[] { ("A", dense.A, now.A), ("B", dense.B, now.B) })
        {
            if (a.Length == 0) continue;
            figures.AddRange([new($"cos {name}", Measures.Cosine(a, b)), new($"rho {name}", Measures.PairCorrelation(a, b)),
                new($"r10 {name}", Measures.NeighbourRecall(a, b))]);
        }
        if (texts.Labelled.Count > 0)
            figures.Add(new("kNN", Measures.NeighbourAccuracy(now.Labelled, [.. texts.Labelled.Select(l => l.Label)])));
        if (texts.Pairs.Count > 0)
        {
            var (first, reciprocal) = Measures.Retrieval(now.Queries, now.Answers);
            figures.AddRange([new("R@1", first), new("MRR", reciprocal)]);
        }
        return figures;
    }

    public override IReadOnlyDictionary<string, NamedTensor> TimingInputs(int batch)
    {
        // Full of words: what a mask hides might be left out by somebody some day.
        long[] ones = [.. Enumerable.Repeat(1L, batch * MostTokens)], words = [.. ones.Select((_, i) => 2000L + (i * 37 % 20000))];
        return new[] { ("input_ids", words), ("attention_mask", ones), ("token_type_ids", new long[batch * MostTokens]) }
            .ToDictionary(p => p.Item1, p => new NamedTensor(p.Item1, "int64", [batch, MostTokens], p.Item2));
    }

    private sealed record Vectors(float[][] A, float[][] B, float[][] Queries, float[][] Answers, float[][] Labelled);

    /// <summary>Vectors of <see cref="TextSplit.All"/>, taken apart again.</summary>
    private static Vectors Sliced(float[][] all, TextSplit texts)
    {
        int at = 0;
        float[][] Next(int count) => all[at..(at += count)];
        var (a, b, pairs) = (Next(texts.A.Count), Next(texts.B.Count), Next(2 * texts.Pairs.Count));
        return new(a, b, [.. pairs.Where((_, i) => i % 2 == 0)], [.. pairs.Where((_, i) => i % 2 == 1)], Next(texts.Labelled.Count));
    }

    /// <summary>Vectors of length 1, in the order of the texts.</summary>
    public float[][] Embed(OnnxModel model, IReadOnlyList<string> texts)
    {
        var samples = Tokens.Of(texts, model, Packaged.Vocabulary(Places), MostTokens);
        using var session = Open(model);
        // The words' vectors; a second output of these models is one vector of a layer that nobody uses.
        string output = session.Outputs[0].Name;
        var vectors = new float[texts.Count][];
        // Sentences of one length together, so that there is little padding.
        foreach (int[] batch in Enumerable.Range(0, texts.Count).OrderBy(i => samples[i]["input_ids"].Shape[1]).Chunk(Batch))
        {
            var inputs = Padded([.. batch.Select(i => samples[i])]);
            var hidden = (float[])session.Run(inputs, [output])[output].Values;
            var mask = (long[])inputs.Single(t => t.Name == "attention_mask").Values;
            int length = mask.Length / batch.Length, width = hidden.Length / mask.Length;
            for (int k = 0; k < batch.Length; k++)
            {
                var mean = new float[width];
                for (int t = 0; t < length; t++)
                    if (mask[(k * length) + t] != 0)
                        for (int d = 0; d < width; d++) mean[d] += hidden[(((k * length) + t) * width) + d];
                vectors[batch[k]] = mean;
            }
        }
        return Measures.Normalised(vectors);
    }

    /// <summary>Samples as one batch: zeros behind what is shorter than the longest, which the mask hides.</summary>
    private static List<NamedTensor> Padded(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        int length = samples.Max(s => (int)s.Values.First().Shape[1]);
        return [.. samples[0].Keys.Order(StringComparer.Ordinal).Select(name =>
        {
            var values = new long[samples.Count * length];
            for (int i = 0; i < samples.Count; i++) samples[i][name].Values.CopyTo(values, i * length);
            return new NamedTensor(name, "int64", [samples.Count, length], values);
        })];
    }
}
