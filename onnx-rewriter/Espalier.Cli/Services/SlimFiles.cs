using System.Collections;
using Espalier.Cli.Pages;
using Espalier.Onnx;
using Espalier.Onnx.Files;
using Espalier.Pruning;
using Espalier.Pruning.Diffs;

namespace Espalier.Cli.Services;

/// <summary>
/// The files that slimming leaves, and how they are written: all are there under other names before the first gets its own, and the model
/// is the last, so that no failure leaves a model beside another's report.
/// </summary>
internal sealed class SlimFiles : IEnumerable<string>
{
    /// <summary>Extension of the diff for people.</summary>
    public const string TextExtension = ".diff.txt";

    /// <summary>Extension of the page for people.</summary>
    public const string PageExtension = ".report.html";

    public required string Model { get; init; }

    public string? Report { get; init; }

    /// <summary>The diff as JSON; null for none.</summary>
    public string? Diff { get; init; }

    /// <summary>The diff as text; null for none.</summary>
    public string? DiffText { get; init; }

    /// <summary>The report as a page; null for none.</summary>
    public string? Page { get; init; }

    /// <summary>What the build leaves for a policy.</summary>
    public static SlimFiles InFolder(string folder, string policy)
    {
        string File(string relative) => Path.Combine(folder, Path.GetFileName(relative));
        return new SlimFiles
        {
            Model = File(PolicyFiles.Model(policy)),
            Report = File(PolicyFiles.Report(policy)),
            Diff = File(PolicyFiles.Diff(policy)),
            DiffText = Path.Combine(folder, policy + TextExtension),
            Page = Path.Combine(folder, policy + PageExtension),
        };
    }

    /// <returns>Names of the files that belong beside the program: model, its external data, report and diff.</returns>
    public IReadOnlyList<string> Save(SlimResult slim, OnnxModel dense)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Model))!);
        foreach (string beside in new[] { Report, Diff, DiffText, Page }.OfType<string>())
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(beside))!);
        using var output = new OutputFiles();
        if (Report is not null) output.Add(Report, ReportJson.Serialize(slim.Report));
        if (Diff is not null || DiffText is not null || Page is not null)
        {
            var diff = GraphDiffer.Diff(dense, slim.Model);
            if (Diff is not null) output.Add(Diff, DiffJson.Serialize(diff));
            if (DiffText is not null) output.Add(DiffText, diff.ToString());
            if (Page is not null) output.Add(Page, ReportPage.Render([new(Named(slim.Report.Plan), slim.Report, diff)]));
        }
        return [.. slim.Model.Save(output, Model), .. new[] { Report, Diff }.OfType<string>().Select(f => Path.GetFileName(f))];
    }

    private string Named(PruningPlan plan) => plan.Policy.Length > 0 ? plan.Policy : Path.GetFileNameWithoutExtension(Model);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => new[] { Model, Report, Diff, DiffText, Page }.OfType<string>().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
