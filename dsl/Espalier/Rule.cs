using System.Globalization;

namespace Espalier;

/// <summary>One rule of a policy as the generator resolved it against the model: the value of a rule property.</summary>
/// <param name="Name">Name of the property.</param>
/// <param name="Axis">What the rule removes.</param>
/// <param name="Groups">The groups that it prunes, in graph order; empty for a rule on depth.</param>
/// <param name="Blocks">The blocks that a rule on depth chooses from, in graph order; empty for a rule on units.</param>
/// <param name="AtMost">How many blocks a rule on depth removes; 0 for a rule on units.</param>
public sealed record Rule(string Name, Axis Axis, IReadOnlyList<PlannedGroup> Groups, IReadOnlyList<PlannedBlock> Blocks, int AtMost)
{
    /// <summary>The rule in one line.</summary>
    public override string ToString() => Blocks.Count > 0
        ? string.Create(CultureInfo.InvariantCulture,
            $"{Name}: drops {AtMost} of {Blocks.Count} {(Axis == Axis.Blocks ? "blocks" : "sublayers")}")
        : string.Create(CultureInfo.InvariantCulture,
            $"{Name}: {Groups.Count} groups, {Groups.Sum(g => (long)g.Before)} → "
                + $"{Range(Groups.Sum(g => (long)g.MinAfter), Groups.Sum(g => (long)g.MaxAfter))} units");

    internal static string Range(long least, long most) => least == most
        ? least.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{least}…{most}");
}

/// <summary>
/// One group of coupled units with its size before and after. A group inside a sublayer that is dropped goes with it, whatever
/// is stated here.
/// </summary>
/// <param name="Name">Name of the group.</param>
/// <param name="Kind">What its units are.</param>
/// <param name="Before">Units in the dense model.</param>
/// <param name="MinAfter">Fewest units that the slim model may have.</param>
/// <param name="MaxAfter">Most units that the slim model may have.</param>
/// <param name="Members">Weight axes that are coupled in it, as <c>tensor:axis</c>.</param>
public sealed record PlannedGroup(string Name, string Kind, int Before, int MinAfter, int MaxAfter, IReadOnlyList<string> Members)
{
    /// <summary>Units in the slim model; null where the scores decide it when the model is slimmed.</summary>
    public int? After => MinAfter == MaxAfter ? MinAfter : null;

    /// <summary>The group in one line.</summary>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Name}: {Before} → {Rule.Range(MinAfter, MaxAfter)}");
}

/// <summary>One residual sublayer or block.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsSublayer">True for one residual region; false for a block of several.</param>
/// <param name="Macs">Multiply-accumulates of it in the dense model.</param>
/// <param name="Parameters">Elements of its weights in the dense model.</param>
public sealed record PlannedBlock(string Name, bool IsSublayer, double Macs, double Parameters);
