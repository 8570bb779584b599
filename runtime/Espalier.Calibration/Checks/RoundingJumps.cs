using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration;

/// <summary>
/// Where a model is not continuous at its inputs: a peak that is compared with an equal neighbour falls to either side by rounding
/// alone. Such elements change when the inputs change in their last bits or when the kernels sum in another order; a
/// difference there says nothing about two models.
/// </summary>
internal static class RoundingJumps
{
    private const int Trials = 16;
    private const float Step = 2e-6f;

    /// <summary>Finds the elements; more than one in two hundred is no longer taken for rounding, and gives none.</summary>
    /// <param name="model">The model.</param>
    /// <param name="session">The same model, open.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">What it gave for them.</param>
    /// <param name="cancellationToken">Stops between two operators.</param>
    public static IReadOnlyDictionary<string, bool[]> Find(OnnxModel model, ModelSession session, IReadOnlyList<NamedTensor> inputs,
        IReadOnlyDictionary<string, NamedTensor> outputs, CancellationToken cancellationToken)
    {
        var before = outputs.Where(o => o.Value.ElementType != "string").ToDictionary(o => o.Key, o => OutputComparison.Doubles(o.Value), StringComparer.Ordinal);
        var jumps = before.ToDictionary(o => o.Key, o => new bool[o.Value.Length], StringComparer.Ordinal);
        using var plain = Sessions.Open(model, plain: true);
        var random = new Random(1);
        for (int trial = 0; trial < Trials; trial++)
        {
            List<NamedTensor> moved = [.. inputs.Select(i => i.Values is float[] values ? i with { Values = Array.ConvertAll(values, v => v * (1 + ((random.Next(3) - 1) * Step))) } : i)];
            var after = (trial % 2 == 0 ? plain : session).Run(moved, cancellationToken);
            foreach (var (name, expected) in before)
            {
                var actual = OutputComparison.Doubles(after[name]);
                if (actual.Length != expected.Length) continue;
                double largest = expected.Where(double.IsFinite).Select(Math.Abs).Append(OutputComparison.Floor).Max();
                for (int k = 0; k < actual.Length; k++) jumps[name][k] |= Math.Abs(actual[k] - expected[k]) > OracleResult.Rounding * largest;
            }
        }
        return jumps.Sum(j => j.Value.LongCount(b => b)) <= Math.Max(1, before.Sum(o => o.Value.LongLength) / 200) ? jumps : new Dictionary<string, bool[]>();
    }
}
