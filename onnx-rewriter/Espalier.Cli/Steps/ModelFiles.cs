using System.Security.Cryptography;
using Espalier.Onnx;

namespace Espalier.Cli.Steps;

/// <summary>The files of a model: the one that names it, and those that hold its external tensors.</summary>
internal static class ModelFiles
{
    /// <summary>Sees to it that the model is the one that the policy was written for, where the policy says which.</summary>
    /// <exception cref="EspalierException">It is another one.</exception>
    public static void Identify(BuildModel model, PruningPlan plan)
    {
        if (plan.Sha256 is not { } stated) return;
        if (stated.Length < 8) throw new EspalierException($"Sha256 = \"{stated}\" has fewer than eight digits.");
        using var file = FolderLock.OpenRead(model.Path);
        string actual = Convert.ToHexStringLower(SHA256.HashData(file));
        if (!actual.StartsWith(stated, StringComparison.OrdinalIgnoreCase))
            throw new EspalierException($"'{plan.Model}' is not the model that the policy was written for: its SHA-256 is {actual}, "
                + $"and the policy has Sha256 = \"{stated}\". Put that model back, or look through the policy and write the new digits "
                + "into it.");
    }

    /// <summary>Full paths, the model's own first.</summary>
    public static IReadOnlyList<string> List(string path)
    {
        using var model = OnnxModel.Open(path);
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        var external = model.Proto.Graph.Initializer
            .Where(t => t.DataLocation == TensorProto.Types.DataLocation.External)
            .SelectMany(t => t.ExternalData.Where(e => e.Key == "location")
                .Select(e => System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, e.Value))))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .Where(File.Exists);
        return [path, .. external];
    }
}
