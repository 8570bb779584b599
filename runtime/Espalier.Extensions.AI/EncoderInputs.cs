using Espalier.Runtime;

namespace Espalier.Extensions.AI;

/// <summary>The inputs of encoders, by the names that exporters give them.</summary>
internal static class EncoderInputs
{
    public const string Ids = "input_ids", Mask = "attention_mask", Types = "token_type_ids";

    /// <summary>What the model wants of the texts.</summary>
    public static IEnumerable<NamedTensor> Of(TextBatch texts, IReadOnlyList<TensorSignature> wanted)
        => wanted.Select(i => i.ElementType == "int32" ? Named<int>(texts, i.Name) : Named<long>(texts, i.Name));

    private static NamedTensor Named<T>(TextBatch texts, string name) where T : System.Numerics.INumber<T>
        => NamedTensor.From(name, name switch { Ids => texts.Ids<T>(), Mask => texts.Mask<T>(), _ => texts.Types<T>() });
}
