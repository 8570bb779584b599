using Espalier.Extensions.Images;

namespace Espalier.Evaluation.Real;

/// <summary>How a detector wants its images, and what it answers.</summary>
/// <param name="Input">Name of the input.</param>
/// <param name="BlueFirst">Blue, green, red.</param>
/// <param name="Mean">What is subtracted of values from 0 to 255, per channel.</param>
/// <param name="Deviation">What they are divided by then.</param>
internal sealed record ImageInput(string Input, int Width, int Height, bool BlueFirst, float[] Mean, float[] Deviation);

/// <summary>A network that finds something in images, judged by the scores that it gives on photographs.</summary>
internal sealed class Detector(Places places, string name, string file, ImageInput form) : AnswerNetwork(places, file)
{
    private readonly Pictures _pictures = new(places);

    /// <summary>What it is.</summary>
    public required string Says { get; init; }

    /// <summary>What its scores are.</summary>
    public required string Scores { get; init; }

    /// <summary>The scores among its outputs.</summary>
    public required Func<IReadOnlyDictionary<string, NamedTensor>, float[]> Of { get; init; }

    public override string Name => name;

    public override string Title => Says;

    public override int Draws => Pictures.Draws;

    protected override string Answered => Scores;

    /// <summary>The three that are known here.</summary>
    public static IEnumerable<Detector> Known(Places places) =>
    [
        new(places, "ppocr", "ch_PP-OCRv4_det_infer.onnx",
            new("x", 320, 320, true, [123.675f, 116.28f, 103.53f], [58.395f, 57.12f, 57.375f]))
        {
            Says = "PP-OCRv4, detection of text",
            Scores = "the map of the probability that a pixel of a photograph of 320 × 320 is text",
            Of = outputs => (float[])outputs.Values.Single().Values,
        },
        new(places, "yolox", "yolox_nano.onnx", new("images", 640, 640, true, [0, 0, 0], [1, 1, 1]))
        {
            Says = "YOLOX nano, detection of the 80 classes of COCO",
            Scores = "the score of each box of a photograph of 640 × 640: its objectness times its likeliest class",
            Of = outputs => [.. ((float[])outputs.Values.Single().Values).Chunk(85).Select(box => box[4] * box[5..].Max())],
        },
        new(places, "rfb", "version-RFB-320.onnx", new("input", 320, 240, false, [127, 127, 127], [128, 128, 128]))
        {
            Says = "RFB-320, detection of faces",
            Scores = "the probability of each box of a photograph of 320 × 240 that it is a face",
            Of = outputs => [.. ((float[])outputs["scores"].Values).Chunk(2).Select(box => box[1])],
        },
    ];

    public override string Calibration(int samples, int draw)
    {
        string path = Places.Made("calibration", FormattableString.Invariant($"{Name}-{samples}-{draw}.npy"));
        if (!File.Exists(path))
            Arrays.Write(path, [samples, 3, form.Height, form.Width],
                Inputs(Purpose.Calibration, draw).Take(samples).Select(s => (float[])s[form.Input].Values));
        return path;
    }

    protected override float[] Answer(IReadOnlyDictionary<string, NamedTensor> outputs) => Of(outputs);

    protected override IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Inputs(Purpose purpose, int draw)
    {
        var images = purpose switch
        {
            Purpose.Calibration => _pictures.Calibration(draw),
            Purpose.Validation => _pictures.Of(Split.Validation),
            _ => _pictures.Of(Split.Test),
        };
        int area = form.Width * form.Height;
        foreach (byte[] pixels in images.All())
        {
            byte[] sized = Resampling.Cover(pixels, Photographs.Side, Photographs.Side, 3, form.Width, form.Height);
            var values = new float[sized.Length];
            for (int i = 0; i < sized.Length; i++)
            {
                int c = form.BlueFirst ? 2 - (i % 3) : i % 3;
                values[(c * area) + (i / 3)] = (sized[i] - form.Mean[c]) / form.Deviation[c];
            }
            yield return new Dictionary<string, NamedTensor>
            {
                [form.Input] = new(form.Input, "float32", [1, 3, form.Height, form.Width], values),
            };
        }
    }
}
