using Espalier.Onnx;
using Espalier.Runtime;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Calibration.Graph;

/// <summary>Opens models of this process in ONNX Runtime.</summary>
internal static class Sessions
{
    /// <summary>Opens a model with its changes, external data included.</summary>
    /// <param name="model">The model; below 2 GiB.</param>
    /// <param name="threads">Threads within an operator; 0 for as many as there are cores.</param>
    /// <param name="strict">Mismatches of inferred shapes are errors (<c>session.strict_shape_type_inference</c>).</param>
    /// <param name="plain">No blocked layouts and no fused kernels: sums are taken in another order.</param>
    /// <param name="spinning">Threads wait for work as they do by default: busily, which is processor time.</param>
    /// <param name="profile">Start of the name of the file that a profile is written to; null for none.</param>
    /// <exception cref="EspalierException">The model is too large, or ONNX Runtime refuses it.</exception>
    public static ModelSession Open(OnnxModel model, int threads = 0, bool strict = false, bool plain = false,
        bool spinning = false, string? profile = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var options = Options(threads, strict, spinning);
        if (profile is not null) (options.EnableProfiling, options.ProfileOutputPathPrefix) = (true, profile);
        if (plain) options.GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_BASIC;
        return new ModelSession(Bytes(model), options);
    }

    /// <summary>A model with its changes as one file.</summary>
    /// <exception cref="EspalierException">It is too large.</exception>
    public static byte[] Bytes(OnnxModel model)
    {
        try
        {
            return model.ToBytes();
        }
        catch (NotSupportedException e)
        {
            throw new EspalierException($"The model {(model.Path is { } path ? $"'{path}' " : "")}cannot be run from memory, which takes "
                + $"models below 2 GiB: {e.Message}", e);
        }
    }

    /// <summary>Settings of the sessions here: quiet, so that warnings about the model do not mix with the tool's own output.</summary>
    public static SessionOptions Options(int threads = 0, bool strict = false, bool spinning = false)
    {
        var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        if (threads > 0) options.IntraOpNumThreads = threads;
        if (!spinning) options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        if (strict) options.AddSessionConfigEntry("session.strict_shape_type_inference", "1");
        return options;
    }
}
