using System.ComponentModel;
using Espalier.Runtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Espalier.Extensions.DependencyInjection;

/// <summary>What the generated methods <c>Add…</c> of a policy call. Call those.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class SlimModelServices
{
    /// <summary>
    /// Registers the session of a policy as a singleton, by its type and by the policy's full name as key: both give one object.
    /// </summary>
    /// <typeparam name="TInputs">Generated inputs.</typeparam>
    /// <typeparam name="TOutputs">Generated outputs.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="policy">Full name of the policy.</param>
    /// <param name="configure">Changes the options; null: none.</param>
    public static IServiceCollection Add<TInputs, TOutputs>(IServiceCollection services, string policy, Action<SlimModelOptions>? configure)
        where TInputs : IModelInputs
        where TOutputs : IModelOutputs<TOutputs>
    {
        AddKeyed<TInputs, TOutputs>(services, policy, policy, configure);
        services.TryAddSingleton(provider => provider.GetRequiredKeyedService<ModelSession<TInputs, TOutputs>>(policy));
        return services;
    }

    /// <summary>
    /// Registers a session of a policy as a singleton by a key: a second one with options of its own, such as the dense model
    /// to compare with. <see cref="ModelSession"/>, the same with tensors by name, has the key too.
    /// </summary>
    /// <typeparam name="TInputs">Generated inputs.</typeparam>
    /// <typeparam name="TOutputs">Generated outputs.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="policy">Full name of the policy.</param>
    /// <param name="key">The key, which is also the name of the options.</param>
    /// <param name="configure">Changes the options; null: none.</param>
    /// <exception cref="EspalierException">Another policy has the key.</exception>
    public static IServiceCollection AddKeyed<TInputs, TOutputs>(IServiceCollection services, string policy, string key,
        Action<SlimModelOptions>? configure)
        where TInputs : IModelInputs
        where TOutputs : IModelOutputs<TOutputs>
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(key);
        var options = services.AddOptions<SlimModelOptions>(key);
        if (configure is not null) options.Configure(configure);
        if (services.Select(s => s.IsKeyedService ? null : s.ImplementationInstance).OfType<SlimModelRegistration>()
            .FirstOrDefault(r => r.Key == key) is { } there)
        {
            return there.Policy == policy
                ? services
                : throw new EspalierException($"The key '{key}' is that of policy {there.Policy}; give policy {policy} another one.");
        }
        services.AddSingleton<IValidateOptions<SlimModelOptions>>(new SlimModelValidation(key));
        options.ValidateOnStart();
        services.AddSingleton(new SlimModelRegistration(key, policy,
            provider => provider.GetRequiredKeyedService<ModelSession<TInputs, TOutputs>>(key).Untyped));
        services.AddKeyedSingleton(key, (provider, _) => Open<TInputs, TOutputs>(provider, policy, key));
        services.AddKeyedSingleton(key,
            (provider, _) => provider.GetRequiredKeyedService<ModelSession<TInputs, TOutputs>>(key).Untyped);
        return services;
    }

    private static ModelSession<TInputs, TOutputs> Open<TInputs, TOutputs>(IServiceProvider provider, string policy, string key)
        where TInputs : IModelInputs
        where TOutputs : IModelOutputs<TOutputs>
    {
        var options = provider.GetRequiredService<IOptionsMonitor<SlimModelOptions>>().Get(key);
        if (options.Session is { } own) return new(own);
        string path = options.ModelPath is { } other
            ? Path.GetFullPath(other, AppContext.BaseDirectory)
            : PolicyFiles.FullPath(PolicyFiles.Model(policy));
        var logger = provider.GetService<ILoggerFactory>()?.CreateLogger<ModelSession>() ?? (ILogger)NullLogger.Instance;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            using var settings = options.ToSessionOptions();
            var session = new ModelSession<TInputs, TOutputs>(path, settings);
            Messages.Opened(logger, path, key, new FileInfo(path).Length, Elapsed());
            return session;
        }
        catch (Exception e) when (Failed(e))
        {
            throw;
        }

        double Elapsed() => Math.Round(System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds, 1);

        // A filter, so that the trace still begins where it happened.
        bool Failed(Exception e)
        {
            Messages.NotOpened(logger, path, key, e);
            return false;
        }
    }
}
