using System.Reflection;
using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Results;
using Espalier.Onnx;
using Espalier.Pruning;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Cli.Steps;

/// <summary>
/// Statistics and divergences that are kept from one run of the tool to the next, by all that they depend on: a changed budget, guard or
/// ratio measures nothing again that it does not change. What is read is bit for bit what would be measured.
/// </summary>
/// <param name="hashes">Of the model's files, where somebody knows them already.</param>
internal sealed class StepResults(string folder, FileHashes? hashes = null)
{
    /// <summary>Assemblies whose code makes slim models.</summary>
    private static readonly string[] Tool = ["Espalier.Abstractions", "Espalier.Onnx", "Espalier.Axes", "Espalier.Gradients",
        "Espalier.Pruning", "Espalier.Runtime", "Espalier.Calibration", "Espalier.Cli"];

    private readonly FileHashes _hashes = hashes ?? new(File.OpenRead);

    public ResultFolder Folder { get; } = new(folder);

    /// <summary>What was found, in words; null where nothing was.</summary>
    public string? Reused => Folder.Reused.Count > 0 ? string.Join(", ", Folder.Reused) : null;

    /// <summary>
    /// Identities of the code that makes the model. Builds are deterministic, so they change with the code and with nothing else.
    /// </summary>
    public static IEnumerable<string> ToolVersions()
        => Tool.Select(name => Assembly.Load(name).ManifestModule.ModuleVersionId.ToString());

    /// <summary>
    /// What every result on some samples depends on: the tool, ONNX Runtime, the machine's cores, the model and the samples.
    /// </summary>
    public string KeyOf(AxisAnalysis analysis, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        using var hash = new ContentHash();
        foreach (string version in ToolVersions()) hash.Add(version);
        hash.Add(OrtEnv.Instance().GetVersionString()).Add(Environment.ProcessorCount);
        foreach (string file in ModelFiles.List(analysis.File)) hash.Add(Convert.ToHexStringLower(_hashes.Of(file)));
        hash.Add(analysis.Options.AllowInterface ? "interface" : "");
        foreach (var (name, size) in analysis.Options.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal)) hash.Add(name).Add(size);
        return hash.Add(samples).ToText();
    }

    /// <summary>Statistics that are known, or those that are measured now.</summary>
    /// <param name="key">See <see cref="KeyOf"/>.</param>
    public CalibrationStatistics Statistics(string key, CalibrationRequest request, Func<CalibrationStatistics> measure)
    {
        string name = "statistics-" + NameOf(key, request);
        if (Folder.Read(name, reader => StatisticsFormat.Read(reader, request)) is { } known)
        {
            Folder.Note(FormattableString.Invariant($"statistics of {known.Samples} samples"));
            return known;
        }
        var measured = measure();
        Folder.Write(name, StatisticsFormat.Size(measured), writer => StatisticsFormat.Write(writer, measured, request));
        return measured;
    }

    /// <summary>
    /// The slim model that this plan gave before, whatever its guard was, or the one that is made now. One that was refused by its guard
    /// is kept too: what is changed then is the guard.
    /// </summary>
    /// <param name="key">See <see cref="KeyOf"/>.</param>
    /// <param name="plan">The plan with what it leaves open written down.</param>
    public SlimResult Slim(string key, PruningPlan plan, OnnxModel dense, Func<SlimResult> make)
        => Kept("slim-" + NameOf(key, plan with { Recover = null }), "the slim model with its fits", plan, dense, make);

    /// <summary>The model that training made of it before, or the one that is trained now.</summary>
    /// <param name="samples">What is trained on.</param>
    public SlimResult Trained(string key, PruningPlan plan, OnnxModel dense,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, Func<SlimResult> make)
    {
        using var hash = new ContentHash();
        return Kept("trained-" + hash.Add(NameOf(key, plan)).Add(samples).ToText(), "the trained model", plan, dense, make);
    }

    private SlimResult Kept(string name, string what, PruningPlan plan, OnnxModel dense, Func<SlimResult> make)
    {
        // What these read is not in the key.
        bool readsMore = plan.DivergenceMetric == Metric.TaskLoss
            || plan.Prune.Any(r => r.ScoreFile is not null || r.ScoreMethod is not null);
        // A model with files of weights beside it may be too large for one.
        if (readsMore || ModelFiles.List(dense).Count > 1) return make();
        if (Folder.Read(name, Read) is { } known)
        {
            Folder.Note(what);
            return known with { Report = known.Report with { Plan = plan } };
        }
        var made = make();
        if (made.Model == dense) return made;
        Folder.Write(name, made.Model.ByteLength, writer =>
        {
            writer.Write(ReportJson.Serialize(made.Report));
            byte[] model = made.Model.ToBytes();
            writer.Write(model.Length);
            writer.Write(model);
        });
        return made;
    }

    /// <summary>
    /// How near a choice was to the dense model after one quick fit, by the plan without its guard and by what it was measured on; null
    /// where nobody looked.
    /// </summary>
    public double? Foreseen(string key, PruningPlan plan, string on)
        => Folder.Read(NameOf(key, plan, on), reader => (object)reader.ReadDouble()) as double?;

    /// <summary>Keeps it, so that a guard that is out of reach is refused at once when nothing has changed.</summary>
    public void KeepForeseen(string key, PruningPlan plan, string on, double value)
        => Folder.Write(NameOf(key, plan, on), sizeof(double), writer => writer.Write(value));

    private static string NameOf(string key, PruningPlan plan, string on)
    {
        using var hash = new ContentHash();
        return "foreseen-" + hash.Add(NameOf(key, plan)).Add(on).ToText();
    }

    private static SlimResult Read(BinaryReader reader)
    {
        var report = ReportJson.Parse(reader.ReadString());
        return new(OnnxModel.Parse(reader.ReadBytes(reader.ReadInt32())), report);
    }

    private static string NameOf(string key, PruningPlan plan)
    {
        using var hash = new ContentHash();
        return hash.Add(key).Add(PlanContent.Of(plan with { Guard = null })).ToText();
    }

    private static string NameOf(string key, CalibrationRequest request)
    {
        using var hash = new ContentHash();
        hash.Add(key).Add(request.Consumers).Add(request.Covariance).Add(request.HeldOut ? "held out" : "").Add(request.Blocks)
            .Add(request.BlockAngles ? "angles" : "");
        foreach (var s in request.Signals)
            hash.Add(s.Tensor).Add(s.Group).Add(s.Axis).Add(s.Kind.ToString()).Add(s.IsDistribution ? "distribution" : "").Add(s.Chosen);
        foreach (var t in request.Tensors) hash.Add(t.Tensor).Add(t.Axis).Add(t.Within);
        return hash.ToText();
    }
}
