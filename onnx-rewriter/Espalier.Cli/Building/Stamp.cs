using System.Security.Cryptography;
using System.Text;
using Espalier.Cli.Steps;

namespace Espalier.Cli.Building;

/// <summary>A hash of everything that a slim model depends on. Where it is the one of the last build, nothing is done.</summary>
internal static class Stamp
{
    /// <summary>The stamp of one policy.</summary>
    /// <param name="plan">The plan. Where its rules stand in the source does not matter: a line above them must not slim again.</param>
    /// <param name="request">The build's request. The code of the policy, references and declared inputs count only where the
    /// plan calls a method of the policy.</param>
    /// <param name="hashes">Of all files that count.</param>
    public static string Compute(PruningPlan plan, BuildModel model, BuildRequest request, FileHashes hashes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Text(string text)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(text));
            hash.AppendData([0]);
        }
        void Content(string path)
        {
            Text(Path.GetFileName(path));
            hash.AppendData(hashes.Of(path));
        }

        foreach (var version in StepResults.ToolVersions()) Text(version);
        Text(PlanContent.Of(plan));
        if (model.Axes.AllowInterface) Text("allowInterface");
        if (model.HoistInitializers) Text("hoistInitializers");
        foreach (var (name, size) in model.Axes.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal)) Text($"{name}={size}");
        foreach (var file in ModelFiles.List(model.Path)) Content(file);
        foreach (var file in NamedFiles.List(plan, request.Project)) Content(file);
        if (plan.Calibration?.Method is not null || plan.Recover?.Method is not null || plan.Prune.Any(r => r.ScoreMethod is not null))
        {
            CodeClosure.Append(request.Assembly!, plan.Policy, hash);
            foreach (var file in request.References.Concat(request.Inputs).Where(File.Exists).Order(StringComparer.Ordinal)) Content(file);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
