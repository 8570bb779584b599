using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Checks;

/// <summary>
/// How far a model is from itself by rounding alone: its inputs change in their last bits, and its kernels sum in another
/// order. A peak that is compared with an equal neighbour falls to either side, and a network far outside of what it was
/// trained on magnifies the last bit a thousandfold. A difference of that size says nothing about two models.
/// </summary>
internal static class RoundingNoise
{
    private const int Trials = 12;
    private const float Step = 4e-6f;

    /// <param name="session">The same model, open.</param>
    /// <param name="outputs">What it gave for them: the outputs that are asked about.</param>
    /// <param name="tolerance">What counts as a change.</param>
    /// <returns>Per output the greatest relative change, and how many elements changed by more than <paramref name="tolerance"/>.</returns>
    public static IReadOnlyDictionary<string, (double Greatest, int Moved)> Measure(OnnxModel model, ModelSession session,
        IReadOnlyList<NamedTensor> inputs,
        IReadOnlyDictionary<string, NamedTensor> outputs, double tolerance, CancellationToken cancellationToken)
    {
        var greatest = outputs.Keys.ToDictionary(o => o, _ => 0.0, StringComparer.Ordinal);
        var moved = outputs.ToDictionary(o => o.Key, o => new HashSet<int>(), StringComparer.Ordinal);
        string[] names = [.. outputs.Keys];
        using var plain = Sessions.Open(model, plain: true);
        var random = new Random(1);
        for (int trial = 0; trial < Trials; trial++)
        {
            List<NamedTensor> changed = [.. inputs.Select(i => i.Values is float[] values
                ? i with { Values = Array.ConvertAll(values, v => v * (1 + ((random.Next(3) - 1) * Step))) }
                : i)];
            var after = (trial % 2 == 0 ? plain : session).Run(changed, names, cancellationToken);
            foreach (var (name, expected) in outputs)
            {
                double error = OutputComparison.RelativeError(expected, after[name]);
                if (!double.IsFinite(error)) continue;
                greatest[name] = Math.Max(greatest[name], error);
                moved[name].UnionWith(OutputComparison.Beyond(expected, after[name], tolerance));
            }
        }
        return outputs.Keys.ToDictionary(o => o, o => (greatest[o], moved[o].Count), StringComparer.Ordinal);
    }
}
