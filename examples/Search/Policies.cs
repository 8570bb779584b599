using Espalier;

namespace Search;

/// <summary>
/// all-MiniLM-L6-v2 with three quarters of its multiply-accumulates. With calibration data and no word on the method it is the
/// default, <see cref="Preset.Best"/>.
/// </summary>
[PruningPolicy("models/all-MiniLM-L6-v2.onnx")]
[Budget(Macs = 0.75)]
[Guard(Agreement = 0.95, Metric = Metric.Embedding)]
[Divergence(Metric.Embedding, Outputs = ["last_hidden_state"])]
[Embeddings("models/vocab.txt", Pooling = Pooling.Mean, MaxTokens = 128)]
public static partial class SlimSearch
{
    /// <summary>Heads of every layer.</summary>
    [Prune(Axis.Heads)]
    public static partial Rule Heads { get; }

    /// <summary>Neurons of every feed-forward layer.</summary>
    [Prune(Axis.Neurons, RoundTo = 16)]
    public static partial Rule Neurons { get; }

    [Calibration(Samples = 512)]
    static IEnumerable<Inputs> Verses() => Tokenize(Texts.Calibration());
}
