using Espalier.Axes;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Operators.Table;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>
/// Scale and shift of a normalisation, or of a product with a constant vector, that a matrix product reads, fitted feature by
/// feature to what it gave in the dense model: with n what is normalised, z = γ∘n + β and x the dense output, least squares has
/// γ' = aγ and β' = aβ + b, a = cov(x, z)/var(z), b = E[x] − aE[z]; without a shift a = E[xz]/E[z²]. What PERP
/// (arXiv:2312.15230) trains of a normalisation, in closed form. Batch norms are measured anew instead (<see cref="NormStatistics"/>).
/// </summary>
/// <param name="Ordinal">Place of the node that scales.</param>
/// <param name="Consumer">A product that reads the result.</param>
/// <param name="Scale">Weight that holds γ.</param>
/// <param name="Shift">Weight that holds β; null without.</param>
internal sealed record NormAffine(int Ordinal, Consumer Consumer, string Scale, string? Shift)
{
    /// <summary>All of them in graph order, each once.</summary>
    /// <param name="analysis">The dense model's axes.</param>
    /// <param name="weights">Its weights: what others read too is left alone.</param>
    public static IEnumerable<NormAffine> Find(AxisAnalysis analysis, WeightTable weights)
    {
        var producers = analysis.State.Records.Where(r => r.Info.Scope == 0)
            .SelectMany(r => r.Outputs.Take(1).Select(o => (o.Name, Record: r)))
            .ToDictionary(p => p.Name, p => p.Record, StringComparer.Ordinal);
        return analysis.Consumers.Where(c => c is { Kind: ConsumerKind.MatrixProduct, Batched: false, Node.Scope: 0 })
            .DistinctBy(c => c.Activation).Select(Before).OfType<NormAffine>().OrderBy(n => n.Ordinal);

        NormAffine? Before(Consumer reader)
        {
            if (!producers.TryGetValue(reader.Activation, out var record)) return null;
            if (record.Info.Proto.OpType != "BatchNormalization" && OperatorTable.AffineOf(record.Info.Proto) is var (at, added))
                return Own(record.Inputs.ElementAtOrDefault(at)) is { } gamma
                    ? new(record.Info.Ordinal, reader, gamma, added < 0 ? null : Own(record.Inputs.ElementAtOrDefault(added)))
                    : null;
            string? shift = null;
            if (record.Info.Proto.OpType == "Add" && Operands(record) is var (beta, scaled))
            {
                shift = beta;
                if (!producers.TryGetValue(scaled, out record)) return null;
            }
            return record.Info.Proto.OpType == "Mul" && Operands(record) is var (scale, _)
                ? new(record.Info.Ordinal, reader, scale, shift)
                : null;

            string? Own(TensorState? operand)
                => operand is { Source: null, IsParameter: true } && weights.IsMeasurable(operand.Name)
                    && !weights.IsQuantized(operand.Name) && weights.Uses(operand.Name) == 1
                && weights.Shape(operand.Name) is { } shape && shape.Aggregate(1L, (a, b) => a * b) == reader.Contracted.Size
                && shape[^1] == reader.Contracted.Size ? operand.Name : null;

            (string Weight, string Other)? Operands(NodeRecord record) => record.Inputs is not [{ } left, { } right] ? null
                : Own(left) is { } first ? (first, right.Name) : Own(right) is { } second ? (second, left.Name) : null;
        }
    }

    /// <summary>The fitted vectors, in the dense layout.</summary>
    /// <param name="seen">What it gives now, with the error against the dense model.</param>
    /// <param name="kept">Features that are left, ascending.</param>
    /// <param name="weights">The dense model's weights.</param>
    /// <returns>By name of the weight; null where the numbers of features do not agree.</returns>
    public IReadOnlyDictionary<string, float[]>? Fit(ErrorStatistics seen, int[] kept, WeightTable weights)
    {
        int k = kept.Length;
        float[] gamma = weights.Floats(Scale);
        float[]? beta = Shift is null ? null : weights.Floats(Shift);
        if (seen.InputMean.Length != k || seen.ErrorMean.Length != k) return null;
        for (int i = 0; i < k; i++)
        {
            double z = seen.InputMean[i], x = z + seen.ErrorMean[i], square = beta is null ? z * z : 0, cross = beta is null ? x * z : 0;
            double plain = seen.Covariance[i, i], variance = plain + square;
            double ratio = (seen.Cross[(i * k) + i] + plain + cross) / variance;
            // What hardly varies any more has nothing that a scale could bring back.
            double a = variance > 0 && Math.Abs(ratio) <= Rescale.Largest ? ratio : 1;
            gamma[kept[i]] = (float)(a * gamma[kept[i]]);
            if (beta is not null) beta[kept[i]] = (float)((a * beta[kept[i]]) + x - (a * z));
        }
        var fitted = new Dictionary<string, float[]> { [Scale] = weights.Elements(Scale, gamma) };
        if (beta is not null) fitted[Shift!] = weights.Elements(Shift!, beta);
        return fitted;
    }
}
