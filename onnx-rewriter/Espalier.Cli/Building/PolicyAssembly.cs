using System.Collections;
using System.Reflection;
using System.Runtime.Loader;

namespace Espalier.Cli.Building;

/// <summary>
/// The compiled assembly, loaded to run a policy's calibration method. It lives in a context of its own: what the tool and the
/// policy exchange (<see cref="NamedTensor"/>) comes from the tool, everything else from the project's own references.
/// </summary>
internal sealed class PolicyAssembly : AssemblyLoadContext
{
    /// <summary>Assemblies whose types cross between the tool and the policy, or whose natives the process has once.</summary>
    private static readonly HashSet<string> Shared = new(StringComparer.OrdinalIgnoreCase)
        { "Espalier.Abstractions", "Espalier.Runtime", "Microsoft.ML.OnnxRuntime" };

    private readonly Assembly _assembly;
    private readonly Dictionary<string, string> _references;
    private readonly List<string> _natives;

    public PolicyAssembly(BuildRequest request) : base("policies")
    {
        _references = request.References.GroupBy(System.IO.Path.GetFileNameWithoutExtension, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(g => g.Key!, g => g.First(), StringComparer.OrdinalIgnoreCase);
        _natives = request.Natives;
        foreach (var (name, file) in request.Files) AppContext.SetData(PolicyFiles.BuildFileKey + name, file);
        _assembly = LoadFromAssemblyPath(request.Assembly!);
    }

    /// <summary>Runs the method lazily: one sample per step.</summary>
    /// <param name="plan">The policy's plan.</param>
    /// <param name="method">Its static method that gives samples.</param>
    /// <param name="samples">Most that are taken.</param>
    /// <exception cref="EspalierException">The method is not there, or it throws.</exception>
    public IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Samples(PruningPlan plan, string method, int samples)
    {
        var found = Policy(plan.Policy)?.GetMethod(method, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic, [])
            ?? throw new EspalierException(
                $"Policy {plan.Policy} has no static method {method}() without parameters. Build the project again.");
        using var each = Guarded(plan, () => ((IEnumerable)found.Invoke(null, BindingFlags.DoNotWrapExceptions, null, null, null)!)
            .Cast<IModelInputs>().GetEnumerator());
        for (var i = 0; i < samples && Guarded(plan, each.MoveNext); i++)
            yield return Guarded(plan, () => each.Current.ToTensors().ToDictionary(t => t.Name, StringComparer.Ordinal));
    }

    /// <summary>Runs a rule's scoring method on a group.</summary>
    /// <exception cref="EspalierException">The method is not there, or it throws.</exception>
    public double[] Score(PruningPlan plan, PruneRule rule, ScoredGroup group)
    {
        string name = $"{plan.Policy}.{rule.ScoreMethod}";
        var found = Policy(plan.Policy)?.GetMethod(rule.ScoreMethod!, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic,
            [typeof(ScoredGroup)]);
        if (found is null || !typeof(IEnumerable<double>).IsAssignableFrom(found.ReturnType))
            throw new EspalierException($"{name}: there is no static method of that name from ScoredGroup to IEnumerable<double>, which "
                + "[Score(Criterion.Method)] calls.");
        return Guarded($"Scoring method {name}",
            () => ((IEnumerable<double>)found.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [group], null)!).ToArray());
    }

    /// <inheritdoc/>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (assemblyName.Name is not { } name || Shared.Contains(name)) return null;
        return _references.TryGetValue(name, out var path) ? LoadFromAssemblyPath(path) : null;
    }

    /// <inheritdoc/>
    protected override IntPtr LoadUnmanagedDll(string unmanagedDllName)
        => NativeLibraries.Find(unmanagedDllName, _natives) is { } path ? LoadUnmanagedDllFromPath(path) : IntPtr.Zero;

    /// <summary>
    /// Nested policies are named with a dot in plans and files, and with a plus in metadata. Not by looking through all types: one
    /// whose base class is of a framework that the tool does not run on, such as a service of ASP.NET Core, cannot be loaded.
    /// </summary>
    private Type? Policy(string name)
    {
        for (var at = name.Length; at >= 0; at = at > 0 ? name.LastIndexOf('.', at - 1) : -1)
            if (_assembly.GetType(name[..at] + name[at..].Replace('.', '+')) is { } found) return found;
        return null;
    }

    /// <summary>The method is the user's code: what it throws is told as the user's error, with where it was thrown.</summary>
    private static T Guarded<T>(PruningPlan plan, Func<T> step)
        => Guarded($"Calibration method {plan.Calibration!.Method} of policy {plan.Policy}", step);

    private static T Guarded<T>(string method, Func<T> step)
    {
        try
        {
            return step();
        }
        catch (Exception e) when (e is not EspalierException)
        {
            var where = e.StackTrace?.Split('\n', StringSplitOptions.TrimEntries).FirstOrDefault() ?? "";
            throw new EspalierException(
                $"{method} threw {e.GetType().Name}: {e.Message} ({where}). "
                + "It runs while the project is built, with the project's folder as the current directory.", e);
        }
    }
}
