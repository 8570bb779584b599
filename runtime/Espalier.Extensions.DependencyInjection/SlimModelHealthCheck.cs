using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Espalier.Extensions.DependencyInjection;

/// <summary>Opens every registered model.</summary>
internal sealed class SlimModelHealthCheck(IServiceProvider provider, IEnumerable<SlimModelRegistration> models) : IHealthCheck
{
    // Opening takes as long as it takes; on a pool thread other checks go on, and who gives up waiting may leave.
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        => Task.Run(() => Check(context.Registration.FailureStatus), cancellationToken).WaitAsync(cancellationToken);

    private HealthCheckResult Check(HealthStatus failure)
    {
        var data = new Dictionary<string, object>(StringComparer.Ordinal);
        var faults = new List<Exception>();
        foreach (var model in models)
        {
            try
            {
                data[model.Key] = string.Join(", ", model.Open(provider).Inputs.Select(i => $"{i.Name} {i}"));
            }
            // Whatever stands in the way, a provider that is not there or wrong options included.
            catch (Exception e)
            {
                data[model.Key] = e.Message;
                faults.Add(e);
            }
        }
        return faults.Count == 0
            ? HealthCheckResult.Healthy($"Models that are open: {data.Count}.", data)
            : new(failure, string.Join(" ", faults.Select(f => f.Message)), faults[0], data);
    }
}
