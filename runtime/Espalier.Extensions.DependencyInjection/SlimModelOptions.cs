using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Extensions.DependencyInjection;

/// <summary>How the session of a policy is opened. A named option: its name is the key under which the session is registered.</summary>
public sealed class SlimModelOptions
{
    /// <summary>
    /// Another file in place of the slim model that the build wrote; a relative path is one from the program's folder. The
    /// model must have the inputs and outputs of the policy's model.
    /// </summary>
    public string? ModelPath { get; set; }

    /// <summary>Threads that share one operator, at least 1; null: ONNX Runtime takes one per core.</summary>
    public int? IntraOpThreads { get; set; }

    /// <summary>Threads that run operators side by side, at least 1; null: none do.</summary>
    public int? InterOpThreads { get; set; }

    /// <summary>
    /// Whether memory of one run is kept for the next. It makes runs faster, and holds as much as the largest run took: without
    /// it, shapes that vary a lot take less memory.
    /// </summary>
    public bool ArenaEnabled { get; set; } = true;

    /// <summary>What ONNX Runtime does to the graph before it runs it.</summary>
    public GraphOptimizationLevel GraphOptimizationLevel { get; set; } = GraphOptimizationLevel.ORT_ENABLE_ALL;

    /// <summary>
    /// Called last, for what has no property here: <c>o => o.AppendExecutionProvider_CUDA()</c>. Several calls of
    /// <c>Add…</c> may each add to it with <c>+=</c>.
    /// </summary>
    public Action<SessionOptions>? ConfigureSession { get; set; }

    /// <summary>A session of the caller's in place of one that is opened here; it is not disposed of. Nothing else is then read.</summary>
    public InferenceSession? Session { get; set; }

    /// <summary>
    /// Takes what a section of the configuration says. Its keys are the names of the properties of this class that text can
    /// hold: all but <see cref="ConfigureSession"/> and <see cref="Session"/>. Nothing is done by reflection.
    /// </summary>
    /// <param name="section">The section, e.g. <c>{ "IntraOpThreads": 4, "ArenaEnabled": false }</c>.</param>
    /// <exception cref="EspalierException">A key is unknown, or its value is not of its type.</exception>
    public void Bind(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        foreach (var entry in section.GetChildren())
        {
            if (entry.Value is not { } text) continue;
            switch (entry.Key.ToUpperInvariant())
            {
                case "MODELPATH": ModelPath = text; break;
                case "INTRAOPTHREADS": IntraOpThreads = Count(entry); break;
                case "INTEROPTHREADS": InterOpThreads = Count(entry); break;
                case "ARENAENABLED": ArenaEnabled = bool.TryParse(text, out bool is_) ? is_ : throw Wrong(entry, "true or false"); break;
                case "GRAPHOPTIMIZATIONLEVEL": GraphOptimizationLevel = Level(entry); break;
                default:
                    throw new EspalierException($"The configuration has '{entry.Path}', which is no setting of a model. There are "
                        + "ModelPath, IntraOpThreads, InterOpThreads, ArenaEnabled and GraphOptimizationLevel.");
            }
        }
    }

    /// <summary>What is wrong; null where nothing is.</summary>
    internal string? Fault => this switch
    {
        { ModelPath: { } path } when string.IsNullOrWhiteSpace(path) => "ModelPath is blank",
        { Session: not null, ModelPath: not null } => "Session and ModelPath are both set",
        { IntraOpThreads: < 1 } => FormattableString.Invariant($"IntraOpThreads is {IntraOpThreads}, but must be at least 1"),
        { InterOpThreads: < 1 } => FormattableString.Invariant($"InterOpThreads is {InterOpThreads}, but must be at least 1"),
        _ when !Enum.IsDefined(GraphOptimizationLevel) => $"there is no GraphOptimizationLevel {GraphOptimizationLevel}",
        _ => null,
    };

    /// <summary>The same for ONNX Runtime.</summary>
    internal SessionOptions ToSessionOptions()
    {
        var session = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel, EnableCpuMemArena = ArenaEnabled };
        if (IntraOpThreads is { } intra) session.IntraOpNumThreads = intra;
        if (InterOpThreads is { } inter)
        {
            session.InterOpNumThreads = inter;
            // The threads are for this mode alone.
            if (inter > 1) session.ExecutionMode = ExecutionMode.ORT_PARALLEL;
        }
        ConfigureSession?.Invoke(session);
        return session;
    }

    private static int Count(IConfigurationSection entry)
        => int.TryParse(entry.Value, NumberStyles.Integer, CultureInfo.InvariantCulture, out int count)
            ? count
            : throw Wrong(entry, "a whole number");

    private static GraphOptimizationLevel Level(IConfigurationSection entry)
        => Enum.TryParse<GraphOptimizationLevel>(entry.Value, ignoreCase: true, out var level)
            ? level
            : throw Wrong(entry, "one of " + string.Join(", ", Enum.GetNames<GraphOptimizationLevel>()));

    private static EspalierException Wrong(IConfigurationSection entry, string wanted)
        => new($"The configuration has '{entry.Value}' for '{entry.Path}', which must be {wanted}.");
}
