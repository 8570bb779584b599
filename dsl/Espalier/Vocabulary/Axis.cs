namespace Espalier;

/// <summary>The kinds of unit that the axis inference reads off a graph, and that a rule removes.</summary>
public enum Axis
{
    /// <summary>Output channels of convolutions, with everything that is coupled to them.</summary>
    Channels,
    /// <summary>Outputs of one matrix product that the next one contracts: feed-forward widths.</summary>
    Neurons,
    /// <summary>Attention heads; where attention is grouped, whole KV groups first, then query heads per group.</summary>
    Heads,
    /// <summary>KV groups of grouped-query attention, each with all of its query heads.</summary>
    KeyValueGroups,
    /// <summary>Dimensions of a head that the product of queries and keys contracts.</summary>
    HeadDims,
    /// <summary>Dimensions of a head that the values carry.</summary>
    ValueDims,
    /// <summary>Experts of a mixture that is evaluated densely.</summary>
    Experts,
    /// <summary>Hidden state of a recurrence (LSTM, GRU, RNN).</summary>
    HiddenState,
    /// <summary>Width of a residual stream; inexact where a normalisation runs over it.</summary>
    Width,
    /// <summary>Residual sublayers: one region between a residual stream and its Add.</summary>
    Sublayers,
    /// <summary>Whole blocks: an attention sublayer with the feed-forward that follows it, or one residual block.</summary>
    Blocks,
    /// <summary>Rows of a table that is read by data-dependent indices. Named in reports; no rule removes them.</summary>
    EmbeddingRows,
    /// <summary>Anything else that occurs in a weight. Named in reports; no rule removes it.</summary>
    Other,
}

/// <summary>What is known of one <see cref="Axis"/>.</summary>
/// <param name="Axis">The axis.</param>
/// <param name="Word">Its word on the command line; empty where no rule removes it.</param>
/// <param name="Plural">Its units as messages name them.</param>
/// <param name="Kinds">Kinds of group that a rule on it takes; none where no rule prunes it.</param>
internal sealed record AxisRow(Axis Axis, string Word, string Plural, IReadOnlyList<Axis> Kinds)
{
    /// <summary>What a rule of its own keeps a fraction of, as the help says it.</summary>
    public string Help { get; init; } = "";

    /// <summary>Whether the rules that a budget or one ratio for all makes on the command line are on it too.</summary>
    public bool IsUsual { get; init; }

    /// <summary>Whether a rule on depth drops it.</summary>
    public bool CanDrop { get; init; }

    /// <summary>What a number of units is followed by.</summary>
    public string Units { get; init; } = Plural;

    /// <summary>Whether a rule on units may name it.</summary>
    public bool CanPrune => Kinds.Count > 0;

    /// <summary>In the order of the help.</summary>
    public static IReadOnlyList<AxisRow> All { get; } =
    [
        new(Axis.Channels, "channels", "channels", [Axis.Channels])
            { IsUsual = true, Help = "Fraction of the output channels of convolutions to keep." },
        new(Axis.Neurons, "neurons", "neurons", [Axis.Neurons])
            { IsUsual = true, Help = "Fraction of the neurons of feed-forward layers to keep." },
        // Where attention is grouped, KV groups and their query heads are one rule: the fraction is that of all query heads.
        new(Axis.Heads, "heads", "heads", [Axis.Heads, Axis.KeyValueGroups])
        {
            IsUsual = true,
            Help = "Fraction of the attention heads to keep; where attention is grouped, of the query heads, whole KV groups first.",
        },
        new(Axis.Experts, "experts", "experts", [Axis.Experts])
            { IsUsual = true, Help = "Fraction of the experts of a mixture to keep." },
        new(Axis.HiddenState, "hidden", "hidden state", [Axis.HiddenState])
            { IsUsual = true, Help = "Fraction of the hidden state of LSTM, GRU and RNN to keep." },
        new(Axis.KeyValueGroups, "kv-groups", "KV groups", [Axis.KeyValueGroups])
            { Help = "Fraction of the KV groups of grouped attention to keep, with all of their query heads." },
        new(Axis.HeadDims, "head-dims", "head dimensions", [Axis.HeadDims])
        {
            Help = "Fraction of the dimensions that queries and keys have in a head to keep; the attention's scale stays what it was.",
        },
        new(Axis.ValueDims, "value-dims", "value dimensions", [Axis.ValueDims])
            { Help = "Fraction of the dimensions that values have in a head to keep." },
        new(Axis.Width, "width", "width", [Axis.Width])
        {
            Units = "units of width",
            Help = "Fraction of the width of the residual stream to keep; exact under root-mean-square norms, inexact under LayerNorm.",
        },
        new(Axis.Sublayers, "sublayers", "sublayers", [])
        {
            CanDrop = true,
            Help = "How many residual sublayers to remove: those that change their input least.",
        },
        new(Axis.Blocks, "blocks", "blocks", [])
        {
            CanDrop = true,
            Help = "How many whole residual blocks to remove: those that change their input least.",
        },
        new(Axis.EmbeddingRows, "", "embedding rows", []),
        new(Axis.Other, "", "other", []) { Units = "units" },
    ];

    /// <summary>The row of an axis.</summary>
    public static AxisRow Get(Axis axis) => All.First(row => row.Axis == axis);
}
