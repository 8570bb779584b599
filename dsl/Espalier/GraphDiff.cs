using System.Globalization;
using System.Text;

namespace Espalier;

/// <summary>What changed between two models, as a plain value with a stable text.</summary>
/// <param name="Tensors">Tensors whose shape changed, in the order of the dense model.</param>
/// <param name="RemovedNodes">Nodes that are gone, in the order of the dense model.</param>
/// <param name="AddedNodes">Nodes that are new, in the order of the slim model.</param>
/// <param name="ChangedNodes">Nodes with another attribute or input.</param>
public sealed record GraphDiff(
    IReadOnlyList<TensorChange> Tensors,
    IReadOnlyList<string> RemovedNodes,
    IReadOnlyList<string> AddedNodes,
    IReadOnlyList<NodeChange> ChangedNodes)
{
    /// <summary>No change.</summary>
    public static GraphDiff Empty { get; } = new([], [], [], []);

    /// <summary>
    /// The diff as text, fit for a snapshot: one line per change in the order of the model, <c>\n</c> between lines, the same
    /// text for the same diff.
    /// </summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Section(text, "tensors", Tensors, static t => (t.Before, t.After) switch
        {
            (null, var after) => $"+ {t.Name} {Shape(after)}",
            (var before, null) => $"- {t.Name} {Shape(before)}",
            var (before, after) when before.SequenceEqual(after) => $"~ {t.Name} {Shape(after)} other elements",
            var (before, after) => $"~ {t.Name} {Shape(before)} → {Shape(after)}",
        });
        Section(text, "removed nodes", RemovedNodes, static node => $"- {node}");
        Section(text, "added nodes", AddedNodes, static node => $"+ {node}");
        Section(text, "changed nodes", ChangedNodes, static change => $"~ {change.Node}: {change.What}");
        return text.Length == 0 ? "no change\n" : text.ToString();
    }

    private static string Shape(IReadOnlyList<long>? dims)
        => $"[{string.Join(", ", (dims ?? []).Select(d => d.ToString(CultureInfo.InvariantCulture)))}]";

    private static void Section<T>(StringBuilder text, string title, IReadOnlyList<T> entries, Func<T, string> line)
    {
        if (entries.Count == 0) return;
        text.Append(CultureInfo.InvariantCulture, $"{title} ({entries.Count})\n");
        foreach (var entry in entries) text.Append("  ").Append(line(entry)).Append('\n');
    }
}

/// <summary>One tensor with another shape or other elements.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Before">Shape in the dense model; null where it is new.</param>
/// <param name="After">Shape in the slim model; null where it is gone.</param>
public sealed record TensorChange(string Name, IReadOnlyList<long>? Before, IReadOnlyList<long>? After);

/// <summary>One node that changed.</summary>
/// <param name="Node">Operator and name.</param>
/// <param name="What">What changed, e.g. <c>group 96 → 48</c>.</param>
public sealed record NodeChange(string Node, string What);
