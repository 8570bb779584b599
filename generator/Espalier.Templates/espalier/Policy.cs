using Espalier;

/// <summary>What may go from the model. "espalier inspect" lists its groups, by whose names rules can be narrowed.</summary>
[PruningPolicy("model.onnx")]
[Budget(Macs = 0.9)]             // of the dense model's multiply-accumulates; tighten it once there are data
// [Guard(Agreement = 0.95)]     // then the build fails where the slim model drifts further than this
#if (vision)
// [Images]                      // with the Mean and Deviation of the training
#else
// [Embeddings("vocab.txt")]     // how texts become inputs, and the vectors of an encoder
#endif
public static partial class SlimModel
{
#if (vision)
    [Prune(Axis.Channels)]       // a transformer has Axis.Heads and Axis.Neurons
    public static partial Rule Channels { get; }
#else
    [Prune(Axis.Heads)]
    public static partial Rule Heads { get; }

    [Prune(Axis.Neurons)]        // a network of convolutions has Axis.Channels
    public static partial Rule Neurons { get; }
#endif

    // Without data only weights are looked at, and a tight budget can ruin the model. Give 48 samples or more that are like
    // what the program will see. What these lines need is in comments above and in the project file:
    //
    // [Calibration(Samples = 256)]
#if (vision)
    // static IEnumerable<Inputs> Samples() => Directory.EnumerateFiles("photos").Order().Select(FromImage);
#else
    // static IEnumerable<Inputs> Samples() => Tokenize(File.ReadLines("samples.txt"));
#endif
    //
    // Inputs is generated from the model's own signature. Where the model takes something else, the code fix of ESP0017
    // writes the method with its inputs.
}
