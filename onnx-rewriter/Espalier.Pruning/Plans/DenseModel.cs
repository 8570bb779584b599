using Espalier.Axes;
using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Plans;

/// <summary>The dense model's axes with what is looked up in its graph again and again: each is found once.</summary>
internal sealed class DenseModel(AxisAnalysis analysis)
{
    public AxisAnalysis Analysis { get; } = analysis;

    public WeightTable Weights => field ??= new(Analysis);

    public UnitPlaces Places => field ??= new(Analysis);
}
