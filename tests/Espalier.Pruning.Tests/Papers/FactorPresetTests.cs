using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that make keys, or keys and values, smaller, from their papers' formulas.</summary>
public sealed class FactorPresetTests
{
    /// <summary>
    /// CSKV (arXiv:2409.10593) in the closed form of SVD-LLM (arXiv:2403.07378): the weights of keys and values become products of rank
    /// r with the least E‖x W − x W'‖², W' = S⁻ᵀ [Sᵀ W]_r for E[xᵀx] = S Sᵀ and the best approximation of rank r of a matrix.
    /// </summary>
    [Theory]
    [InlineData(61, 2)]
    [InlineData(62, 4)]
    public void CSKV(int seed, int rank)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes();
        foreach (string name in Enumerable.Range(0, TwiceWritten.Blocks).SelectMany(b => new[] { $"b{b}.k", $"b{b}.v" }))
        {
            var x = dense.Rows($"{name} in");
            var root = (x.TransposeThisAndMultiply(x) / x.RowCount).Cholesky().Factor.Transpose();
            var svd = (root * network.Weight(name)).Svd();
            var best = svd.U.SubMatrix(0, svd.U.RowCount, 0, rank) * Matrix<double>.Build.DenseOfDiagonalVector(svd.S.SubVector(0, rank))
                * svd.VT.SubMatrix(0, rank, 0, svd.VT.ColumnCount);
            expected.Weights[name] = root.Inverse() * best;
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Cskv,
            plan: new() { LowRank = [new() { Of = ProductKind.KeysAndValues, Rank = rank }] }), expected);
    }

    /// <summary>
    /// ThinK (arXiv:2407.21018): dimension j of a head counts by ‖q_j‖ ‖k_j‖, and each head keeps its own. Here squared, over all
    /// calibration tokens.
    /// </summary>
    [Theory]
    [InlineData(63, 0.5)]
    [InlineData(64, 0.75)]
    public void ThinK(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes();
        for (int b = 0; b < TwiceWritten.Blocks; b++)
        {
            double Square(string name, int f) => dense.Rows($"{name} product").Column(f).Average(v => v * v);
            int[][] kept = [.. Enumerable.Range(0, TwiceWritten.Heads).Select(h => PresetRun.Best(
                [.. Enumerable.Range(h * TwiceWritten.Dim, TwiceWritten.Dim).Select(f => Square($"b{b}.q", f) * Square($"b{b}.k", f))],
                PresetRun.Rounded(keep * TwiceWritten.Dim)))];
            expected.Weights[$"b{b}.q"] = network.Weight($"b{b}.q")
                .MapIndexed((_, f, w) => kept[f / TwiceWritten.Dim].Contains(f % TwiceWritten.Dim) ? w : 0);
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.ThinKStatic, keep: keep, axis: Axis.HeadDims), expected);
    }
}
