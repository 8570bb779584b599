using Espalier.Axes;
using Espalier.Calibration.Data;
using Espalier.Evaluation;
using Espalier.Evaluation.Real;
using Espalier.Onnx;

namespace Espalier.Pruning.Tests;

/// <summary>
/// The yardstick of the real networks (tests/Espalier.Evaluation, the verb <c>real</c>) in short: its measures on vectors whose
/// answers are known, and one row on twenty sentences.
/// </summary>
public sealed class YardstickTests
{
    private static readonly string[] Sentences =
    [
        "The cat sleeps on the warm roof.", "A dog chased the ball across the yard.", "Birds fly south before the winter comes.",
        "She bought fresh bread at the market.", "He cooked a soup of beans and onions.", "The cake was sweet and very soft.",
        "The train arrived two hours late.", "A red car turned into our street.", "They crossed the sea in a small boat.",
        "The teacher wrote a word on the board.", "He reads three newspapers every morning.", "My sister studies old languages.",
        "The orchestra played a slow waltz.", "She sings in a choir on Sundays.", "The drum was louder than the flute.",
        "Rain fell on the hills all night.", "The sun melted the last of the snow.", "A strong wind broke the old oak.",
        "The bank closed its office in town.", "Prices rose faster than wages.",
    ];

    private static readonly TextSplit Texts = new(Sentences[..14], Sentences[14..],
        [("The cat sleeps.", "cat: a small animal that purrs"), ("He boiled the soup.", "soup: a liquid food"),
            ("Snow covers the field.", "snow: white flakes of frozen water")],
        [.. Sentences.Take(6).Select((s, i) => (s, i < 3 ? "animals" : "food"))]);

    [Fact]
    public void A_slim_encoder_is_less_like_the_dense_one_than_that_is_like_itself()
    {
        var places = Places.Default(Path.Combine(Path.GetTempPath(), "espalier-yardstick"));
        Assert.SkipWhen(Packaged.Missing(places) is not null, Packaged.Missing(places) ?? "");
        var encoder = new Encoder(places);
        using var dense = OnnxModel.Open(encoder.Model);
        var same = encoder.Measure(dense, Texts, "short").ToDictionary(f => f.Name, f => f.Value);
        foreach (string figure in (string[])["cos A", "rho A", "r10 A", "cos B", "rho B", "r10 B", "R@1", "MRR"])
            Assert.Equal(1, same[figure], 1e-5);

        var analysis = AxisAnalysis.Run(dense);
        var result = Slimmer.Run(Measurement.Plan(encoder.Axes, analysis, Preset.Magnitude, 0.75, 0), analysis);
        Assert.InRange((double)result.Report.After.Macs / result.Report.Before.Macs, 0.7, 0.75);
        var slim = encoder.Measure(result.Model, Texts, "short").ToDictionary(f => f.Name, f => f.Value);
        Assert.InRange(slim["cos A"], 0.5, 0.95);
        Assert.InRange(slim["rho A"], 0.3, 0.98);
        Assert.Equal(encoder.Figures.Order(), slim.Keys.Order());
    }

    [Fact]
    public void Measures_of_vectors_are_what_can_be_counted_by_hand()
    {
        float[][] vectors = [[1, 0], [0.9f, 0.1f], [0, 1], [0.1f, 0.9f]], turned = [[0, 1], [0.1f, 0.9f], [1, 0], [0.9f, 0.1f]];
        Assert.Equal(1, Measures.Cosine(vectors, vectors), 1e-6);
        Assert.Equal(0.11, Measures.Cosine(vectors, turned), 0.01);
        // Turning all of them moves none against the others.
        Assert.Equal(1, Measures.PairCorrelation(vectors, turned), 1e-6);
        Assert.Equal(1, Measures.NeighbourRecall(vectors, turned, 1));
        float[][] mixed = [vectors[0], vectors[2], vectors[1], vectors[3]];
        Assert.Equal(0, Measures.NeighbourRecall(vectors, mixed, 1));
        Assert.True(Measures.PairCorrelation(vectors, mixed) < 0.5);
        Assert.Equal(1, Measures.NeighbourAccuracy(vectors, ["a", "a", "b", "b"], 1));
        Assert.Equal((1, 1), Measures.Retrieval(vectors, vectors));
        Assert.Equal((0, 0.5), Measures.Retrieval([[1, 0.2f], [0, 1]], [[0.5f, 1], [1, 0.9f]]));
    }

    [Fact]
    public void A_head_learns_classes_that_a_plane_divides()
    {
        var random = new Random(1);
        int[] labels = [.. Enumerable.Range(0, 60).Select(i => i % 3)];
        float[][] features = [.. labels.Select(c => Enumerable.Range(0, 5).Select(k => (k == c ? 2f : 0) + random.NextSingle()).ToArray())];
        Assert.Equal(labels, RidgeHead.Fit(features, labels, 3).Predict(features));
    }

    [Fact]
    public void Calibration_data_are_written_as_the_command_line_reads_them()
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".npz");
        using var model = OnnxModel.Open(Assets.Path("bert.onnx"));
        try
        {
            Arrays.WriteArchive(file, [new("input_ids", [2, 3], [new long[] { 5, 6, 7 }, new long[] { 8, 9, 0 }]),
                new("attention_mask", [2, 3], [new long[] { 1, 1, 1, 1, 1, 0 }])]);
            var samples = CalibrationData.Read(file, model);
            Assert.Equal([8, 9, 0], (long[])samples[1]["input_ids"].Values);
            Assert.Equal([1, 1, 0], (long[])samples[1]["attention_mask"].Values);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Rows_are_read_as_they_were_written_and_old_ones_too()
    {
        var row = new Row("vit", Preset.Fasp, 0.5, 1)
        { Score = 0.5, Error = 0.01, Macs = 0.49, Most = 2000, Split = Split.Validation, Version = "abc", Notes = "a note", Refusal = "" };
        Assert.Equal(row, Row.Parse(row.ToText()));
        var old = Row.Parse("resnet\tBest\t0.90\t0\t0.9185\t0.0009\t0.8932\t12.3\t888\t2000");
        Assert.Equal((Split.Test, "", 2000), (old.Split, old.Version, old.Most));
        var real = new RealRow(new("minilm", Preset.Best, 128, 0, 0.75), Split.Test, new Slimmed { Macs = 0.7, Seconds = 3, Notes = "a" },
            [new("1x1", 0.75)], [new("cos A", 0.9), new("R@1", 0.5)], "abc");
        Assert.Equal(real.ToText(), RealRow.Parse(real.ToText()).ToText());
    }

    [Fact]
    public void Draws_of_calibration_data_have_no_sample_in_common()
    {
        var task = Espalier.Evaluation.Task.All(Assets.Root, 10).Single(t => t.Name == "bert");
        using var model = OnnxModel.Open(task.Model);
        var draws = Enumerable.Range(0, 2)
            .Select(d => task.Calibration(model, d).Select(s => string.Join(',', (long[])s["input_ids"].Values)).ToHashSet()).ToList();
        Assert.Empty(draws[0].Intersect(draws[1]));
        Assert.True(draws[0].Count > 250);
    }
}
