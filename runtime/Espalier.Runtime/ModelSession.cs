using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Runtime;

/// <summary>
/// A model that is ready to run: named tensors in, named tensors out. Safe for use by many threads at once; make one and keep it,
/// since opening a model costs far more than running it.
/// </summary>
public sealed class ModelSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly bool _owned;
    private readonly string _source;
    private readonly Dictionary<string, TensorSignature> _inputs;
    private readonly Dictionary<string, TensorSignature> _optional;
    private readonly string[] _outputNames;
    private readonly object _lock = new();
    private int _running;
    private bool _disposed;

    /// <summary>Opens a file. External data are found beside it.</summary>
    /// <param name="path">The model.</param>
    /// <param name="options">Settings of ONNX Runtime (threads, execution providers, …); not disposed. Null for its defaults.</param>
    /// <exception cref="EspalierException">There is no such file, or ONNX Runtime refuses it.</exception>
    public ModelSession(string path, SessionOptions? options = null)
        : this(Load($"'{path}'", () => File.Exists(path)
            ? options is null ? new InferenceSession(path) : new InferenceSession(path, options)
            : throw new EspalierException($"There is no model at '{path}'"
                + (Path.IsPathFullyQualified(path) ? "." : $" (looked for {Path.GetFullPath(path)})."))), true, $"'{path}'")
    {
    }

    /// <summary>Opens a model in memory; the bytes may be dropped afterwards.</summary>
    /// <param name="model">The bytes of the file.</param>
    /// <param name="options">Settings of ONNX Runtime; not disposed. Null for its defaults.</param>
    /// <exception cref="EspalierException">ONNX Runtime refuses the model.</exception>
    public ModelSession(ReadOnlyMemory<byte> model, SessionOptions? options = null)
        : this(Load("in memory", () =>
        {
            var bytes = MemoryMarshal.TryGetArray(model, out var s) && s.Array is { } all && s.Offset == 0 && s.Count == all.Length
                ? all
                : model.ToArray();
            return options is null ? new InferenceSession(bytes) : new InferenceSession(bytes, options);
        }), true, "in memory")
    {
    }

    /// <summary>Uses a session of the caller's, who keeps it and disposes of it.</summary>
    public ModelSession(InferenceSession session) : this(session, false, "of the caller's session")
    {
    }

    private ModelSession(InferenceSession session, bool owned, string source)
    {
        ArgumentNullException.ThrowIfNull(session);
        (_session, _owned, _source) = (session, owned, source);
        _inputs = session.InputMetadata.ToDictionary(e => e.Key, e => Signature(e.Key, e.Value), StringComparer.Ordinal);
        _optional = session.OverridableInitializerMetadata.ToDictionary(e => e.Key, e => Signature(e.Key, e.Value), StringComparer.Ordinal);
        _outputNames = [.. session.OutputNames];
        Inputs = [.. session.InputNames.Select(n => _inputs[n])];
        Outputs = [.. _outputNames.Select(n => Signature(n, session.OutputMetadata[n]))];
    }

    /// <summary>What the model wants, in its own order.</summary>
    public IReadOnlyList<TensorSignature> Inputs { get; }

    /// <summary>What the model gives, in its own order.</summary>
    public IReadOnlyList<TensorSignature> Outputs { get; }

    /// <summary>ONNX Runtime's session, for what this class does not offer. It lives as long as this object.</summary>
    public InferenceSession Inner => _session;

    /// <summary>Runs the model.</summary>
    /// <param name="inputs">One tensor per input, in any order. Their arrays are read in place: do not write to them before the
    /// call returns.</param>
    /// <param name="cancellationToken">Stops the run between two of its operators.</param>
    /// <returns>All outputs by name, in arrays of their own.</returns>
    /// <exception cref="EspalierException">An input is missing, unknown, or of the wrong type or shape; or ONNX Runtime failed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public IReadOnlyDictionary<string, NamedTensor> Run(IEnumerable<NamedTensor> inputs, CancellationToken cancellationToken = default)
        => Run(inputs, _outputNames, cancellationToken);

    /// <summary>Runs the model and fetches some of its outputs.</summary>
    /// <inheritdoc cref="Run(IEnumerable{NamedTensor}, CancellationToken)"/>
    /// <param name="inputs">One tensor per input, in any order.</param>
    /// <param name="outputs">Names of the outputs that are wanted.</param>
    /// <param name="cancellationToken">Stops the run between two of its operators.</param>
    public IReadOnlyDictionary<string, NamedTensor> Run(IEnumerable<NamedTensor> inputs, IReadOnlyCollection<string> outputs,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var named = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
        Run(inputs, outputs, (name, value) => named[name] = OrtTensors.FromOrt(name, value), cancellationToken);
        return named;
    }

    /// <summary>The same, where outputs are looked at in ONNX Runtime's own memory.</summary>
    internal void Run(IEnumerable<NamedTensor> inputs, IReadOnlyCollection<string> outputs, Action<string, OrtValue> take,
        CancellationToken cancellationToken)
    {
        var given = Check(inputs);
        foreach (var name in outputs)
            if (!_outputNames.Contains(name, StringComparer.Ordinal))
                throw new EspalierException($"The model {_source} has no output '{name}'; it has {List(_outputNames)}.");
        cancellationToken.ThrowIfCancellationRequested();

        Enter();
        var values = new List<OrtValue>(given.Count);
        try
        {
            foreach (var tensor in given) values.Add(OrtTensors.ToOrt(tensor));
            using var runOptions = new RunOptions();
            // Disposed before the options: no callback can reach options that are gone.
            using var registration = cancellationToken.UnsafeRegister(static o => ((RunOptions)o!).Terminate = true, runOptions);
            using var results = _session.Run(runOptions, [.. given.Select(t => t.Name)], values, outputs);
            int i = 0;
            foreach (var name in outputs) take(name, results[i++]);
        }
        catch (OnnxRuntimeException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The run was cancelled.", e, cancellationToken);
        }
        catch (OnnxRuntimeException e)
        {
            throw new EspalierException(
                $"The model {_source} failed on {List(given.Select(Describe))}.{Disagreement(given)} ONNX Runtime says: {e.Message}", e);
        }
        finally
        {
            foreach (var value in values) value.Dispose();
            Leave();
        }
    }

    /// <summary>Runs the model on a thread of the pool. Cancelling stops the run between two of its operators.</summary>
    /// <inheritdoc cref="Run(IEnumerable{NamedTensor}, CancellationToken)"/>
    public Task<IReadOnlyDictionary<string, NamedTensor>> RunAsync(IEnumerable<NamedTensor> inputs,
        CancellationToken cancellationToken = default)
        => Task.Run(() => Run(inputs, cancellationToken), cancellationToken);

    /// <summary>Frees the session, once runs that are under way have ended; a caller's own session is left alone.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (_running > 0) return;
        }
        if (_owned) _session.Dispose();
    }

    private void Enter()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _running++;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_running > 0 || !_disposed) return;
        }
        if (_owned) _session.Dispose();
    }

    private List<NamedTensor> Check(IEnumerable<NamedTensor> inputs)
    {
        var given = new List<NamedTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in inputs)
        {
            if (!_inputs.TryGetValue(tensor.Name, out var wanted) && !_optional.TryGetValue(tensor.Name, out wanted))
                throw new EspalierException($"The model {_source} has no input '{tensor.Name}'; it wants {List(Inputs.Select(Describe))}.");
            if (!names.Add(tensor.Name)) throw new EspalierException($"Input '{tensor.Name}' was given twice.");
            if (tensor.ElementType != wanted.ElementType)
                throw new EspalierException($"Input '{tensor.Name}' was given as {Type(tensor)}; the model wants {wanted}.");
            if (tensor.Values.GetType() != ElementArray(wanted.ElementType))
                throw new EspalierException($"Input '{tensor.Name}' holds a {tensor.Values.GetType().Name}, which is not how "
                    + $"{wanted.ElementType} elements are held.");
            if (!wanted.Accepts(tensor.Shape))
                throw new EspalierException($"Input '{tensor.Name}' was given as {Type(tensor)}; the model wants {wanted}."
                    + (tensor.Shape.Count == 1 ? " An array without a shape has one axis: give a TensorData with its shape." : ""));
            long count = 1;
            foreach (long d in tensor.Shape) count = checked(count * d);
            if (count != tensor.Values.LongLength)
                throw new EspalierException($"Input '{tensor.Name}' was given as {Type(tensor)}, which is {count} elements, with "
                    + $"{tensor.Values.LongLength} elements.");
            given.Add(tensor);
        }
        foreach (var wanted in Inputs)
            if (!names.Contains(wanted.Name))
                throw new EspalierException($"Input '{wanted.Name}' is missing; the model wants {wanted}.");
        return given;
    }

    /// <summary>Says where a dynamic size has two values, which is the usual reason for a failure deep inside a model.</summary>
    private string Disagreement(List<NamedTensor> given)
    {
        var seen = new Dictionary<string, (long Size, string Input)>(StringComparer.Ordinal);
        foreach (var tensor in given)
        {
            if (!_inputs.TryGetValue(tensor.Name, out var wanted) || wanted.Dimensions is null) continue;
            for (int i = 0; i < tensor.Shape.Count; i++)
            {
                if (wanted.Dimensions[i].Symbol is not { } symbol) continue;
                if (!seen.TryAdd(symbol, (tensor.Shape[i], tensor.Name)) && seen[symbol].Size != tensor.Shape[i])
                    return $" '{symbol}' is {seen[symbol].Size} in '{seen[symbol].Input}' and {tensor.Shape[i]} in '{tensor.Name}'.";
            }
        }
        return "";
    }

    private static InferenceSession Load(string source, Func<InferenceSession> open)
    {
        try
        {
            return open();
        }
        catch (OnnxRuntimeException e)
        {
            throw new EspalierException($"ONNX Runtime cannot open the model {source}: {e.Message}", e);
        }
    }

    private static TensorSignature Signature(string name, NodeMetadata metadata)
    {
        if (metadata.OnnxValueType != OnnxValueType.ONNX_TYPE_TENSOR)
            return new TensorSignature(name, metadata.OnnxValueType.ToString(), null);
        var sizes = metadata.Dimensions;
        var symbols = metadata.SymbolicDimensions;
        var dimensions = new Dimension[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
            dimensions[i] = sizes[i] >= 0 ? new Dimension(sizes[i], null) : new Dimension(null, symbols[i] is { Length: > 0 } s ? s : null);
        return new TensorSignature(name, OrtTensors.NameOf(metadata.ElementDataType), dimensions);
    }

    // typeof, not Type.MakeArrayType: nothing here needs reflection when compiled ahead of time.
    private static Type? ElementArray(string elementType) => elementType switch
    {
        "float32" => typeof(float[]),
        "float64" => typeof(double[]),
        "float16" => typeof(Half[]),
        "bfloat16" or "uint16" => typeof(ushort[]),
        "int8" => typeof(sbyte[]),
        "int16" => typeof(short[]),
        "int32" => typeof(int[]),
        "int64" => typeof(long[]),
        "uint8" => typeof(byte[]),
        "uint32" => typeof(uint[]),
        "uint64" => typeof(ulong[]),
        "bool" => typeof(bool[]),
        "string" => typeof(string[]),
        _ => null,
    };

    private static string Type(NamedTensor t) => $"{t.ElementType}[{string.Join(',', t.Shape)}]";

    private static string Describe(NamedTensor t) => $"'{t.Name}' {Type(t)}";

    private static string Describe(TensorSignature s) => $"'{s.Name}' {s}";

    private static string List(IEnumerable<string> items) => string.Join(", ", items);
}
