using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Plans;

/// <summary>What the parts of a plan must have measured; each adds its own, beside the code that reads it.</summary>
internal sealed class Requirements
{
    private readonly SortedSet<int> _consumers = [], _covariance = [], _blocks = [];
    private readonly List<UnitSignal> _signals = [];
    private readonly List<TensorAxis> _tensors = [];

    /// <summary>Whether something reads samples at all.</summary>
    public bool Data { get; set; }

    /// <summary>Whether something runs changed models.</summary>
    public bool Runs { get; set; }

    /// <summary>Whether moments are also wanted of rows that no fit sees.</summary>
    public bool HeldOut { get; set; }

    /// <summary>Whether mean angles of blocks are wanted, beside mean cosines.</summary>
    public bool BlockAngles { get; set; }

    /// <summary>Moments of what the consumers of groups contract.</summary>
    public void Consumers(IEnumerable<Group> groups) => Consumers(groups.SelectMany(g => g.Consumers));

    /// <summary>Moments of what consumers contract.</summary>
    public void Consumers(IEnumerable<Consumer> consumers) => _consumers.UnionWith(consumers.Select(c => c.Id));

    /// <summary>Covariance of what the consumers of groups contract.</summary>
    public void Covariance(IEnumerable<Group> groups) => Covariance(groups.SelectMany(g => g.Consumers));

    /// <summary>Covariance of what consumers contract.</summary>
    public void Covariance(IEnumerable<Consumer> consumers) => _covariance.UnionWith(consumers.Select(c => c.Id));

    /// <summary>Similarity of the inputs and outputs of blocks, by their numbers.</summary>
    public void Blocks(IEnumerable<int> blocks) => _blocks.UnionWith(blocks);

    /// <summary>Averages of activations that have one value per unit.</summary>
    public void Signals(IEnumerable<UnitSignal> signals) => _signals.AddRange(signals);

    /// <summary>Moments of activations along an axis.</summary>
    public void Tensors(IEnumerable<TensorAxis> tensors) => _tensors.AddRange(tensors);

    /// <summary>All of it; null where nothing needs calibration.</summary>
    public CalibrationRequest? ToRequest() => !Data && !Runs && _blocks.Count == 0 ? null : new CalibrationRequest
    {
        Consumers = _consumers,
        Covariance = _covariance,
        Blocks = _blocks,
        BlockAngles = BlockAngles,
        HeldOut = HeldOut,
        Signals = [.. _signals.Distinct()],
        Tensors = [.. _tensors.Distinct()],
    };
}
