using System.Globalization;
using Espalier.Axes.Inference;
using Espalier.Cli.Host;
using Espalier.Cli.Steps;

namespace Espalier.Cli.Building;

/// <summary>A model of the project.</summary>
/// <param name="Name">The path that policies name it by, with <c>/</c>.</param>
/// <param name="Axes">Sizes of dynamic dimensions.</param>
internal sealed record BuildModel(string Name, string Path, AxisOptions Axes, bool HoistInitializers)
{
    /// <summary>Sees to it that the model is the one that the policy was written for, where the policy says which.</summary>
    /// <exception cref="EspalierException">It is another one.</exception>
    public void Identify(PruningPlan plan, FileHashes hashes)
    {
        if (plan.Sha256 is not { } stated) return;
        if (stated.Length < 8) throw new EspalierException($"Sha256 = \"{stated}\" has fewer than eight digits.");
        string actual = Convert.ToHexStringLower(hashes.Of(Path));
        if (!actual.StartsWith(stated, StringComparison.OrdinalIgnoreCase))
            throw new EspalierException($"'{plan.Model}' is not the model that the policy was written for: its SHA-256 is {actual}, "
                + $"and the policy has Sha256 = \"{stated}\". Put that model back, or look through the policy and write the new digits "
                + "into it.");
    }
}

/// <summary>What the build's targets ask for: a text file of <c>key=value</c> lines, since a command line cannot hold every path.</summary>
internal sealed class BuildRequest
{
    /// <summary>The compiled assembly; null where only a manifest is wanted.</summary>
    public string? Assembly { get; private set; }

    public string Project { get; private set; } = "";

    /// <summary>Folder for slim models, reports and diffs.</summary>
    public string? Output { get; private set; }

    /// <summary>Folder for results of steps, one for all configurations and frameworks; null for one in <see cref="Output"/>.</summary>
    public string? Cache { get; private set; }

    /// <summary>The manifest to write, of the only model; null where the assembly's policies are wanted.</summary>
    public string? Manifest { get; private set; }

    /// <summary>Whether a model package of ONNX Runtime is written for each policy.</summary>
    public bool Package { get; private set; }

    public List<BuildModel> Models { get; } = [];

    /// <summary>Assemblies that the compiled one needs to run.</summary>
    public List<string> References { get; } = [];

    /// <summary>Native libraries of the project's packages.</summary>
    public List<string> Natives { get; } = [];

    /// <summary>Files that calibration methods read.</summary>
    public List<string> Inputs { get; } = [];

    /// <summary>Files of the output that calibration methods may ask for, by their paths there: where the project has them.</summary>
    public Dictionary<string, string> Files { get; } = new(StringComparer.Ordinal);

    /// <exception cref="MalformedFileException">It is none.</exception>
    public static BuildRequest Read(string path)
    {
        var request = new BuildRequest();
        foreach (var line in File.ReadLines(path))
        {
            var at = line.IndexOf('=', StringComparison.Ordinal);
            if (at < 0) throw new MalformedFileException($"{path}: '{line}' is not key=value. Build the project again.");
            request.Set(line[..at], line[(at + 1)..], path);
        }
        return request;
    }

    private void Set(string key, string value, string path)
    {
        switch (key)
        {
            case "assembly": Assembly = value; break;
            case "project": Project = value; break;
            case "output": Output = value; break;
            case "cache": Cache = value; break;
            case "manifest": Manifest = value; break;
            case "package": Package = value == "true"; break;
            case "model": Models.Add(Model(value, path)); break;
            case "reference": References.Add(value); break;
            case "native": Natives.Add(value); break;
            case "input": Inputs.Add(value); break;
            case "file" when value.Split('|', 2) is [var name, var file]: Files[name] = file; break;
            default:
                throw new MalformedFileException(
                $"{path}: '{key}' is no key of a request. The targets and the tool are of different versions; restore the project again.");
        }
    }

    private static BuildModel Model(string value, string path)
    {
        var parts = value.Split('|', StringSplitOptions.TrimEntries);
        if (parts.Length < 2) throw new MalformedFileException($"{path}: '{value}' is not name|path|dimension=size…");
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        var flags = new HashSet<string>(StringComparer.Ordinal);
        foreach (var dimension in parts.Skip(2).Where(p => p.Length > 0))
        {
            // No dimension begins so: names of dimensions are identifiers.
            if (dimension[0] == '/')
            {
                if (dimension.EndsWith("=true", StringComparison.OrdinalIgnoreCase))
                    flags.Add(dimension[1..dimension.IndexOf('=', StringComparison.Ordinal)]);
                continue;
            }
            var at = dimension.LastIndexOf('=');
            if (at <= 0 || !long.TryParse(dimension.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture,
                out var size) || size < 1)
                throw new UsageException($"OnnxModel '{parts[0]}': Dimensions has '{dimension}'; expected name=size with a positive "
                    + "whole number, like batch=1;sequence=64.");
            sizes[dimension[..at]] = size;
        }
        return new BuildModel(parts[0], parts[1], new AxisOptions { Dimensions = sizes, AllowInterface = flags.Contains("allowInterface") },
            flags.Contains("hoistInitializers"));
    }
}
