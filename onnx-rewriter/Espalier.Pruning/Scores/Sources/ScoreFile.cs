using System.Text.Json;
using Espalier.Axes.Groups;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>Scores that were made elsewhere: a JSON object that maps names of groups to one number per unit.</summary>
internal sealed class ScoreFile
{
    private static readonly JsonDocumentOptions Options = new()
    {
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
        AllowDuplicateProperties = false
    };

    private readonly string _path;
    private readonly JsonElement _root;

    private ScoreFile(string path, JsonElement root) => (_path, _root) = (path, root);

    /// <summary>Reads a file.</summary>
    /// <exception cref="EspalierException">It cannot be read, or is no JSON object.</exception>
    public static ScoreFile Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new EspalierException($"The score file '{path}' is not a JSON object of group names and lists of numbers.");
            return new(path, document.RootElement.Clone());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new EspalierException($"The score file '{path}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The scores of a group's units.</summary>
    /// <exception cref="EspalierException">The group is missing, or has another number of scores, or one that is no number from
    /// 0 on.</exception>
    public double[] Of(Group group)
    {
        if (!_root.TryGetProperty(group.Name, out var list))
            throw new EspalierException(
                $"The score file '{_path}' has no scores for group '{group.Name}'. {Names()} 'espalier inspect' lists the groups.");
        if (list.ValueKind != JsonValueKind.Array)
            throw new EspalierException($"The score file '{_path}' has no list of numbers for group '{group.Name}'.");
        if (list.GetArrayLength() != group.Size)
            throw new EspalierException(FormattableString.Invariant(
                $"The score file '{_path}' has {list.GetArrayLength()} scores for group '{group.Name}', which has {group.Size} units."));
        var scores = new double[group.Size];
        for (int u = 0; u < scores.Length; u++)
        {
            var element = list[u];
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetDouble(out scores[u]) || !double.IsFinite(scores[u])
                || scores[u] < 0)
                throw new EspalierException(FormattableString.Invariant($"The score file '{_path}' has {element.GetRawText()} for unit ")
                    + FormattableString.Invariant($"{u} of group '{group.Name}': a score is a number from 0 on."));
        }
        return scores;
    }

    private string Names()
    {
        string[] names = [.. _root.EnumerateObject().Select(p => $"'{p.Name}'")];
        return names.Length == 0
            ? "It has none at all."
            : $"It has {string.Join(", ", names.Take(8))}{(names.Length > 8 ? $" and {names.Length - 8} more" : "")}.";
    }
}
