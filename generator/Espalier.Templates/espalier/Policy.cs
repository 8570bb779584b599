using Espalier;

/// <summary>What may go from the model. "espalier inspect" lists its groups, by whose names rules can be narrowed.</summary>
[PruningPolicy("model.onnx")]
[Budget(Macs = 0.9)]             // of the dense model's multiply-accumulates; tighten it once there are data
// [Guard(Agreement = 0.95)]     // then the build fails where the slim model drifts further than this
public static partial class SlimModel
{
#if (channels)
    [Prune(Axis.Channels)]
    public static partial Rule Channels { get; }
#else
    [Prune(Axis.Heads)]
    public static partial Rule Heads { get; }

    [Prune(Axis.Neurons)]
    public static partial Rule Neurons { get; }
#endif

    // Without data only weights are looked at, and a tight budget can ruin the model. Give 48 samples or more that are like
    // what the program will see; Inputs is generated from the model's own signature.
    //
    // [Calibration(Samples = 256)]
    // static IEnumerable<Inputs> Samples() => File.ReadLines("samples.txt").Select(line => new Inputs(…));
}
