using Espalier.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Health checks of slim models.</summary>
public static class EspalierHealthChecksBuilderExtensions
{
    /// <summary>
    /// Checks that the model of every registered policy opens. The first check opens them, so a probe of readiness before the
    /// first request also warms them up; later ones cost nothing.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="name">Name of the check.</param>
    /// <param name="failureStatus">What is reported where a model does not open; null: unhealthy.</param>
    /// <param name="tags">Tags to filter checks by.</param>
    public static IHealthChecksBuilder AddEspalier(this IHealthChecksBuilder builder, string name = "espalier",
        HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name,
            provider => new SlimModelHealthCheck(provider, provider.GetServices<SlimModelRegistration>()), failureStatus, tags));
    }
}
