using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Espalier.Cli.Host;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;

namespace Espalier.Cli.Building;

/// <summary>
/// A model package of ONNX Runtime: a folder with <c>manifest.json</c> and a folder per variant, of which the runtime opens one. Ours
/// has the slim model, and the dense one behind it; of two that fit equally the runtime takes the first.
/// </summary>
/// <remarks>Schema 1.0, as <c>model_package/README.md</c> of microsoft/onnxruntime states it.</remarks>
internal static class ModelPackage
{
    /// <summary>What the name of a package's folder ends with.</summary>
    public const string Extension = ".package";

    private const string Manifest = "manifest.json";

    /// <summary>Writes the package of a policy. What is there already and has not changed stays.</summary>
    /// <param name="output">The folder of the slim model.</param>
    /// <param name="made">Names of the policy's files there: model, external data, report, diff.</param>
    /// <returns>Names of the package's files in that folder, with <c>/</c>.</returns>
    public static IReadOnlyList<string> Write(string output, PruningPlan plan, BuildModel model, IReadOnlyList<string> made)
    {
        string folder = plan.Policy + Extension, dense = Path.GetDirectoryName(Path.GetFullPath(model.Path))!;
        string slimModel = Path.GetFileName(PolicyFiles.Model(plan.Policy)), denseModel = Path.GetFileName(model.Path);
        var report = ReportJson.Parse(File.ReadAllText(Path.Combine(output, Path.GetFileName(PolicyFiles.Report(plan.Policy)))));
        var written = new List<string>();
        void Copy(string from, string to)
        {
            written.Add($"{folder}/{to.Replace('\\', '/')}");
            AtomicFile.CopyIfDifferent(from, Path.Combine(output, folder, to));
        }
        foreach (string file in made.Where(f => !f.EndsWith(".json", StringComparison.Ordinal)))
            Copy(Path.Combine(output, file), Path.Combine("slim", file));
        foreach (string file in ModelFiles.List(model.Path))
            Copy(file, Path.Combine("dense", Path.GetRelativePath(dense, file)));
        var manifest = new JsonObject
        {
            ["schema_version"] = "1.0",
            ["package_name"] = plan.Policy,
            ["description"] = $"'{model.Name}', slimmed by the policy {plan.Policy}, and as it was.",
            ["layout"] = "portable",
            ["components"] = new JsonObject
            {
                ["model"] = new JsonObject
                {
                    ["variants"] = new JsonObject
                    {
                        ["slim"] = Variant("slim", slimModel, report.After),
                        ["dense"] = Variant("dense", denseModel, report.Before),
                    },
                },
            },
        };
        AtomicFile.WriteAllText(Path.Combine(output, folder, Manifest), JsonText(manifest));
        return [.. written, $"{folder}/{Manifest}"];
    }

    private static JsonObject Variant(string directory, string model, ModelCost cost) => new()
    {
        ["variant_directory"] = directory,
        ["ep"] = "CPUExecutionProvider",
        ["executor_info"] = new JsonObject { ["ort"] = new JsonObject { ["model_file"] = model } },
        ["additional_metadata"] = new JsonObject { ["macs"] = cost.Macs, ["parameters"] = cost.Parameters, ["bytes"] = cost.Bytes },
    };

    private static string JsonText(JsonObject value)
        => value.ToJsonString(new()
        {
            WriteIndented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }) + "\n";
}
