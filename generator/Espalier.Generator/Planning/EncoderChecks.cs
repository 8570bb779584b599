using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>Whether a policy with <c>[Embeddings]</c> is for an encoder of texts.</summary>
internal static class EncoderChecks
{
    /// <summary>Names of the inputs of encoders; those of Espalier.Extensions.AI.</summary>
    public const string Ids = "input_ids", Mask = "attention_mask", Types = "token_type_ids";

    /// <summary>Reports what does not go with the attribute.</summary>
    public static void Check(PolicyModel policy, Manifest? manifest, Findings findings)
    {
        if (policy.Embeddings is not { } embeddings) return;
        var site = AttributeSite.OfClass(nameof(EmbeddingsAttribute));
        findings.CheckAtLeast(site, nameof(EmbeddingsAttribute.MaxTokens), embeddings.MaxTokens, 3);
        if (!IsReadable(embeddings))
            findings.DoesNotFit(site.At("tokenizer"), embeddings.Tokenizer, "[Embeddings]",
                "A tokenizer.json is not read; give the model's vocab.txt or its SentencePiece .model");
        if (manifest is not null && Fault(embeddings, manifest.Inputs, manifest.Outputs) is { } fault)
            findings.DoesNotFit(site.At(fault.Argument), "[Embeddings]", $"the model '{policy.ModelKey}'", fault.Text);
    }

    /// <summary>Whether the tokenizer's file is of a kind that is read, by its name.</summary>
    public static bool IsReadable(EmbeddingsModel embeddings)
        => !embeddings.Tokenizer.EndsWith(".json", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the code for embeddings can be written.</summary>
    public static bool Fits(ResolvedPolicy policy)
        => policy is { HasModel: true, Policy: { Embeddings: { } embeddings, Colliding.Count: 0 } }
            && Fault(embeddings, policy.Inputs, policy.Outputs) is null;

    /// <summary>What does not go together, and the argument to blame; null where all does.</summary>
    private static (string Argument, string Text)? Fault(EmbeddingsModel embeddings, IReadOnlyList<ManifestTensor> inputs,
        IReadOnlyList<ManifestTensor> outputs)
    {
        if (!Enum.IsDefined(typeof(Pooling), embeddings.Pooling))
            return (nameof(EmbeddingsAttribute.Pooling), $"There is no Pooling {embeddings.Pooling}");
        if (inputs.All(i => i.Name != Ids)) return ("", $"It has no input '{Ids}'");
        if (inputs.FirstOrDefault(i => i.Name is not (Ids or Mask or Types) || i.ElementType is not ("int64" or "int32")) is { } foreign)
            return ("", $"Its input '{foreign.Name}' ({foreign.ElementType}) is not made of a text: an encoder takes {Ids}, {Mask} and "
                + $"{Types}, int64 or int32");
        var output = outputs.FirstOrDefault(o => embeddings.Output is null || o.Name == embeddings.Output);
        if (output is null)
            return (nameof(EmbeddingsAttribute.Output),
                $"It has no output '{embeddings.Output}' but {string.Join(", ", outputs.Select(o => $"'{o.Name}'"))}");
        var rank = embeddings.Pooling == Pooling.None ? 2 : 3;
        if (output.ElementType == "float32" && (output.Dims.Count == rank || output.Dims is [var only] && only == "*")) return null;
        return ($"{nameof(EmbeddingsAttribute.Output)} {nameof(EmbeddingsAttribute.Pooling)}",
            $"Its output '{output.Name}' ({output.ElementType}, {output.Dims.Count} axes) is not float32 with {rank} axes, as "
                + $"Pooling.{embeddings.Pooling} wants it; name another one with Output, or choose another Pooling");
    }
}
