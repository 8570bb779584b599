using Espalier.Onnx;

namespace Espalier.Cli.Steps;

/// <summary>The files of a model: the one that names it, and those that hold its external tensors.</summary>
internal static class ModelFiles
{
    /// <summary>Full paths, the model's own first.</summary>
    public static IReadOnlyList<string> List(string path)
    {
        using var model = OnnxModel.Open(path);
        return List(model);
    }

    /// <summary>The same of a model that is open.</summary>
    public static IReadOnlyList<string> List(OnnxModel model)
    {
        string path = model.Path!;
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
