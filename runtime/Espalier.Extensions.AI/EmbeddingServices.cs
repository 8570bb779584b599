using System.ComponentModel;
using Espalier.Runtime;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Extensions.AI;

/// <summary>What the generated methods <c>Add…Embeddings</c> of a policy call. Call those.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class EmbeddingServices
{
    /// <summary>
    /// Registers a generator over the session of a policy as a singleton, by its interface and by the policy's full name as key.
    /// Of several policies the last is the one without a key, as usual.
    /// </summary>
    /// <param name="services">The services, with the session.</param>
    /// <param name="settings">How texts become vectors; its model's name is the key.</param>
    public static IServiceCollection Add(IServiceCollection services, EmbeddingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        AddKeyed(services, settings.ModelId, settings);
        services.AddSingleton(provider
            => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(settings.ModelId));
        services.AddSingleton<IEmbeddingGenerator>(provider
            => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(settings.ModelId));
        return services;
    }

    /// <summary>Registers a generator over a session with a key, by that key.</summary>
    /// <param name="services">The services, with the session.</param>
    /// <param name="key">The key.</param>
    /// <param name="settings">How texts become vectors.</param>
    public static IServiceCollection AddKeyed(IServiceCollection services, string key, EmbeddingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(settings);
        services.TryAddKeyedSingleton<IEmbeddingGenerator<string, Embedding<float>>>(key,
            (provider, _) => new TextEmbeddingGenerator(provider.GetRequiredKeyedService<ModelSession>(key), settings));
        return services;
    }
}
