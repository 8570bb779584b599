#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>The presets' methods.</summary>
internal static partial class Presets
{
    private static readonly Dictionary<Preset, PruningMethod> Methods = new()
    {
        [Preset.Best] = new("Best",
            "optimal brain scores on whole units and the error database of ZipLM (arXiv:2302.04089) with the divergence of the "
                + "outputs as error; least squares, layer by layer",
            Criterion.OptimalBrain, Compensation.LeastSquares, Allocation.Divergence, Schedule.Sequential)
        { DepthScore = Criterion.OutputDivergence },
        [Preset.Magnitude] = new("Magnitude", "Li et al. 2017, arXiv:1608.08710, over coupled weights",
            Criterion.L2, Compensation.None, Allocation.Uniform),
        [Preset.GlobalMagnitude] = new("Global MP",
            "arXiv:2209.14624, on structures: one threshold on magnitudes, with a floor for every layer",
            Criterion.L1, Compensation.None, Allocation.GlobalMagnitude),
        [Preset.Spa] = new("SPA",
            "arXiv:2403.18955: L1 norms of coupled weights, summed, divided by their mean in the group and compared over all groups; "
                + "its other criteria need gradients",
            Criterion.L1, Compensation.None, Allocation.Normalized),
        [Preset.Obspa] = Obspa("OBSPA", "with calibration data, or without them on random inputs", InputSource.Data),
        [Preset.Flap] = new("FLAP",
            "arXiv:2312.11983: WIFV, squared for heads, standardised per layer, one threshold at the share of the cost that stays, biases "
                + "that keep the mean; here population variances over all rows, a budget that is never exceeded, and of grouped "
                + "attention KV groups and query heads by the product of their scores",
            Criterion.WeightedFluctuation, Compensation.Bias, Allocation.Standardized),
        [Preset.WandaSp] = new("Wanda-sp", "arXiv:2306.11695 on structures, as in FLAP (arXiv:2312.11983)",
            Criterion.Wanda, Compensation.None, Allocation.Uniform),
        [Preset.Fasp] = new("FASP", "arXiv:2501.09412: Wanda on whole columns, then one refit in closed form",
            Criterion.Wanda, Compensation.LeastSquares, Allocation.Uniform),
        [Preset.Cfsp] = new("CFSP",
            "arXiv:2409.13199: feed-forward layers only; neurons by their share of the activation times the weights that read them "
                + "(the scores of its public code come out as norms of activations alone), ratios by a sigmoid of the block's angle; "
                + "without its fine-tuning",
            Criterion.ActivationShare, Compensation.None, Allocation.ImportanceSigmoid)
        { Units = Axis.Neurons },
        [Preset.AdaptPruner] = new("Adapt-Pruner",
            "arXiv:2502.03460: steps of 0.02, in each of which a layer's share moves by 0.02 times its importance, which is measured anew; "
                + "without its training between steps; weights and activations (Wanda) in place of gradients; a budget of "
                + "multiply-accumulates, where there parameters are counted",
            Criterion.Wanda, Compensation.None, Allocation.ImportanceLinear, Schedule.Gradual),
        [Preset.EcoFlap] = new("ECoFLaP", "arXiv:2310.02998, on structures: Wanda scores, ratios by finite differences",
            Criterion.Wanda, Compensation.None, Allocation.ZerothOrder),
        [Preset.PqIndex] = new("SAP", "arXiv:2302.05601, on structures, without training between steps",
            Criterion.L2, Compensation.None, Allocation.PqIndex),
        [Preset.ZipLm] = new("ZipLM",
            "arXiv:2302.04089: optimal brain scores, errors of single layers, and SPDY's search with its dynamic programme; sizes in "
                + "sixteenths, 64 models instead of a thousand; the budget is of multiply-accumulates unless it says latency; nothing is "
                + "trained, and no layer goes as a whole",
            Criterion.OptimalBrain, Compensation.LeastSquares, Allocation.LayerError),
        [Preset.BetaRank] = new("Beta-Rank",
            "arXiv:2304.07461, without its training; deviations over samples and positions at once; of layers that make one group the "
                + "sum, where the paper has single convolutions: it does not carry over well to coupled groups",
            Criterion.BetaRank, Compensation.None, Allocation.Uniform),
        [Preset.Stun] = new("STUN",
            "arXiv:2409.06211, its first phase: of experts with similar router rows the one nearest to the mean of their weights stays, "
                + "as many in every layer, there by one threshold; others are averaged into it where their weights are alike, there "
                + "where a layer has few clusters left; what is no expert goes by its norm",
            Criterion.RouterSimilarity, Compensation.Merge, Allocation.Uniform),
        [Preset.Uncurl] = new("UNCURL",
            "arXiv:2409.01483: experts by use on calibration data, the others merged by it into the nearest by router row if their "
                + "weights are alike, where the paper clusters by router logits and merges all; what is no expert goes by its norm",
            Criterion.RouterUse, Compensation.Merge, Allocation.Uniform),
        [Preset.PruneNet] = new("PruneNet",
            "arXiv:2501.15296: feed-forward layers only; the neurons without which the singular values of the weights keep their "
                + "distribution (Kolmogorov-Smirnov), found in rounds in place of a learned policy; over all matrices that make the "
                + "neurons, there over one",
            Criterion.Spectrum, Compensation.None, Allocation.Uniform)
        { Units = Axis.Neurons },
        [Preset.Kwon] = new("Kwon",
            "arXiv:2204.09656: Fisher information of gates, by finite differences; scales refitted per unit; one threshold instead "
                + "(on standardised logarithms) of its search, without rearrangement. Groups of more than 256 units by L2",
            Criterion.Fisher, Compensation.Rescale, Allocation.Global),
        [Preset.ShortGpt] = new("ShortGPT", "arXiv:2403.03853", null, Compensation.None, Allocation.Uniform) { Depth = Axis.Blocks },
        [Preset.Sleb] = new("SLEB", "arXiv:2402.09025, with the divergence from the dense model in place of the likelihood",
            null, Compensation.None, Allocation.Uniform)
        { Depth = Axis.Blocks, DepthScore = Criterion.OutputDivergence, ProtectEnds = true },
        [Preset.FinerCut] = new("FinerCut", "arXiv:2405.18218",
            null, Compensation.None, Allocation.Uniform)
        { Depth = Axis.Sublayers, DepthScore = Criterion.OutputDivergence, Metric = Metric.JensenShannon },
        [Preset.Random] = new("Random", "the floor: Liu et al. 2019, arXiv:1810.05270",
            Criterion.Random, Compensation.None, Allocation.Uniform),
        [Preset.ThinKStatic] = new("ThinK",
            "arXiv:2407.21018, static: dimensions of queries and keys by their mean squares over calibration data; there every head of "
                + "every prompt keeps dimensions of its own, by its last 32 queries, and recent keys whole; here every head does, for all "
                + "prompts (all heads of a layer the same where a rotation, a norm or a cache lies between weights and product), and "
                + "weights shrink as well as the cache",
            Criterion.QueryKey, Compensation.None, Allocation.Uniform)
        { Units = Axis.HeadDims },
        [Preset.Perp] = new("PERP",
            "arXiv:2312.15230, its closed-form part: magnitudes, then biases and the scales and shifts of normalisations and "
                + "channels, layer by layer, instead of training them",
            Criterion.L2, Compensation.Affine, Allocation.Uniform, Schedule.Sequential),
        [Preset.ObspaDataFree] = Obspa("OBSPA, data-free",
            "on noise, whatever data there are; where batch normalisation is folded into convolutions its statistics, which the paper "
                + "has, are lost, and the method is often worse than random units",
            InputSource.Noise),
        [Preset.ObspaOutOfDistribution] = Obspa("OBSPA, out of distribution",
            "on made-up inputs with natural statistics in place of another task's data, which are calibration data for Obspa; images "
                + "take their mean, deviation and range from calibration data where there are some",
            InputSource.OutOfDistribution),
        [Preset.Cskv] = new("CSKV",
            "arXiv:2409.10593, its factorisation of keys and values, in closed form by the singular values of what calibration data "
                + "make of them (SVD-LLM, arXiv:2403.07378) in place of ASVD and fine-tuning; without its cache",
            null, Compensation.None, Allocation.Uniform)
        { LowRank = ProductKind.KeysAndValues },
        [Preset.Corp] = new("CORP",
            "arXiv:2602.05243: units by their energy, without the share of rows in which they are active, which its code multiplies it "
                + "with; what is gone as an affine map of what is kept, under the ridge of oracle approximating shrinkage; of attention "
                + "whole heads, where the paper takes dimensions of queries and keys and recovers the logits",
            Criterion.Energy, Compensation.AffineRecovery, Allocation.Uniform),
        [Preset.Grail] = new("GRAIL",
            "arXiv:2602.23795, after Wanda on structures, one of its selectors: what was there as a linear map of what is kept, by a ridge "
                + "on the Gram matrix; a convolution is fitted on its patches, where the paper has one map of channels; without folding",
            Criterion.Wanda, Compensation.Reconstruction, Allocation.Uniform),
    };

    private static PruningMethod Obspa(string title, string citation, InputSource inputs)
        => new(title, "arXiv:2403.18955: optimal brain scores, compared over all groups; weights updated by least squares (there by "
                + $"the recursion), batch normalisations that are left measured anew; {citation}", Criterion.OptimalBrain,
            Compensation.LeastSquares, Allocation.Normalized)
        { Inputs = inputs, MeasuresNorms = true };

    /// <summary>The method of a preset.</summary>
    public static PruningMethod Get(Preset preset) => Methods[preset];

    /// <summary>The same; null for a number that names none.</summary>
    internal static PruningMethod? Find(Preset preset) => Methods.TryGetValue(preset, out var method) ? method : null;
}
