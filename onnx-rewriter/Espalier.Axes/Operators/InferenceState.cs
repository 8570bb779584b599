using Espalier.Axes.Graph;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Axes.Operators;

/// <summary>What inference collects on its way: marks, uses of sizes, records of nodes.</summary>
internal sealed class InferenceState
{
    public InferenceState(OnnxModel model) => (Model, Constants) = (model, new(this));

    /// <summary>Most segments of all concatenations together: a chain of n concatenations has n²/2.</summary>
    public const int MaxSegments = 1 << 20;

    public OnnxModel Model { get; }
    /// <summary>Segments of the concatenations so far.</summary>
    public int Segments { get; set; }
    /// <summary>Numbers that follow from constants of the file.</summary>
    public ConstantEvaluator Constants { get; }
    public Unifier Unifier { get; } = new();
    /// <summary>Names that some node or the graph reads.</summary>
    public required HashSet<string> Used { get; init; }
    public List<Mark> Frozen { get; } = [];
    public List<Mark> Inexact { get; } = [];
    public List<SizeUse> SizeUses { get; } = [];
    public List<AttributeUse> AttributeUses { get; } = [];
    public List<ScaleUse> ScaleUses { get; } = [];
    public List<IndexUse> IndexUses { get; } = [];
    public List<NodeRecord> Records { get; } = [];
    public List<(Role Role, Term Term)> Roles { get; } = [];
    /// <summary>Axes that Expand repeats: their elements do not depend on the index.</summary>
    public List<Term> Repeated { get; } = [];
    /// <summary>Axes of shared tables that a reader takes its own part of.</summary>
    public List<TakenAxis> Taken { get; } = [];
    /// <summary>Means over axes that may be pruned.</summary>
    public List<MeanUse> Means { get; } = [];
}
