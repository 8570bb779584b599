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

    public override string Explained => $"Its answer to a sample is {Answered}. Mean cosine with the dense model's answer, and mean "
        + $"error: the norm of the difference over that of the dense answer. {Held} held-out samples, {Drawn} of calibration in a draw.";

    public override string? Missing() => Places.Models is null || !File.Exists(Model)
        ? $"There is no '{file}' in the folder of models, which ESPALIER_MODELS names."
        : Debian.Missing(Places);

    public override IReadOnlyList<Figure> Measure(OnnxModel slim, Split split)
    {
        using var dense = OnnxModel.Open(Model);
        using var first = Open(dense);
        using var second = Open(slim);
        var cosines = new List<double>();
        var errors = new List<double>();
        foreach (var sample in Inputs(split == Split.Test ? Purpose.Test : Purpose.Validation, 0).Take(Held))
        {
            float[] a = Answer(first.Run(sample.Values)), b = Answer(second.Run(sample.Values));
            double difference = Math.Sqrt(a.Zip(b, (x, y) => ((double)x - y) * ((double)x - y)).Sum());
            double norm = Math.Sqrt(a.Sum(x => (double)x * x));
            cosines.Add(Measures.Cosine(a, b));
            errors.Add(norm > 0 ? difference / norm : difference);
        }
        return [new("cosine", cosines.Average()), new("error", errors.Average())];
    }

    public override IReadOnlyDictionary<string, NamedTensor> TimingInputs(int batch) => Inputs(Purpose.Validation, 0).First();

    /// <summary>Samples as the model takes them; another draw has others.</summary>
    protected abstract IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Inputs(Purpose purpose, int draw);

    /// <summary>What of the outputs counts.</summary>
    protected abstract float[] Answer(IReadOnlyDictionary<string, NamedTensor> outputs);
}
