using Espalier.Onnx;
using Espalier.Runtime;
using Google.Protobuf.Collections;

namespace Espalier.Evaluation.Real;

/// <summary>ResNet-18 of ImageNet without its last layer: images to 512 features.</summary>
internal sealed class Features(Places places) : RealNetwork(places)
{
    private readonly Pictures _pictures = new(places);

    public override string Name => "resnet18";

    public override string Title => "ResNet-18 of ImageNet, its 512 features";

    public override string Explained => "Features of 300 parts of photographs against the dense model's: mean cosine, the same after the "
        + "mean of all features is taken off (centred), and the share of the dense model's ten nearest neighbours, of other "
        + "photographs, that stay among the ten nearest (r10). Agreement and accuracy: a linear head, fitted once by ridge regression "
        + "to the dense model's features of cut-outs of eight kinds of things on photographs, predicts the kind of other cut-outs on "
        + "other photographs from the slim model's features; agreement is with its prediction from the dense ones. Calibration: 1,000 "
        + "parts of photographs in a draw; draws have other parts of the same photographs. The file fixes the batch to 1; for times "
        + "it is opened.";

    public override string Model => Packaged.Features(Places);

    public override Axis[] Axes => [Axis.Channels];

    public override int Samples => Pictures.Draw;

    public override int Draws => Pictures.Draws;

    public override IReadOnlyList<string> Figures => ["agreement", "cosine", "centred", "r10", "accuracy"];

    public override bool TakesBatches => true;

    public override string? Missing() => Packaged.Missing(Places) ?? Debian.Missing(Places);

    public override string Calibration(int samples, int draw)
    {
        if (samples > Pictures.Draw || draw >= Pictures.Draws)
            throw new EspalierException(FormattableString.Invariant($"There are {Pictures.Draws} draws of {Pictures.Draw} images."));
        string path = Places.Made("calibration", FormattableString.Invariant($"resnet18-{samples}-{draw}.npy"));
        if (File.Exists(path)) return path;
        Arrays.Write(path, [samples, 3, Photographs.Side, Photographs.Side], Prepared(_pictures.Calibration(draw)).Take(samples));
        return path;
    }

    public override IReadOnlyList<Figure> Measure(OnnxModel slim, Split split)
    {
        string kind = split.ToString().ToLowerInvariant();
        var photographs = _pictures.Of(split);
        var (labelled, labels) = _pictures.Labelled(split);
        var (training, trainingLabels) = _pictures.Training();
        var head = RidgeHead.Fit(Remembered("training", training), trainingLabels, Stamps.Count);
        var (dense, now) = (Remembered(kind, photographs), Extract(slim, photographs));
        int[] before = head.Predict(Remembered(kind + "-labelled", labelled)), after = head.Predict(Extract(slim, labelled));
        return [new("agreement", Measures.Equal(after, before)), new("cosine", Measures.Cosine(dense, now)),
            new("centred", Measures.CentredCosine(dense, now)),
            new("r10", Measures.NeighbourRecall(dense, now, sources: _pictures.Sources(split))),
            new("accuracy", Measures.Equal(after, labels))];
    }

    public override IReadOnlyDictionary<string, NamedTensor> TimingInputs(int batch)
    {
        float[] image = Prepared(_pictures.Of(Split.Validation)).First();
        float[] values = [.. Enumerable.Repeat(image, batch).SelectMany(v => v)];
        return new Dictionary<string, NamedTensor> { [Input] = Tensor(Input, batch, values) };
    }

    /// <summary>The file says a batch of one, but no operator of it does.</summary>
    public override OnnxModel ForBatches(OnnxModel model)
    {
        var proto = model.Proto.Clone();
        foreach (RepeatedField<ValueInfoProto> values in new[] { proto.Graph.Input, proto.Graph.Output })
            foreach (var value in values)
                if (value.Type?.TensorType?.Shape is { Dim: [{ HasDimValue: true, DimValue: 1 }, ..] } shape)
                    shape.Dim[0] = new TensorShapeProto.Types.Dimension { DimParam = "batch" };
        proto.Graph.ValueInfo.Clear();
        return model.Derive(proto);
    }

    private const string Input = "Input247";

    private float[][] Remembered(string kind, Images images)
        => Remembered(kind, File.ReadAllBytes(images.Path), dense => Extract(dense, images));

    private float[][] Extract(OnnxModel model, Images images)
    {
        using var session = Open(model);
        return [.. Prepared(images).Select(v => (float[])session.Run([Tensor(Input, 1, v)]).Values.Single().Values)];
    }

    /// <summary>Images as the network takes them: what the package's own model for that makes of them.</summary>
    private IEnumerable<float[]> Prepared(Images images)
    {
        using var session = new ModelSession(Packaged.Preprocessing(Places));
        string input = session.Inputs.Single().Name;
        foreach (byte[] pixels in images.All())
        {
            var values = new float[pixels.Length];
            for (int i = 0; i < pixels.Length; i++) values[(i % 3 * (pixels.Length / 3)) + (i / 3)] = pixels[i];
            yield return (float[])session.Run([Tensor(input, 1, values)]).Values.Single().Values;
        }
    }

    private static NamedTensor Tensor(string name, int batch, float[] values)
        => new(name, "float32", [batch, 3, Photographs.Side, Photographs.Side], values);
}
