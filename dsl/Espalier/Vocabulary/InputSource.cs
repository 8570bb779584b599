namespace Espalier;

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
    /// Seeded inputs with the statistics of nature and nothing of the task (OBSPA's out-of-distribution mode, where data of
    /// another task are not at hand): images with a spectrum of 1/f (van der Schaaf and van Hateren 1996; Baradad et al.,
    /// arXiv:2106.05963), ids by Zipf's law (Piantadosi 2014), else noise. Images have the mean, deviation and range of the
    /// calibration data where there are some.
    /// </summary>
    OutOfDistribution,
}
