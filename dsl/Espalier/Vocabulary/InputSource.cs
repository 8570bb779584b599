#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>Inputs of which statistics are taken, and on which changed models are run.</summary>
public enum InputSource
{
    /// <summary>The calibration data; <see cref="Noise"/> where there are none, which the report says. The default.</summary>
    Data,
    /// <summary>
    /// Seeded noise of the model's signature, whatever data there are: normal numbers, evenly drawn ids (OBSPA's data-free
    /// mode, arXiv:2403.18955).
    /// </summary>
    Noise,
    /// <summary>
    /// Seeded inputs with the statistics of nature (OBSPA's out-of-distribution mode, where data of another task are not at hand):
    /// images with a spectrum of 1/f (van der Schaaf and van Hateren 1996; Baradad et al.,
    /// arXiv:2106.05963), ids by Zipf's law (Piantadosi 2014), else noise. Nothing of the task is in them but the mean,
    /// deviation and range of images, which are those of calibration data where there are some.
    /// </summary>
    OutOfDistribution,
}
