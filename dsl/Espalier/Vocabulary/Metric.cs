#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>
/// How outputs of a changed model are compared with the dense model's. A guard's agreement is a number of at most 1 in all of
/// them, 1 where the outputs are equal; a divergence is 0 there. No divergence but <see cref="TaskLoss"/> is negative. Rows run
/// along the last axis (axis 1 of maps).
/// </summary>
public enum Metric
{
    /// <summary>Fraction of rows whose largest element is in the same place.</summary>
    Top1,
    /// <summary>
    /// Mean Kullback-Leibler divergence from the dense model's distribution (rows themselves, or their softmax), in nats;
    /// agreement e^−KL. As a divergence, squared error over variance of outputs that are no rows of classes.
    /// </summary>
    KullbackLeibler,
    /// <summary>
    /// Mean Jensen-Shannon divergence, which is at most ln 2 (as in FinerCut, arXiv:2405.18218); agreement 1 − JS / ln 2. Other
    /// outputs as above.
    /// </summary>
    JensenShannon,
    /// <summary>Mean cosine of rows; divergence one minus it.</summary>
    Cosine,
    /// <summary>
    /// Squared error over the variance of the dense model's output; agreement one minus it (the coefficient of determination).
    /// </summary>
    RelativeError,
    /// <summary>
    /// Increase of the cross-entropy loss over the dense model's, in nats per label (what SLEB, arXiv:2402.09025, removes
    /// blocks by): of logits [batch, sequence, classes] over tokens that the model reads, the label is the next token; of
    /// others it is in the calibration data. Below zero where the changed model answers better; agreement e^−loss, at most 1.
    /// </summary>
    TaskLoss,
    /// <summary>
    /// Mean cosine of embeddings: of outputs [batch, sequence, features] the mean over the sequence, of maps the mean over
    /// positions, of others their rows. What sentence encoders and image features are compared by; divergence one minus it.
    /// </summary>
    Embedding,
}
