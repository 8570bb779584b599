using System.Globalization;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Emission;

/// <summary>What a policy with <c>[Embeddings]</c> gets where the project references Espalier.Extensions.AI.</summary>
internal static class EmbeddingsEmitter
{
    private const string Package = "global::Espalier.Extensions.AI.";
    private const string Unopened = "The tokenizer cannot be opened.";
    private const string Sequence = "global::System.Collections.Generic.IEnumerable";

    /// <summary>The file; null where the policy has no such attribute, or one that does not go with its model.</summary>
    public static string? Emit(ResolvedPolicy resolved)
    {
        if (!EncoderChecks.Fits(resolved)) return null;
        return PolicyFrame.Part(resolved.Policy, writer =>
        {
            Settings(writer, resolved.Policy.Embeddings!);
            Generators(writer);
            Samples(writer, resolved);
        });
    }

    private static void Settings(SourceWriter writer, EmbeddingsModel embeddings)
    {
        writer.Summary("How texts become vectors.");
        writer.Generated();
        writer.Line($"public static {Package}EmbeddingSettings Embeddings {{ get; }} = new(Plan.Policy, "
            + $"{Names.Literal(embeddings.Tokenizer)})");
        writer.Open();
        writer.Line($"Pooling = global::Espalier.Pooling.{embeddings.Pooling},");
        writer.Line($"Normalise = {(embeddings.Normalise ? "true" : "false")},");
        writer.Line($"MaxTokens = {embeddings.MaxTokens.ToString(CultureInfo.InvariantCulture)},");
        if (embeddings.Output is { } output) writer.Line($"Output = {Names.Literal(output)},");
        writer.Close(";");
        writer.Line();
    }

    private static void Generators(SourceWriter writer)
    {
        writer.Summary("Vectors of texts by the slim model that the build wrote beside the program.");
        writer.SessionOptions();
        writer.Throws("The model or the tokenizer cannot be opened.");
        writer.Generated();
        writer.Line($"public static {Package}TextEmbeddingGenerator CreateEmbeddingGenerator("
            + "global::Microsoft.ML.OnnxRuntime.SessionOptions? options = null)");
        writer.Line("    => new(Open(options).Untyped, Embeddings, ownsSession: true);");
        writer.Line();
        writer.Summary("Vectors of texts by a session of the caller's, who keeps it; by the dense model, for one.");
        writer.Parameter("session", "The session.");
        writer.Parameter("tokenizer", "Another tokenizer than that of the policy; null for that.");
        writer.Throws(Unopened);
        writer.Generated();
        writer.Line($"public static {Package}TextEmbeddingGenerator CreateEmbeddingGenerator("
            + "global::Espalier.Runtime.ModelSession<Inputs, Outputs> session, "
            + $"{Package}TextTokenizer? tokenizer = null)");
        writer.Line("    => new(session.Untyped, Embeddings, tokenizer);");
        writer.Line();
    }

    private static void Samples(SourceWriter writer, ResolvedPolicy resolved)
    {
        var values = resolved.Inputs.Select(i => $"text.{Method(i.Name)}<{PolicyEmitter.ElementType(i.ElementType)}>()");
        writer.Summary("Inputs of the model for each text: what a calibration method returns.");
        writer.Parameter("texts", "The texts.");
        writer.Throws(Unopened);
        writer.Generated();
        writer.Line($"public static {Sequence}<Inputs> Tokenize({Sequence}<string> texts)");
        writer.Open();
        writer.Line($"foreach (var text in {Package}TextTokenizer.Open(Embeddings.Tokenizer).Samples(texts, Embeddings.MaxTokens))");
        writer.Line($"    yield return new({string.Join(", ", values)});");
        writer.Close();
    }

    private static string Method(string input) => input switch
    {
        EncoderChecks.Ids => "Ids",
        EncoderChecks.Mask => "Mask",
        _ => "Types",
    };
}
