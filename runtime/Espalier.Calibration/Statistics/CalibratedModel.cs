using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>A model and those of its consumers and blocks that can be asked about.</summary>
public sealed record CalibratedModel(OnnxModel Model, IReadOnlyList<Consumer> Consumers, IReadOnlyList<Block> Blocks)
{
    /// <summary>The consumers of prunable units, and products that contract none where they are asked for by number.</summary>
    internal static CalibratedModel Create(AxisAnalysis analysis, CalibrationRequest request)
    {
        var asked = request.Covariance.Concat(request.Consumers ?? new HashSet<int>()).Where(id => id >= analysis.Consumers.Count)
            .Distinct().Order();
        return new(analysis.Model, [.. analysis.Consumers, .. asked.Select(id => analysis.Products[id])], analysis.Blocks);
    }
}
