using Espalier;

namespace Fashion;

/// <summary>
/// The policy of the table: half of the multiply-accumulates. With calibration data and no word on the method it is the
/// default, <see cref="Preset.Best"/>.
/// </summary>
[PruningPolicy("models/resnet.onnx")]
[Budget(Macs = 0.5)]
[Guard(Agreement = 0.95)]
public static partial class SlimFashion
{
    /// <summary>Channels of every convolution, those on the residual streams with everything that they couple.</summary>
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }

    /// <summary>Training images, one at a time.</summary>
    public static IEnumerable<Inputs> Examples() => CalibrationImages.One(image => new Inputs(image));

    [Calibration(Samples = 256)]
    static IEnumerable<Inputs> Images() => Examples();
}

/// <summary>A point of the curve: the same rule at 90 % of the multiply-accumulates.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.9)]
public static partial class At90
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }

    [Calibration(Samples = 256)]
    static IEnumerable<Inputs> Images() => CalibrationImages.One(image => new Inputs(image));
}

/// <summary>A point of the curve: the same rule at 75 % of the multiply-accumulates.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.75)]
public static partial class At75
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }

    [Calibration(Samples = 256)]
    static IEnumerable<Inputs> Images() => CalibrationImages.One(image => new Inputs(image));
}

/// <summary>A point of the curve: the same rule at 35 % of the multiply-accumulates.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.35)]
public static partial class At35
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }

    [Calibration(Samples = 256)]
    static IEnumerable<Inputs> Images() => CalibrationImages.One(image => new Inputs(image));
}

#pragma warning disable ESP0017 // Without data on purpose: what the others are compared with.

/// <summary>The floor: the channels with the least weights at 90 %, nothing repaired, no data.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.9), Allocate(Allocation.Global)]
public static partial class Plain90
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }
}

/// <summary>The floor at 75 %.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.75), Allocate(Allocation.Global)]
public static partial class Plain75
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }
}

/// <summary>The floor at 50 %.</summary>
[PruningPolicy("models/resnet.onnx"), Budget(Macs = 0.5), Allocate(Allocation.Global)]
public static partial class Plain50
{
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }
}
