using System.Globalization;
using Espalier.Calibration.Data;
using Espalier.Evaluation.Real;
using Espalier.Onnx;

namespace Espalier.Evaluation;

/// <summary>A trained network with its calibration data and the measure of its held-out data; the two are disjoint.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Model">File of the dense model.</param>
/// <param name="Axes">What is pruned.</param>
/// <param name="Calibration">Inputs for the statistics: the draw of that number; draws have no input in common.</param>
/// <param name="Evaluate">The measure of a model on every held-out item: 1 or 0 for right or wrong, or nats per character of a
/// window.</param>
internal sealed record Task(string Name, string Model, Axis[] Axes,
    Func<OnnxModel, int, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>> Calibration, Func<OnnxModel, Split, double[]> Evaluate)
{
    /// <summary>Images, verses, and windows of text in a draw.</summary>
    private const int Images = 256, Verses = 256, Windows = 48;

    private const int VerseTokens = 64, WindowLength = 129;

    /// <summary>The networks, in the order of the page.</summary>
    public static readonly string[] Names = ["resnet", "seresnet", "vgg", "mobilenet", "densenet", "vit", "bert", "gpt", "moe"];

    /// <summary>Whether the measure is nats per character: lower is better.</summary>
    public static bool IsNats(string network) => network is "gpt" or "moe";

    /// <summary>Test images or verses that there are; 0 where all of the text is always used.</summary>
    public static int Items(string network) => IsNats(network) ? 0 : network == "bert" ? 2000 : 10000;

    /// <summary>What is measured.</summary>
    public static string MeasureOf(string network, Split split) => (IsNats(network), split) switch
    {
        (true, _) => "nats per character over held-out windows of 128 characters",
        (_, Split.Test) => network == "bert" ? "accuracy on held-out verses" : "top-1 accuracy on Fashion-MNIST test images",
        _ => network == "bert"
            ? "accuracy on verses, which the network was trained on"
            : "top-1 accuracy on Fashion-MNIST training images, which the network was trained on",
    };

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
    /// <param name="most">Most held-out images or verses.</param>
    /// <param name="places">Data that the repository does not hold: all of the validation, and some further draws; null without.</param>
    public static IEnumerable<Task> All(string root, int most, Places? places = null)
    {
        string assets = Path.Combine(root, "tests", "assets"), examples = Path.Combine(root, "examples", "models");
        var scripture = new Lazy<Scripture>(() => Scripture.Read(places, assets));
        foreach (string name in (string[])["resnet", "seresnet", "vgg", "mobilenet", "densenet", "vit"])
            yield return new(name, Path.Combine(name == "resnet" ? examples : assets, name + ".onnx"),
                name == "vit" ? [Axis.Heads, Axis.Neurons] : [Axis.Channels, Axis.Neurons],
                (model, draw) => Part(CalibrationData.Read(Path.Combine(examples, "calibration-images-idx3-ubyte.gz"), model,
                    new DataOptions { Samples = 1024 }), Images, draw),
                (model, split) => Judge.Images(model, split == Split.Test
                    ? Fashion.Test(examples, most)
                    : Fashion.Validation(places, examples, most)));
        yield return new("bert", Path.Combine(assets, "bert.onnx"), [Axis.Heads, Axis.Neurons],
            (model, draw) => Tokens.Of([.. VersesOf(assets, scripture, draw)], model, Path.Combine(assets, "bert-vocab.txt"), VerseTokens),
            (model, split) => Judge.Verses(model, assets, VerseTokens, split == Split.Test
                ? TestVerses(assets, most)
                : [.. scripture.Value.Others.Take(most)]));
        foreach (string name in (string[])["gpt", "moe"])
        {
            IReadOnlyList<long[]> Cut(string text) => Judge.Windows(Path.Combine(assets, name + "-alphabet.json"), text, WindowLength);
            yield return new(name, Path.Combine(assets, name + ".onnx"), [Axis.Heads, Axis.Neurons],
                (_, draw) => [.. WindowsOf(assets, scripture, draw, Cut).Select(w => Judge.Sample(w[..^1]))],
                (model, split) => Judge.Nats(model, Cut(split == Split.Test
                    ? File.ReadAllText(Path.Combine(assets, "lm-test.txt"))
                    : scripture.Value.Validation)));
        }
    }

    /// <summary>The n-th part of the samples in a random order that is always the same, each part in the samples' own order.</summary>
    private static T[] Part<T>(IReadOnlyList<T> all, int count, int draw)
    {
        if ((draw + 1) * count > all.Count)
            throw new EspalierException(FormattableString.Invariant($"{all.Count} samples have no draw {draw} of {count}."));
        int[] order = [.. Enumerable.Range(0, all.Count)];
        new Random(0).Shuffle(order);
        return [.. order[(draw * count)..((draw + 1) * count)].Order().Select(i => all[i])];
    }

    /// <summary>Two draws are in the assets; others follow the verses of the validation.</summary>
    private static string[] VersesOf(string assets, Lazy<Scripture> scripture, int draw)
    {
        string[] own = [.. Scripture.Texts(assets, "bert-calibration.tsv")];
        int within = own.Length / Verses;
        return draw < within
            ? Part(own, Verses, draw)
            : [.. scripture.Value.Others.Skip(Items("bert") + ((draw - within) * Verses)).Take(Verses).Select(v => v.Text)];
    }

    /// <summary>The test verses without those that stand word for word in the calibration data: the Bible says some things twice.</summary>
    private static List<(int Class, string Text)> TestVerses(string assets, int most)
    {
        var calibrated = Scripture.Texts(assets, "bert-calibration.tsv").ToHashSet(StringComparer.Ordinal);
        return [.. File.ReadLines(Path.Combine(assets, "bert-test.tsv")).Take(most).Select(l => l.Split('\t', 2))
            .Select(c => (Class: int.Parse(c[0], CultureInfo.InvariantCulture), Text: c[1])).Where(v => !calibrated.Contains(v.Text))];
    }

    /// <summary>One draw is in the assets; others follow it in the text.</summary>
    private static IEnumerable<long[]> WindowsOf(string assets, Lazy<Scripture> scripture, int draw,
        Func<string, IReadOnlyList<long[]>> cut)
        => draw == 0
            ? Part(cut(File.ReadAllText(Path.Combine(assets, "lm-calibration.txt"))), Windows, 0)
            : cut(scripture.Value.Calibration[..(draw * Windows * WindowLength)]).Skip((draw - 1) * Windows);
}
