using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Gates;

/// <summary>
/// The dense model with gates: one vector per group, one number per sublayer, each an input of the graph that is all ones unless it is
/// given. With the gates of a selection set it computes what <see cref="Surgery"/> would write, so that one session evaluates any choice
/// of units (the mask variables of Kwon et al., arXiv:2204.09656, and of FinerCut and SLEB for depth). Gates between 0 and 1 weigh.
/// <para>
/// What stays depends on what goes only through the sums over it (<see cref="Exactness.Exact"/>). So a gate stands in front of
/// every operand that is summed over a group's units, wherever that is: a matrix product, a mean, a root mean square, a
/// recurrence. No operator has a rule of its own here. A mean then divides by the dense number of units, as the slim model's does.
/// </para>
/// </summary>
internal sealed class GatedTwin : IDisposable
{
    private readonly AxisAnalysis _analysis;

    private GatedTwin(AxisAnalysis analysis, OnnxModel model, IReadOnlyDictionary<int, string> gates,
        IReadOnlyDictionary<int, string> sublayers, IReadOnlyDictionary<int, string> refused)
        => (_analysis, Model, Gates, Sublayers, Refused) = (analysis, model, gates, sublayers, refused);

    /// <summary>The twin; its weights are the dense model's, which must stay open.</summary>
    public OnnxModel Model { get; }

    /// <summary>Per group number, the input with one number per unit.</summary>
    public IReadOnlyDictionary<int, string> Gates { get; }

    /// <summary>Per number of a sublayer, the input with one number: 0 makes its output its input.</summary>
    public IReadOnlyDictionary<int, string> Sublayers { get; }

    /// <summary>Weights that can be given in the dense layout: those of the products that were asked for, and their biases.</summary>
    public IReadOnlySet<string> Weights { get; private init; } = new HashSet<string>();

    /// <summary>By number of a product without a bias, the bias of zeros that it has here and that can be given.</summary>
    public IReadOnlyDictionary<int, string> Biases { get; private init; } = new Dictionary<int, string>();

    /// <summary>Groups that have no gate, with tensor, operator and reason.</summary>
    public IReadOnlyDictionary<int, string> Refused { get; }

    /// <summary>Why a model has no twin; null where it has.</summary>
    public static string? Obstacle(AxisAnalysis analysis)
        => analysis.Model.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx") is { Version: < 7 and var version }
            ? $"The model uses operator set {version}, in which Mul does not broadcast: gates need operator set 7 or later. Convert the "
                + "model."
            : null;

    /// <summary>Builds the twin.</summary>
    /// <param name="analysis">The dense model's axes.</param>
    /// <param name="which">Groups that get a gate; null for all that can be pruned.</param>
    /// <param name="sublayers">Whether sublayers get gates.</param>
    /// <param name="fitted">Products whose weights and biases can be given too; null for none.</param>
    /// <exception cref="EspalierException">The model's operator set has no broadcasting.</exception>
    public static GatedTwin Build(AxisAnalysis analysis, Func<Group, bool>? which = null, bool sublayers = true,
        IReadOnlyCollection<Consumer>? fitted = null)
    {
        ArgumentNullException.ThrowIfNull(analysis);
        if (Obstacle(analysis) is { } obstacle) throw new EspalierException(obstacle);
        var groups = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen && which?.Invoke(g) != false).ToList();
        var (places, refused) = GatePlaces.Find(analysis, groups);
        var clone = analysis.Model.Proto.Clone();
        var writer = new GateWriter(new EditableGraph(analysis, clone), clone);
        var biases = new SortedDictionary<int, string>();
        foreach (var consumer in (fitted ?? []).Where(c => c is { Bias: null, HasComputedBias: false, BiasScale: not 0, Node.Scope: 0 }
            && (c.Kind == ConsumerKind.Convolution || !c.Batched)))
            biases[consumer.Id] = writer.Bias(consumer);
        var gates = new SortedDictionary<int, string>();
        foreach (var group in groups.Where(g => !refused.ContainsKey(g.Id)))
            gates[group.Id] = writer.Input($"gate/{group.Name}", group.Size);
        foreach (var place in places.Where(p => gates.ContainsKey(p.Group.Id)).GroupBy(p => (p.Record.Info.Ordinal, p.Operand))
            .OrderBy(p => p.Key))
            writer.Multiply([.. place], gates);
        var depth = new SortedDictionary<int, string>();
        foreach (var block in sublayers ? analysis.Blocks.Where(b => b.IsSublayer) : [])
        {
            depth[block.Id] = writer.Input($"gate/{block.Name}", 1);
            writer.Bypass(block, depth[block.Id]);
        }
        writer.Close();
        var weights = (fitted ?? []).Where(c => c.Node.Scope == 0).SelectMany(c => new[] { c.Parameter, c.Bias }).OfType<string>()
            .Concat(biases.Values).Select(writer.Open).OfType<string>().ToHashSet(StringComparer.Ordinal);
        return new(analysis, analysis.Model.Derive(clone), gates, depth, refused) { Weights = weights, Biases = biases };
    }

    /// <summary>
    /// The gates of a selection with changed weights, by input; null where one of these cannot be given, or a group has no gate
    /// or is not exact.
    /// </summary>
    public IReadOnlyDictionary<string, float[]>? Settings(Selection selection, WeightEdits edits)
    {
        if (edits.Factors.Count > 0 || !edits.Weights.Keys.All(Weights.Contains) || !edits.AddedBiases.Keys.All(HasBias)
            || selection.Kept.Any(k => k.Value.Length < _analysis.Groups[k.Key].Size
                && (!Gates.ContainsKey(k.Key) || _analysis.Groups[k.Key].Exactness != Exactness.Exact))) return null;
        var settings = new SortedDictionary<string, float[]>(Settings(selection).ToDictionary(), StringComparer.Ordinal);
        foreach (var (name, elements) in edits.Weights) settings[name] = elements;
        foreach (var (id, bias) in edits.AddedBiases) settings[Biases[id]] = bias;
        return settings;

        bool HasBias(int consumer) => Biases.TryGetValue(consumer, out string? name) && Weights.Contains(name);
    }

    /// <summary>The gates of a selection, by input; those that are all ones are left out.</summary>
    /// <exception cref="EspalierException">The selection prunes a group, or removes a block, that has no gate.</exception>
    public IReadOnlyDictionary<string, float[]> Settings(Selection selection)
    {
        ArgumentNullException.ThrowIfNull(selection);
        var settings = new SortedDictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var (id, units) in selection.Kept)
        {
            var group = _analysis.Groups[id];
            if (units.Length == group.Size) continue;
            if (!Gates.TryGetValue(id, out var name))
                throw new EspalierException(
                    $"Group '{group.Name}' has no gate. {Refused.GetValueOrDefault(id, group.Reason ?? "None was asked for.")}");
            var gate = settings[name] = new float[group.Size];
            foreach (int unit in units) gate[unit] = 1;
        }
        foreach (int sublayer in selection.RemovedBlocks.IsDefaultOrEmpty
            ? []
            : selection.RemovedBlocks.SelectMany(b => _analysis.Blocks[b].Sublayers))
            settings[Sublayers.TryGetValue(sublayer, out var name)
                ? name
                : throw new EspalierException($"Sublayer '{_analysis.Blocks[sublayer].Name}' has no gate: none was asked for.")] = [0];
        return settings;
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
