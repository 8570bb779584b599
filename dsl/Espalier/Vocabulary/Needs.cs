namespace Espalier;

/// <summary>What a criterion, an allocation, a compensation or a schedule needs beside the model's weights.</summary>
[Flags]
internal enum Needs
{
    None = 0,
    /// <summary>Calibration data at all.</summary>
    Data = 1,
    /// <summary>Means and variances of what the consumers of a group contract.</summary>
    Consumers = 2,
    /// <summary>The covariance of what they contract.</summary>
    Covariance = 4,
    /// <summary>Statistics of other tensors, by unit.</summary>
    Tensors = 8,
    /// <summary>Averages of an activation with one value per unit: router's probabilities, attention.</summary>
    Signals = 16,
    /// <summary>Runs of changed models.</summary>
    Runs = 32,
    /// <summary>Rows that no fit sees, to judge it by.</summary>
    HeldOut = 64,
    /// <summary>How much blocks change their input.</summary>
    Blocks = 128,
    /// <summary>That by the mean angle; otherwise by the mean cosine.</summary>
    Angles = 256,
    /// <summary>How large the weights of each unit are.</summary>
    Magnitudes = 512,
    /// <summary>The divergence of the outputs when the weights of a group are perturbed.</summary>
    Sensitivity = 1024,
    /// <summary>The divergence of the outputs under a choice of kept units, compensated.</summary>
    Divergence = 2048,
}

/// <summary>Questions about <see cref="Needs"/>.</summary>
internal static class NeedsExtensions
{
    /// <summary>Whether any of <paramref name="some"/> is among them.</summary>
    public static bool Any(this Needs needs, Needs some) => (needs & some) != 0;
}
