using Espalier.Runtime;
using Microsoft.Extensions.Options;

namespace Espalier.Extensions.DependencyInjection;

/// <summary>A session that was registered: how the health check finds all of them.</summary>
internal sealed record SlimModelRegistration(string Key, string Policy, Func<IServiceProvider, ModelSession> Open);

/// <summary>Looks at the options of one key.</summary>
internal sealed class SlimModelValidation(string key) : IValidateOptions<SlimModelOptions>
{
    public ValidateOptionsResult Validate(string? name, SlimModelOptions options)
        => name != key ? ValidateOptionsResult.Skip
            : options.Fault is { } fault ? ValidateOptionsResult.Fail($"The options of the model '{key}' are wrong: {fault}.")
            : ValidateOptionsResult.Success;
}
