using Microsoft.ML.OnnxRuntime;

namespace Espalier.Runtime;

/// <summary>
/// A model that is ready to run, with the inputs and outputs that were generated from its signature. Safe for use by many threads at once.
/// </summary>
/// <typeparam name="TInputs">Generated inputs.</typeparam>
/// <typeparam name="TOutputs">Generated outputs.</typeparam>
public sealed class ModelSession<TInputs, TOutputs> : IDisposable
    where TInputs : IModelInputs
    where TOutputs : IModelOutputs<TOutputs>
{
    private readonly ModelSession _session;

    /// <inheritdoc cref="ModelSession(string, SessionOptions?)"/>
    public ModelSession(string path, SessionOptions? options = null) => _session = new ModelSession(path, options);

    /// <inheritdoc cref="ModelSession(ReadOnlyMemory{byte}, SessionOptions?)"/>
    public ModelSession(ReadOnlyMemory<byte> model, SessionOptions? options = null) => _session = new ModelSession(model, options);

    /// <inheritdoc cref="ModelSession(InferenceSession)"/>
    public ModelSession(InferenceSession session) => _session = new ModelSession(session);

    /// <summary>The same session with tensors by name. It lives as long as this object.</summary>
    public ModelSession Untyped => _session;

    /// <summary>Runs the model.</summary>
    /// <param name="inputs">The inputs; their arrays are read in place: do not write to them before the call returns.</param>
    /// <param name="cancellationToken">Stops the run between two of its operators.</param>
    /// <exception cref="EspalierException">An input has the wrong shape; or ONNX Runtime failed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public TOutputs Run(TInputs inputs, CancellationToken cancellationToken = default)
        => TOutputs.FromTensors(_session.Run(inputs.ToTensors(), cancellationToken));

    /// <summary>Runs the model on a thread of the pool. Cancelling stops the run between two of its operators.</summary>
    /// <inheritdoc cref="Run(TInputs, CancellationToken)"/>
    public Task<TOutputs> RunAsync(TInputs inputs, CancellationToken cancellationToken = default)
        => Task.Run(() => Run(inputs, cancellationToken), cancellationToken);

    /// <summary>Frees the session, once runs that are under way have ended; a caller's own session is left alone.</summary>
    public void Dispose() => _session.Dispose();
}
