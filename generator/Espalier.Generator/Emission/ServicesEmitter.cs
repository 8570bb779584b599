using Espalier.Generator.Planning;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Emission;

/// <summary>The class of extension methods <c>services.Add…</c> of a policy.</summary>
internal sealed class ServicesEmitter
{
    private const string Services = "global::Microsoft.Extensions.DependencyInjection.IServiceCollection";
    private const string Options
        = "global::System.Action<global::Espalier.Extensions.DependencyInjection.SlimModelOptions>? configure = null";
    private const string Configuration = "global::Microsoft.Extensions.Configuration.IConfiguration configuration";
    private const string Helper = "global::Espalier.Extensions.DependencyInjection.SlimModelServices";
    private const string Embeddings = "global::Espalier.Extensions.AI.EmbeddingServices";

    private readonly SourceWriter _writer = new();
    private readonly PolicyModel _policy;
    private readonly string _type, _name;

    private ServicesEmitter(PolicyModel policy)
        => (_policy, _type, _name) = (policy, PolicyFrame.TypeOf(policy), string.Concat(Parts(policy)));

    /// <summary>The file; null where the model has no typed inputs, or where nobody could call the methods.</summary>
    /// <param name="resolved">The policy.</param>
    /// <param name="embeddings">Whether the project references Espalier.Extensions.AI.</param>
    public static string? Emit(ResolvedPolicy resolved, bool embeddings)
    {
        if (!resolved.HasModel || resolved.Policy.Accessibility.Length == 0 || resolved.Policy.Colliding.Count > 0
            || !PolicyEmitter.IsTyped(resolved)) return null;
        return new ServicesEmitter(resolved.Policy).Write(embeddings && EncoderChecks.Fits(resolved));
    }

    private static IEnumerable<string> Parts(PolicyModel policy) => policy.Containers.Select(c => c.Name).Append(policy.Name);

    private string Write(bool embeddings)
    {
        PolicyFrame.Header(_writer);
        PolicyFrame.OpenNamespace(_writer, _policy);
        _writer.Summary($"Registers what runs the slim model of {_policy.FullName} with a service container.");
        // Partial, so that a class of this name that the user has can be the other part. Containers apart: Outer.Slim and OuterSlim.
        _writer.Line($"{_policy.Accessibility} static partial class {string.Join("_", Parts(_policy))}ServiceCollectionExtensions");
        _writer.Open();
        Sessions();
        if (embeddings)
        {
            _writer.Line();
            Generators();
        }
        _writer.Close();
        PolicyFrame.CloseNamespace(_writer, _policy);
        return _writer.ToString();
    }

    private void Sessions()
    {
        var types = $"<{_type}.Inputs, {_type}.Outputs>";
        var session = $"ModelSession<{_policy.Name}.Inputs, {_policy.Name}.Outputs>";
        Document($"Adds {session} as a singleton, also by the key \"{_policy.FullName}\". It is opened when it is first asked for, and "
            + "disposed of by the container.", "configure", "Threads, execution providers, another file …; null for ONNX Runtime's own.");
        Method("Add", "", Options, $"{Helper}.Add{types}(services, {_type}.Plan.Policy, configure)");
        _writer.Line();
        Document($"Adds {session} as a singleton, with the options that a section of the configuration has.", "configuration",
            "The section; its keys are the properties of SlimModelOptions.");
        Method("Add", "", Configuration, $"Add{_name}(services, options => options.Bind(configuration))");
        _writer.Line();
        Document($"Adds {session} as a singleton by a key: a second one, with options of its own.", "configure",
            "Threads, execution providers, another file …; null for ONNX Runtime's own.", keyed: true);
        Method("AddKeyed", "", Options, $"{Helper}.AddKeyed{types}(services, {_type}.Plan.Policy, key, configure)");
    }

    private void Generators()
    {
        const string Type = "IEmbeddingGenerator<string, Embedding<float>>";
        Document($"Adds {Type} as a singleton, also by the key \"{_policy.FullName}\", with the session that it runs.", "configure",
            "Options of the session; null for ONNX Runtime's own.");
        Method("Add", "Embeddings", Options, $"{Embeddings}.Add(Add{_name}(services, configure), {_type}.Embeddings)");
        _writer.Line();
        Document($"Adds {Type} as a singleton, with the options of the session that a section of the configuration has.", "configuration",
            "The section; its keys are the properties of SlimModelOptions.");
        Method("Add", "Embeddings", Configuration, $"Add{_name}Embeddings(services, options => options.Bind(configuration))");
        _writer.Line();
        Document($"Adds {Type} as a singleton by a key, with a session by that key.", "configure",
            "Options of the session; null for ONNX Runtime's own.", keyed: true);
        Method("AddKeyed", "Embeddings", Options, $"{Embeddings}.AddKeyed(AddKeyed{_name}(services, key, configure), key, "
            + $"{_type}.Embeddings)");
    }

    private void Document(string summary, string parameter, string description, bool keyed = false)
    {
        _writer.Summary(summary);
        _writer.Parameter("services", "The services.");
        if (keyed) _writer.Parameter("key", "The key, which is also the name of the options.");
        _writer.Parameter(parameter, description);
    }

    private void Method(string prefix, string suffix, string parameter, string body)
    {
        var key = prefix == "AddKeyed" ? "string key, " : "";
        _writer.Generated();
        _writer.Line($"public static {Services} {prefix}{_name}{suffix}(this {Services} services, {key}{parameter})");
        _writer.Line($"    => {body};");
    }
}
