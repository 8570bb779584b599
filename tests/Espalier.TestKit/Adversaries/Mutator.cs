using Espalier.Onnx;
using Espalier.Onnx.Limits;
using Google.Protobuf;

namespace Espalier.TestKit.Adversaries;

/// <summary>A model that is changed.</summary>
internal sealed class MutationSeed
{
    private MutationSeed(string name, byte[] bytes) => (Name, Bytes) = (name, bytes);

    /// <summary>Where it comes from.</summary>
    public string Name { get; }

    /// <summary>The file.</summary>
    public byte[] Bytes { get; }

    /// <summary>Nodes of its main graph; −1 where it is no model, so that only its bytes can change.</summary>
    public int Nodes { get; private init; } = -1;

    /// <summary>Its messages, made anew: thousands of models as objects would be most of the collector's work.</summary>
    public ModelProto Messages => ModelProto.Parser.ParseFrom(Bytes);

    /// <summary>Where its structure is: bytes of large weights are left out.</summary>
    public int[]? Structure { get; private init; }

    /// <summary>A seed from a file's bytes, whatever they are.</summary>
    public static MutationSeed From(string name, byte[] bytes)
    {
        try
        {
            var proto = ModelProto.Parser.ParseFrom(bytes);
            return new(name, bytes) { Nodes = proto.Graph?.Node.Count ?? -1, Structure = ByteMutations.Structure(bytes) };
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or OnnxFormatException)
        {
            return new(name, bytes);
        }
    }

    /// <summary>
    /// Every file of a folder and below with at most this many bytes, in the order of their names.
    /// </summary>
    public static IEnumerable<MutationSeed> In(string folder, long most)
        => Directory.EnumerateFiles(folder, "*.onnx", SearchOption.AllDirectories).Where(f => new FileInfo(f).Length <= most)
            .Order(StringComparer.Ordinal)
            .Select(f => From(Path.GetRelativePath(folder, f), File.ReadAllBytes(f)));
}

/// <summary>A changed model.</summary>
/// <param name="Kind">What was done; one name for several changes.</param>
/// <param name="What">Every change.</param>
/// <param name="Bytes">The file.</param>
internal sealed record Mutation(string Kind, string What, byte[] Bytes);

/// <summary>Changes of every kind, drawn from a seed.</summary>
internal static class Mutator
{
    /// <summary>A changed model: one change mostly, sometimes up to four.</summary>
    /// <param name="random">What is drawn from.</param>
    /// <param name="seed">The model.</param>
    /// <param name="other">Another one, which gives parts.</param>
    public static Mutation Apply(Random random, MutationSeed seed, MutationSeed other)
    {
        int draw = random.Next(10), wanted = draw < 7 ? 1 : draw < 9 ? 2 : random.Next(3, 5);
        var made = new List<string>();
        var bytes = seed.Bytes;
        if (seed.Nodes >= 0 && random.Next(4) > 0)
        {
            var model = seed.Messages;
            var parts = new Lazy<ModelProto>(() => other.Nodes >= 0 ? other.Messages : seed.Messages);
            for (int attempt = 0; attempt < 40 && made.Count < wanted; attempt++)
                if (Change(random, model, parts) is { } change) made.Add(change);
            bytes = model.ToByteArray();
        }
        else
        {
            while (made.Count < wanted && bytes.Length > 0)
            {
                // After a first change the places of the seed's structure are no longer those of these bytes, and weights are hit too.
                (string what, bytes) = ByteMutations.Apply(random, bytes, made.Count == 0 ? seed.Structure : null,
                    other.Bytes.Length > 0 ? other.Bytes : null);
                made.Add("bytes: " + what);
            }
        }
        return new(made.Count == 1 ? made[0] : made.Count == 0 ? "nothing" : "several changes", string.Join("; ", made), bytes);
    }

    private static string? Change(Random random, ModelProto model, Lazy<ModelProto> other) => random.Next(5) switch
    {
        0 or 1 => GraphMutations.Apply(random, model),
        2 or 3 => ContentMutations.Apply(random, model),
        _ => GrowthMutations.Apply(random, model, other.Value),
    };
}
