using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>A network of the folder of models that is judged by its answers: how near they are to the dense model's.</summary>
internal abstract class AnswerNetwork(Places places, string file) : RealNetwork(places)
{
    /// <summary>Samples of a draw, and held-out samples: these networks are small, and their inputs large.</summary>
    protected const int Drawn = 128, Held = 100;

    public override string Model => Path.Combine(Places.Models ?? "", file);

    public override Axis[] Axes => [Axis.Channels];

    public override int Samples => Drawn;

    public override IReadOnlyList<string> Figures => ["cosine", "error"];

    /// <summary>What a sample's answer is, for the page.</summary>
    protected abstract string Answered { get; }

    public override string Explained => $"Its answer to a sample is {Answered}. Cosine of all answers as one vector with the dense "
        + $"model's, and error: the norm of the differences over that of the dense answers. {Held} held-out "
        + $"samples, {Drawn} of calibration in a draw.";

    public override string? Missing() => Places.Models is null || !File.Exists(Model)
        ? $"There is no '{file}' in the folder of models, which ESPALIER_MODELS names."
        : Debian.Missing(Places);

    public override IReadOnlyList<Figure> Measure(OnnxModel slim, Split split)
    {
        using var dense = OnnxModel.Open(Model);
        using var first = Open(dense);
        using var second = Open(slim);
        // Of all answers together: those to samples in which there is nothing to be found are all but zero.
        double ab = 0, aa = 0, bb = 0;
        foreach (var sample in Inputs(split == Split.Test ? Purpose.Test : Purpose.Validation, 0).Take(Held))
            foreach (var (x, y) in Answer(first.Run(sample.Values)).Zip(Answer(second.Run(sample.Values))))
                (ab, aa, bb) = (ab + ((double)x * y), aa + ((double)x * x), bb + ((double)y * y));
        return [new("cosine", ab / Math.Sqrt(Math.Max(aa * bb, double.Epsilon))),
            new("error", Math.Sqrt(Math.Max(0, aa - (2 * ab) + bb) / Math.Max(aa, double.Epsilon)))];
    }

    public override IReadOnlyDictionary<string, NamedTensor> TimingInputs(int batch) => Inputs(Purpose.Validation, 0).First();

    /// <summary>Samples as the model takes them; another draw has others.</summary>
    protected abstract IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Inputs(Purpose purpose, int draw);

    /// <summary>What of the outputs counts.</summary>
    protected abstract float[] Answer(IReadOnlyDictionary<string, NamedTensor> outputs);
}
